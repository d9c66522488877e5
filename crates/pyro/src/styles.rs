//! The *styles* of highlighted text on a terminal.

use anstyle::{AnsiColor, Style};

pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
