//! Tools for those who work on pyro: [`generate`] writes the reference pages from the definitions
//! they describe, [`bench`] measures, [`soak`] runs it often and looks whether anything breaks.
//!
//! The words are in `docs/glossary.md`.

pub mod bench;
pub mod finished;
pub mod generate;
pub mod program;
pub mod soak;

/// What went wrong, in words for the developer.
pub type Error = Box<dyn std::error::Error>;

/// What a tool has to say, and whether what it looked at is as it should be.
#[derive(Clone, Debug)]
pub struct Report {
    /// For people.
    pub text: String,
    /// Whether all was well.
    pub good: bool,
}

impl Report {
    /// A report of something that cannot be bad.
    pub fn good(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            good: true,
        }
    }
}
