//! An *error* names the step that failed and why; it is sent to the host as one line of text.

use std::io;

/// A step of assembling or adopting the machine failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {cause}")]
pub struct Error {
    step: String,
    cause: io::Error,
}

impl Error {
    pub(crate) fn new(step: impl Into<String>, cause: impl Into<io::Error>) -> Self {
        Self {
            step: step.into(),
            cause: cause.into(),
        }
    }

    /// Returns the error of a step that the agent itself refuses.
    pub fn refused(step: impl Into<String>, why: &'static str) -> Self {
        Self::new(step, io::Error::new(io::ErrorKind::InvalidInput, why))
    }
}

/// Names the step a result belongs to.
pub(crate) trait Step<T> {
    /// Turns a failure into an [`Error`] of the step `step` ("cannot …").
    fn step(self, step: &str) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step(self, step: &str) -> Result<T, Error> {
        self.map_err(|cause| Error::new(step, cause))
    }
}
