//! Tools for those who work on pyro: [`generate`] writes the reference pages from the definitions
//! they describe, [`bench`] measures.

pub mod bench;
pub mod generate;

/// What went wrong, in words for the developer.
pub type Error = Box<dyn std::error::Error>;
