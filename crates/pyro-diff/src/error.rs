//! The *errors* of a patch: where it cannot be parsed, or why it does not apply.

use std::fmt;

use crate::name::quoted;

/// Why a patch cannot be read, and where.
#[derive(Debug, thiserror::Error)]
#[error("line {line}{}: {problem}", Place(.file.as_deref(), *.hunk))]
pub struct ParseError {
    /// The line of the patch, from 1.
    pub line: usize,
    /// The file whose change it is in, if one was named before.
    pub file: Option<Vec<u8>>,
    /// The number of the hunk of this file, from 1.
    pub hunk: Option<usize>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a patch.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is too large, or unpacks to more than was allowed.
    #[error("the patch, with what is packed in it, is larger than {limit} bytes")]
    TooLarge {
        /// The caller's limit.
        limit: usize,
    },
    /// There is no change in it.
    #[error("there is no change here: neither 'diff --git' nor '---', '+++' and '@@'")]
    NoChange,
    /// A hunk before any file.
    #[error("a hunk without a header that names its file")]
    NoFile,
    /// The difference of a merge.
    #[error("this is the combined difference of a merge, which cannot be applied")]
    Combined,
    /// The header names no file.
    #[error("the header names no file after {strip} leading components of the path are removed")]
    NoName {
        /// How many components are removed.
        strip: usize,
    },
    /// Two names without a rename.
    #[error("the two sides have different names, {old} and {new}, but it is not a rename")]
    NamesDiffer {
        /// The old name.
        old: String,
        /// The new name.
        new: String,
    },
    /// Lines of a header that contradict each other.
    #[error("the header contradicts itself: {0}")]
    Contradiction(&'static str),
    /// A quoted name with invalid syntax.
    #[error("a quoted name is invalid")]
    Quotes,
    /// A path that is not allowed in a patch.
    #[error("path {path} is not allowed in a patch: {why}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A mode that is not known.
    #[error("mode {0} is neither a file's nor a symbolic link's")]
    Mode(String),
    /// The contents are not in the patch.
    #[error(
        "the patch says that binary files differ, but does not contain them; make it with 'git diff --binary'"
    )]
    BinaryLeftOut,
    /// Without ids it is unknown whether a binary hunk applies.
    #[error("a binary change needs the full ids of both contents in its 'index' line")]
    BinaryIds,
    /// A damaged binary hunk.
    #[error("the binary hunk is damaged: {0}")]
    Binary(&'static str),
    /// The header of a hunk is invalid.
    #[error("'@@ -LINE,COUNT +LINE,COUNT @@' was expected")]
    HunkHeader,
    /// The hunk has fewer lines than it says.
    #[error("the hunk ends early: {old} old and {new} new lines are missing")]
    HunkShort {
        /// How many old lines are missing.
        old: usize,
        /// How many new lines are missing.
        new: usize,
    },
    /// The hunk has more lines than it says.
    #[error("the hunk has more lines than its first line says")]
    HunkLong,
    /// The hunk changes nothing.
    #[error("the hunk changes nothing")]
    HunkEmpty,
    /// A line after the one that has no newline.
    #[error("'\\ No newline at end of file' is not at the end of the file")]
    NoNewline,
    /// The last line of the patch is incomplete.
    #[error("the patch ends within a line")]
    Cut,
}

/// A position in a patch, for messages.
struct Place<'a>(Option<&'a [u8]>, Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, output: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = self.0 {
            write!(output, ", {}", shown(file))?;
        }
        if let Some(hunk) = self.1 {
            write!(output, ", hunk {hunk}")?;
        }
        Ok(())
    }
}

/// Why a patch cannot be applied. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError<E> {
    /// It does not fit.
    #[error("the patch does not fit: {}{}", .refusals.first().map_or_else(String::new, ToString::to_string), More(.refusals.len() + more))]
    Refused {
        /// The parts that do not fit, in the order of the patch.
        refusals: Vec<Refusal>,
        /// How many there are beyond [`REFUSALS`](crate::REFUSALS).
        more: usize,
    },
    /// The contents before and after are too large together.
    #[error("the contents that the patch changes are larger than {limit} bytes together")]
    TooLarge {
        /// The caller's limit.
        limit: usize,
    },
    /// The current file cannot be read.
    #[error("{} cannot be read", shown(.path))]
    Read {
        /// The path.
        path: Vec<u8>,
        /// The caller's error.
        source: E,
    },
}

struct More(usize);

impl fmt::Display for More {
    fn fmt(&self, output: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 | 1 => Ok(()),
            count => write!(output, " (and {} more)", count - 1),
        }
    }
}

/// A part of a patch that does not fit the current files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", shown(.path))]
pub struct Refusal {
    /// The path.
    pub path: Vec<u8>,
    /// The line of the patch where it is.
    pub line: usize,
    /// Why it does not fit.
    pub reason: Reason,
}

/// Why a part of a patch does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// There is nothing at the path.
    #[error("there is no such file")]
    Missing,
    /// An earlier change of the patch has removed or renamed it.
    #[error("the patch has removed or renamed it before")]
    Gone,
    /// The file exists and should not.
    #[error("it already exists")]
    Exists,
    /// The file has another type than the patch says.
    #[error("it is {found}, not {expected}")]
    WrongType {
        /// The type in the patch.
        expected: &'static str,
        /// The actual type.
        found: &'static str,
    },
    /// A part of the path is no directory.
    #[error("{} is no directory", shown(.0))]
    BelowFile(Vec<u8>),
    /// The content is not the one that a binary patch was made for.
    #[error("the content is not the one that the binary patch was made for")]
    OtherContent,
    /// The result of the binary patch does not have the expected id.
    #[error("the binary patch is damaged: {0}")]
    Binary(&'static str),
    /// The patch removes the file, but not all of its lines.
    #[error("the patch removes the file, but not all of its content")]
    NotEmpty,
    /// The content of a symbolic link is no target.
    #[error("the content is not a valid target of a symbolic link")]
    Link,
    /// A hunk does not fit.
    #[error("{0}")]
    Hunk(HunkRefusal),
}

/// A hunk that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HunkRefusal {
    /// Its number in the change of this file, from 1.
    pub hunk: usize,
    /// The line of the file with the first difference, from 1, at the position that the hunk gives.
    pub at: usize,
    /// A few lines that the hunk expects from there on.
    pub expected: Vec<Vec<u8>>,
    /// The actual lines.
    pub found: Vec<Vec<u8>>,
    /// Why it applies nowhere else.
    pub why: Misfit,
}

/// Why a hunk does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misfit {
    /// Its lines are not in the file, or were changed by another hunk.
    NotFound,
    /// It begins with line 1, and the file begins with something else.
    NotAtStart,
    /// It has no context after its changes, and the file has more lines.
    NotAtEnd,
    /// The search took more steps than a patch may take.
    SearchTooLong,
}

impl fmt::Display for HunkRefusal {
    fn fmt(&self, output: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Misfit::NotFound => "its lines are not in the file",
            Misfit::NotAtStart => "its lines are not at the beginning of the file",
            Misfit::NotAtEnd => "its lines are not at the end of the file",
            Misfit::SearchTooLong => "the search for its position took too long",
        };
        write!(
            output,
            "hunk {} does not fit at line {}: {why}",
            self.hunk, self.at
        )?;
        for (word, lines) in [("expected", &self.expected), ("found", &self.found)] {
            let first = lines.first().map_or_else(
                || "the end of the file".to_owned(),
                |line| format!("'{}'", line.trim_ascii_end().escape_ascii()),
            );
            write!(output, "; {word} {first}")?;
        }
        Ok(())
    }
}

/// A path for messages: on one line, with special bytes escaped.
pub(crate) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(&quoted(b"", path)).into_owned()
}
