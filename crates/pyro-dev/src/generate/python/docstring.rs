//! A *docstring*, as Python reads it.

/// Text as the part of a docstring: nothing in it may end the string or escape anything.
pub(super) fn documentation(text: &str) -> String {
    text.replace('\\', "\\\\").replace("\"\"\"", "'''")
}
