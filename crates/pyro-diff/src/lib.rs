//! A *patch* is the text that `git diff --binary` prints and `git apply` reads. This crate writes
//! patches from both sides of each change, and parses and applies them; the caller reads and writes
//! the files.
//!
//! [`append`] does not check paths: the caller must check paths from a guest. [`parse`] checks all
//! of its input.

mod apply;
mod binary;
mod delta;
mod error;
mod id;
mod merge;
mod name;
mod parse;
mod patch;
mod text;

pub use apply::{Applied, Moved, Present, REFUSALS, apply};
pub use error::{ApplyError, HunkRefusal, Misfit, ParseError, Problem, Reason, Refusal};
pub use merge::{Conflicts, Merge, merge};
pub use parse::{ParseOptions, parse};
pub use patch::{Action, FilePatch, Patch};

use std::fmt::Write as _;

/// The size in bytes beyond which a file is not compared by lines but written as binary.
pub const TEXT_LIMIT: usize = 16 * 1024 * 1024;

/// The type and mode of a file in git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A file that is not executable.
    Regular,
    /// An executable file.
    Executable,
    /// A symbolic link; its content is its target.
    Symlink,
}

/// One side of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its type and mode.
    pub mode: Mode,
    /// Its bytes, or a symbolic link's target.
    pub content: Vec<u8>,
}

impl Mode {
    fn octal(self) -> &'static str {
        match self {
            Self::Regular => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
        }
    }
}

/// Appends the change of one path to a patch. `None` is a side that does not exist. Nothing is
/// appended if both sides are the same.
pub fn append(output: &mut Vec<u8>, path: &[u8], old: Option<&Side>, new: Option<&Side>) {
    if old == new {
        return;
    }
    // Git has no change of type: it deletes one file and adds the other.
    if let (Some(before), Some(after)) = (old, new)
        && (before.mode == Mode::Symlink) != (after.mode == Mode::Symlink)
    {
        append(output, path, old, None);
        append(output, path, None, new);
        return;
    }
    let old_content = old.map_or(&[][..], |side| &side.content);
    let new_content = new.map_or(&[][..], |side| &side.content);

    output.extend(b"diff --git ");
    output.extend(name::quoted(b"a/", path));
    output.push(b' ');
    output.extend(name::quoted(b"b/", path));
    output.push(b'\n');
    let mut header = String::new();
    let mut kept_mode = String::new();
    match (old, new) {
        (None, Some(new)) => _ = writeln!(header, "new file mode {}", new.mode.octal()),
        (Some(old), None) => _ = writeln!(header, "deleted file mode {}", old.mode.octal()),
        (Some(old), Some(new)) if old.mode != new.mode => {
            let (old, new) = (old.mode.octal(), new.mode.octal());
            _ = writeln!(header, "old mode {old}\nnew mode {new}");
        }
        _ => kept_mode = old.map_or_else(String::new, |old| format!(" {}", old.mode.octal())),
    }
    let only_mode = old.is_some() && new.is_some() && old_content == new_content;
    if !only_mode {
        let [old, new] = [old, new].map(|side| id::of(side.map(|side| &*side.content)));
        _ = writeln!(header, "index {old}..{new}{kept_mode}");
    }
    output.extend(header.as_bytes());
    // The addition or deletion of an empty file has no hunk.
    if old_content == new_content {
        return;
    }
    if is_text(old_content) && is_text(new_content) {
        name::append_line(output, b"--- ", b"a/", old.map(|_| path));
        name::append_line(output, b"+++ ", b"b/", new.map(|_| path));
        text::append_hunks(output, old_content, new_content);
    } else {
        binary::append_hunks(output, old_content, new_content);
    }
}

/// Whether a content is compared by lines. Git looks for a NUL only in the first 8000 bytes; here, a
/// file with a later NUL is also binary, which `git apply` accepts.
pub fn is_text(content: &[u8]) -> bool {
    content.len() <= TEXT_LIMIT && !content.contains(&0)
}
