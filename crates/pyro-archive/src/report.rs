//! A *report* is what became of a source: how much it had, what was left out of it, and what its
//! owner should know.

use std::collections::BTreeMap;
use std::fmt;

/// How many entries that were left out are named. The others are only counted.
pub const NAMED: usize = 20;

/// What was read from a source, and what was left out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Members: files, directories and links, without the root itself and without parents that a
    /// tar file does not mention.
    pub entry_count: u64,
    /// Sizes of its regular files, together, with their holes. A hard link has none.
    pub bytes_written: u64,
    /// What is not in it.
    pub left_out: LeftOut,
    /// What should be known of it.
    pub warnings: Vec<Warning>,
}

/// What was left out of an archive. A directory counts as one, whatever is in it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LeftOut {
    counts: BTreeMap<Reason, u64>,
    named: Vec<(String, Reason)>,
}

/// Why something was left out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Reason {
    /// A pattern of the caller matches it.
    Excluded,
    /// Git would ignore it.
    GitIgnored,
    /// It may not be read, and the caller can do without.
    Unreadable,
    /// It went away while the directory was read.
    Vanished,
    /// A socket: nobody listens in a copy of it.
    Socket,
    /// A device: those of the host are not the guest's.
    Device,
}

/// What the owner of a source should know, though it was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// Git's data of a tree is elsewhere.
    GitElsewhere {
        /// The file that says so, below the source.
        file: String,
        /// Where they are.
        data: String,
    },
    /// An archive ends after a member, without the mark that says so.
    NoEndMark,
    /// There is something after the end of an archive.
    MoreAfterEnd,
}

impl LeftOut {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many there are for each reason.
    pub fn counts(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.counts.iter().map(|(reason, count)| (*reason, *count))
    }

    /// The first of them, at most [`NAMED`], as names that can be shown.
    pub fn named(&self) -> &[(String, Reason)] {
        &self.named
    }

    pub(crate) fn add(&mut self, path: &[u8], reason: Reason) {
        *self.counts.entry(reason).or_default() += 1;
        if self.named.len() < NAMED {
            self.named.push((pyro_text::name(path), reason));
        }
    }
}

impl Reason {
    /// Returns a stable word for it, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::GitIgnored => "git_ignored",
            Self::Unreadable => "unreadable",
            Self::Vanished => "vanished",
            Self::Socket => "socket",
            Self::Device => "device",
        }
    }
}

impl Warning {
    /// Returns a stable word for it, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::GitElsewhere { .. } => "git_data_elsewhere",
            Self::NoEndMark => "archive_without_end",
            Self::MoreAfterEnd => "archive_has_more",
        }
    }

    /// Returns what the owner can do about it, as one or two sentences.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::GitElsewhere { .. } => {
                "Copy a clone instead, which has its own: git clone DIRECTORY COPY; what is not \
                 committed is not in it."
            }
            Self::NoEndMark => "If something is missing, make or fetch the archive again.",
            Self::MoreAfterEnd => {
                "If it is a second archive, copy that by itself, or join them with: tar \
                 --concatenate"
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GitElsewhere { file, data } => write!(
                formatter,
                "git will not work there: {file} says that the repository's data are in {data}, \
                 which is not copied"
            ),
            Self::NoEndMark => {
                formatter.write_str("the archive ends without an end mark; it may have been cut")
            }
            Self::MoreAfterEnd => formatter
                .write_str("there is something after the end of the archive, which was not read"),
        }
    }
}
