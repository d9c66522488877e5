//! The *parts* of what is shown.

use pyro_engine::octets;

/// What is shown of a result, and the exit status that goes with it.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Rendered {
    /// What is printed, in this order.
    pub(crate) parts: Vec<Part>,
    /// For standard error, unless only results are wanted.
    pub(crate) footer: String,
    /// The exit status.
    pub(crate) status: u8,
}

/// A piece of text and where it goes.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// To standard output.
    Stdout(String),
    /// To standard error.
    Stderr(String),
}

impl Rendered {
    pub(super) fn with_status(self, status: u8) -> Self {
        Self { status, ..self }
    }
}

/// A name or a command line as people can read it: bytes that are no text, and what a terminal
/// would obey, are shown as something else.
pub(super) fn shown(text: &str) -> String {
    let bytes = octets::decode(text);
    pyro_text::escaped(&String::from_utf8_lossy(&bytes)).into_owned()
}
