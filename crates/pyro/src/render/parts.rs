//! The *parts* of what is shown.

use pyro_engine::octets;
use serde::de::DeserializeOwned;
use serde_json::Value;

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
    /// A patch, to standard output: in colours to a terminal, else byte for byte.
    Patch(Vec<u8>),
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

/// What is to be rendered.
pub(super) struct View<'a> {
    pub(super) request: &'a Value,
    pub(super) value: &'a Value,
    pub(super) verbose: bool,
}

impl View<'_> {
    /// Returns the result as what it is.
    pub(super) fn typed<T: DeserializeOwned>(&self) -> T {
        // Read where it is: a copy of a long list takes as much memory again.
        T::deserialize(self.value).expect("the engine made it from this very type")
    }
}

/// Rows below their heads, in columns that are as wide as they have to be.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut all = vec![heads.map(str::to_owned)];
    all.extend(rows);
    let width = |column: usize| {
        let widths = all.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    all.iter().map(line).collect()
}

/// Text where results go.
pub(super) fn text(stdout: String) -> Rendered {
    Rendered {
        parts: vec![Part::Stdout(stdout)],
        ..Rendered::default()
    }
}

/// Text where results do not go.
pub(super) fn footer(footer: String) -> Rendered {
    Rendered {
        footer,
        ..Rendered::default()
    }
}
