//! A *page* of the reference, in Markdown.

/// The command that generates the files.
pub(super) const COMMAND: &str = "cargo run -p pyro-dev -- generate";

/// The first lines of a page.
pub(super) fn header(title: &str, source: &str) -> String {
    format!("<!-- Written by `{COMMAND}` from {source}; edit that instead. -->\n# {title}\n")
}

/// Formats a text as one cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
