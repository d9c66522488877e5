//! Errors of builds.

use super::{Error, ErrorKind};
use crate::code::ErrorCode;

impl Error {
    /// An instruction of a build has failed. `output` is the end of what it printed.
    pub(crate) fn build_step_failed(
        place: impl std::fmt::Display,
        step: &str,
        exit_code: i32,
        output: String,
    ) -> Self {
        let step = pyro_text::line(step);
        let message = format!("{place}: {step}: exit code {exit_code}");
        let mut error = Self::new(ErrorKind::Failed, ErrorCode::BuildStepFailed, message);
        error.cause = Some(output).filter(|output| !output.is_empty());
        error
    }

    /// A kept step was removed while it was needed.
    pub(crate) fn build_step_gone() -> Self {
        let message = "a kept step was removed while the build used it";
        Self::new(ErrorKind::Failed, ErrorCode::BuildStepGone, message)
            .remedy("build again: what is missing runs again")
    }
}
