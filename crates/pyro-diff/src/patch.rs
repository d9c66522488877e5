//! A *parsed patch*: the changes of files in the order of the patch. It borrows the patch's lines.

use crate::Mode;

/// The result of [`parse`](crate::parse).
#[derive(Debug)]
pub struct Patch<'a> {
    pub(crate) files: Vec<FilePatch<'a>>,
}

/// The change of one file.
#[derive(Debug)]
pub struct FilePatch<'a> {
    /// The line of the patch where it begins.
    pub(crate) line: usize,
    pub(crate) action: Action,
    /// The path before the change: the path itself, except for a rename or a copy.
    pub(crate) old_path: Option<Vec<u8>>,
    pub(crate) path: Vec<u8>,
    pub(crate) old_mode: Option<Mode>,
    pub(crate) new_mode: Option<Mode>,
    /// `diff -u` does not say whether a file is new: it is new if it does not exist.
    pub(crate) may_create: bool,
    pub(crate) ids: Option<Ids<'a>>,
    pub(crate) body: Body<'a>,
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It keeps its path.
    Modify,
    /// It is added.
    Create,
    /// It is deleted.
    Delete,
    /// It is renamed from another path.
    Rename,
    /// It is copied from another path.
    Copy,
}

/// The ids of the contents before and after, in hexadecimal; they may be abbreviated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids<'a> {
    pub(crate) old: &'a [u8],
    pub(crate) new: &'a [u8],
}

#[derive(Debug)]
pub(crate) enum Body<'a> {
    /// Only the mode or the path changes.
    Nothing,
    Text(Vec<Hunk<'a>>),
    /// The complete new content.
    Literal(Vec<u8>),
    /// Git's delta from the old content.
    Delta(Vec<u8>),
}

/// A range of lines with removed and added lines.
#[derive(Debug)]
pub(crate) struct Hunk<'a> {
    /// The line of the patch where it begins.
    pub(crate) line: usize,
    pub(crate) old_start: usize,
    pub(crate) new_start: usize,
    pub(crate) old_count: usize,
    pub(crate) new_count: usize,
    pub(crate) removed: usize,
    pub(crate) has_context_at_end: bool,
    /// Its lines as they are in the patch. They are parsed again when they are needed, because a
    /// list of short lines needs many times the memory of the text.
    pub(crate) body: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Context,
    Removed,
    Added,
}

impl Patch<'_> {
    /// The changes, in the order of the patch.
    pub fn files(&self) -> &[FilePatch<'_>] {
        &self.files
    }
}

impl FilePatch<'_> {
    /// The path; the new one, if it has two.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The source path of a copy or rename.
    pub fn old_path(&self) -> Option<&[u8]> {
        self.old_path.as_deref()
    }

    /// What happens to it.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Whether the content is replaced as a whole, not by lines.
    pub fn is_binary(&self) -> bool {
        matches!(self.body, Body::Literal(_) | Body::Delta(_))
    }

    /// How many lines are added and removed.
    pub fn line_counts(&self) -> (usize, usize) {
        let Body::Text(hunks) = &self.body else {
            return (0, 0);
        };
        hunks.iter().fold((0, 0), |(added, removed), hunk| {
            let added_here = hunk.new_count + hunk.removed - hunk.old_count;
            (added + added_here, removed + hunk.removed)
        })
    }

    /// The path from which the old content is read.
    pub(crate) fn source(&self) -> &[u8] {
        self.old_path.as_deref().unwrap_or(&self.path)
    }
}

impl<'a> Hunk<'a> {
    /// Its lines with their newlines, which the last line may not have.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (Sign, &'a [u8])> + use<'a> {
        let mut lines = self.body.split_inclusive(|byte| *byte == b'\n').peekable();
        std::iter::from_fn(move || {
            let line = lines.next()?;
            let (sign, content) = match line[0] {
                b'+' => (Sign::Added, &line[1..]),
                b'-' => (Sign::Removed, &line[1..]),
                // Some programs strip trailing spaces, which removes the only character of an empty
                // context line.
                b'\n' => (Sign::Context, line),
                _ => (Sign::Context, &line[1..]),
            };
            let is_cut = lines.next_if(|next| next[0] == b'\\').is_some();
            Some((sign, &content[..content.len() - usize::from(is_cut)]))
        })
    }
}
