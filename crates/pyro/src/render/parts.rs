//! The *parts* of rendered output.

use pyro_engine::octets;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The rendered result, and its exit status.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Rendered {
    /// The parts, in the order in which they are printed.
    pub(crate) parts: Vec<Part>,
    /// For standard error, unless only results are to be printed.
    pub(crate) footer: String,
    /// The exit status.
    pub(crate) status: u8,
}

/// A text and its destination.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// To standard output.
    Stdout(String),
    /// A patch, to standard output: with colours on a terminal, otherwise byte for byte.
    Patch(Vec<u8>),
    /// To standard error.
    Stderr(String),
}

impl Rendered {
    pub(super) fn with_status(self, status: u8) -> Self {
        Self { status, ..self }
    }
}

/// Escapes a name or a command line for display: invalid UTF-8 and control sequences are replaced.
pub(super) fn shown(text: &str) -> String {
    let bytes = octets::decode(text);
    pyro_text::escaped(&String::from_utf8_lossy(&bytes)).into_owned()
}

/// A result to render.
pub(super) struct View<'a> {
    pub(super) request: &'a Value,
    pub(super) value: &'a Value,
    pub(super) verbose: bool,
}

impl View<'_> {
    /// Returns the result with its type.
    pub(super) fn typed<T: DeserializeOwned>(&self) -> T {
        // Deserialised by reference: a copy of a long list would double the memory.
        T::deserialize(self.value).expect("the engine made it from this very type")
    }
}

/// Formats a table with a header and columns of the minimum width.
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

/// A yes or a no.
pub(super) fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// Text for standard output.
pub(super) fn text(stdout: String) -> Rendered {
    Rendered {
        parts: vec![Part::Stdout(stdout)],
        ..Rendered::default()
    }
}

/// Text for standard error.
pub(super) fn footer(footer: String) -> Rendered {
    Rendered {
        footer,
        ..Rendered::default()
    }
}
