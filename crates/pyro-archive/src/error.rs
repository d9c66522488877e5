//! The *error* of reading an archive or of writing what becomes of it.

use std::io;
use std::path::PathBuf;

/// Why an archive could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing at the path.
    #[error("{noun} {} does not exist", path.display())]
    Missing {
        /// What the caller calls the path: `seed_path`, `source_path`.
        noun: &'static str,
        /// The path, absolute.
        path: PathBuf,
    },

    /// What is there is neither a directory nor a file that is named like an archive.
    #[error("{noun} must be a directory or a .tar/.tar.gz/.tgz/.tar.zst archive")]
    WrongKind {
        /// What the caller calls the path.
        noun: &'static str,
        /// The path, absolute.
        path: PathBuf,
    },

    /// The source, or a file in it, could not be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// The file is no tar file, or was cut or altered.
    #[error("the archive {} is damaged: {problem}", path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// A file became another or shorter while it was read.
    #[error("{} changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },

    /// An entry may not be in an archive.
    #[error("{}", refusal.message(entry))]
    Refused {
        /// Its name, made printable.
        entry: String,
        /// Why not.
        refusal: Refusal,
    },

    /// There are more entries than fit into memory comfortably.
    #[error("the archive has more than {limit} entries")]
    TooManyEntries {
        /// How many there may be.
        limit: u64,
    },

    /// The image would be larger than its format allows, which is 16 TiB.
    #[error("the archive does not fit into an image of 16 TiB")]
    TooLarge,

    /// The image or stream could not be written.
    #[error("cannot write the {output}")]
    Write {
        /// `image` or `stream`.
        output: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// What an archive may not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// A member without a name.
    EmptyPath,
    /// A name that begins with a slash.
    AbsolutePath,
    /// A name with `..` or a NUL in it.
    UnsafePath,
    /// A name of more than 4095 bytes, or a part of it of more than 255.
    LongPath,
    /// A symbolic link to an absolute path, or to one outside.
    EscapingSymlink,
    /// A symbolic link to nothing.
    EmptySymlink,
    /// A hard link to something that is no file of the archive, or comes later.
    StrayHardLink,
    /// A device, a FIFO, a socket, or something no one has heard of.
    UnsupportedType,
    /// A sparse file in a tar file. In a directory they are read as any other.
    Sparse,
    /// A link or directory with content.
    Content,
    /// A number of the member's header that is not one.
    BadHeader,
    /// A member below a symbolic link.
    ThroughSymlink,
    /// A member below a file.
    ThroughFile,
    /// Something else in the place of a directory, or a directory in the place of something else.
    Conflict,
    /// Directories in directories, more than 256.
    TooDeep,
    /// The name that ends a stream.
    Reserved,
}

impl Error {
    /// Returns a stable word for the kind of failure, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "archive_not_found",
            Self::WrongKind { .. } => "archive_wrong_kind",
            Self::Unreadable { .. } => "archive_unreadable",
            Self::Damaged { .. } => "archive_damaged",
            Self::Changed { .. } => "archive_changed",
            Self::Refused { .. } => "archive_entry_refused",
            Self::TooManyEntries { .. } | Self::TooLarge => "archive_too_large",
            Self::Write { .. } => "archive_write_failed",
        }
    }

    /// Returns what the user can do about it, as one or two sentences.
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing { .. } => "Check the path; it is one of this host.".into(),
            Self::WrongKind { path, .. } => format!(
                "{} is neither; pack it with: tar -czf archive.tar.gz FILE",
                path.display()
            ),
            Self::Unreadable { path, .. } => {
                format!("Make {} readable for this user.", path.display())
            }
            Self::Damaged { path, .. } => format!(
                "Make or fetch the archive again; does `tar -tf {}` list it to its end?",
                path.display()
            ),
            Self::Changed { .. } => "Stop what writes there, then try again.".into(),
            Self::Refused { refusal, .. } => refusal.remedy().into(),
            Self::TooManyEntries { .. } | Self::TooLarge => {
                "Leave out what the workspace does not need.".into()
            }
            Self::Write { .. } => "Is the disk full? Free some space, then try again.".into(),
        }
    }

    pub(crate) fn refused(entry: &[u8], refusal: Refusal) -> Self {
        Self::Refused {
            entry: pyro_text::name(entry),
            refusal,
        }
    }
}

impl Refusal {
    fn message(self, entry: &str) -> String {
        let what = match self {
            Self::EscapingSymlink => return format!("symlink {entry} escapes the workspace"),
            Self::EmptySymlink => return format!("symlink {entry} has an empty target"),
            Self::StrayHardLink => {
                return format!("hard link {entry} names no earlier file of the archive");
            }
            Self::EmptyPath => return "archive member path is empty".into(),
            Self::AbsolutePath => "absolute archive member paths are not allowed",
            Self::UnsafePath => "unsafe archive member path",
            Self::LongPath => "archive member path is too long",
            Self::UnsupportedType => "unsupported archive member type",
            Self::Sparse => "sparse archive members are not supported",
            Self::Content => "archive member has content but is no file",
            Self::BadHeader => "archive member has a broken header",
            Self::ThroughSymlink => "archive member would traverse through a symlinked path",
            Self::ThroughFile => "archive member would traverse through a file",
            Self::Conflict => "archive member conflicts with an earlier one",
            Self::TooDeep => "directories are nested too deeply",
            Self::Reserved => "this name is reserved",
        };
        format!("{what}: {entry}")
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Sparse => "Make the archive without --sparse.",
            Self::EscapingSymlink => {
                "Leave the link out, make it relative to a file inside, or pack what it points to \
                 (tar --dereference)."
            }
            Self::UnsupportedType => {
                "Only directories, files and links can be in a workspace; leave it out."
            }
            _ => "Leave the entry out or rename it, then try again.",
        }
    }
}
