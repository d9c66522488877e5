//! Tools for developers of pyro: [`generate`] writes the reference pages from the code, [`bench`]
//! measures, [`soak`] makes many runs and checks for failures and leftovers.
//!
//! The words are in `docs/glossary.md`.

pub mod bench;
pub mod finished;
pub mod generate;
pub mod program;
pub mod soak;

/// An error message for the developer.
pub type Error = Box<dyn std::error::Error>;

/// The report of a tool, and whether its checks passed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The text of the report.
    pub text: String,
    /// Whether all checks passed.
    pub good: bool,
}

impl Report {
    /// A report without checks.
    pub fn good(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            good: true,
        }
    }
}
