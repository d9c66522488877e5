//! The *error* of reading an archive or of writing what becomes of it.

use std::io;
use std::path::{Path, PathBuf};

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
    #[error("{noun} must be a directory or a .tar/.tar.gz/.tgz/.tar.zst/.tar.xz/.zip archive")]
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

    /// The file is something else than its name says.
    #[error("{} is no archive that can be read: it is {kind}", path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What it is, in words.
        kind: &'static str,
    },

    /// What git ignores is to be left out of an archive.
    #[error("what git ignores can be left out of a directory, and {} is an archive", path.display())]
    NoGitRules {
        /// The archive.
        path: PathBuf,
    },

    /// A pattern of what is to be left out is none.
    #[error("the pattern '{pattern}' cannot be read: {problem}")]
    Pattern {
        /// The pattern, made printable.
        pattern: String,
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

    /// The paths of all entries together are more than the receiver of a stream takes.
    #[error("the paths of all entries together have more than {} MiB", limit.div_ceil(1024 * 1024))]
    PathListTooLong {
        /// How many bytes they may have, with a few for each of them.
        limit: u64,
    },

    /// An entry may not be in a layer.
    #[error("the layer {layer} cannot be used: {}", refusal.message(entry))]
    LayerRefused {
        /// What the caller calls the layer.
        layer: String,
        /// The name of the entry, made printable.
        entry: String,
        /// Why not.
        refusal: Refusal,
    },

    /// A layer is no tar file, or was cut or altered.
    #[error("the layer {layer} is damaged: {problem}")]
    LayerDamaged {
        /// What the caller calls the layer.
        layer: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A layer could not be read.
    #[error("cannot read the layer {layer}")]
    LayerUnreadable {
        /// What the caller calls the layer.
        layer: String,
        /// Why not.
        source: io::Error,
    },

    /// What layers say of names does not fit into memory comfortably.
    #[error("the names in the layers together have more than {} MiB", limit.div_ceil(1024 * 1024))]
    DescriptionTooLong {
        /// How many bytes they may have, with targets of links and extended attributes.
        limit: u64,
    },

    /// The files of layers have more than the caller wants to have on the disk.
    #[error("the files in the layers together have more than {} MiB", limit.div_ceil(1024 * 1024))]
    ImageTooLarge {
        /// How many bytes they may have.
        limit: u64,
    },

    /// The image would be larger than its format allows, which is 16 TiB.
    #[error("the archive does not fit into an image of 16 TiB")]
    TooLarge,

    /// What is in a workspace is wanted in a form that it cannot have.
    #[error("a directory cannot become a file of this kind")]
    NotWanted,

    /// The image, stream, archive or files could not be written.
    #[error("cannot write the {output}")]
    Write {
        /// `image`, `stream`, `archive` or `files`.
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
    /// A symbolic link to nothing.
    EmptySymlink,
    /// A hard link to something that is no file of the archive, or comes later.
    StrayHardLink,
    /// The rest of a file whose beginning is in another archive, or something no one has heard of.
    UnsupportedType,
    /// A sparse file whose map is broken.
    BadSparse,
    /// A member of a zip file that is encrypted.
    Encrypted,
    /// A member of a zip file that is packed in a way which is not read.
    Method,
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
    /// A name that leads through more than 40 symbolic links of its layer.
    TooManyLinks,
    /// Extended attributes that are more than 2 KiB, or whose names are too long or have a NUL.
    BadAttributes,
    /// The device that an overlay takes for the mark of something deleted.
    OverlayDevice,
}

impl Error {
    /// Returns a stable word for the kind of failure, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "archive_not_found",
            Self::WrongKind { .. } | Self::NotWanted => "archive_wrong_kind",
            Self::Unreadable { .. } | Self::LayerUnreadable { .. } => "archive_unreadable",
            Self::Damaged { .. } | Self::LayerDamaged { .. } => "archive_damaged",
            Self::OtherKind { .. } => "archive_other_kind",
            Self::NoGitRules { .. } => "archive_without_git",
            Self::Pattern { .. } => "invalid_pattern",
            Self::Changed { .. } => "archive_changed",
            Self::Refused { .. } | Self::LayerRefused { .. } => "archive_entry_refused",
            Self::TooManyEntries { .. }
            | Self::TooLarge
            | Self::PathListTooLong { .. }
            | Self::DescriptionTooLong { .. }
            | Self::ImageTooLarge { .. } => "archive_too_large",
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
                format!(
                    "Make {} readable for this user, or leave it out: `--exclude` names what is not \
                     wanted, `--unreadable` set to `skip` leaves out all that cannot be read.",
                    path.display()
                )
            }
            Self::Damaged { path, .. } => format!(
                "Make or fetch the archive again; does `tar -tf {}` list it to its end?",
                path.display()
            ),
            Self::OtherKind { kind, .. } if matches!(*kind, "an HTML page" | "JSON" | "text") => {
                "Was it meant to be downloaded? Then this is what the server answered; look into \
                 it, and fetch the archive again."
                    .into()
            }
            Self::OtherKind { .. } => {
                "Give a tar file, compressed with gzip, zstd or xz or not at all, a zip file, or a \
                 directory."
                    .into()
            }
            Self::NoGitRules { .. } => {
                "Unpack it and give the directory, or name what to leave out (`--exclude`).".into()
            }
            Self::Pattern { .. } => {
                "Patterns are those of .gitignore, for example: '*.o', 'target/', '/build'.".into()
            }
            Self::Changed { .. } => "Stop what writes there, then try again.".into(),
            Self::Refused { refusal, .. } => refusal.remedy().into(),
            Self::TooManyEntries { .. } | Self::TooLarge => {
                "Leave out what the workspace does not need.".into()
            }
            Self::PathListTooLong { .. } => {
                "Push its directories one after the other, or leave out what the workspace does not \
                 need (`--exclude`). The seed of a new workspace may have more."
                    .into()
            }
            Self::LayerRefused { .. } | Self::DescriptionTooLong { .. } => {
                "Build the image again, or use another one: no layer is taken in part.".into()
            }
            Self::LayerDamaged { .. } => {
                "Fetch or build the image again; what is damaged is not used.".into()
            }
            Self::LayerUnreadable { .. } => "Fetch the image again.".into(),
            Self::ImageTooLarge { .. } => {
                "Use a smaller image, or permit larger ones.".into()
            }
            Self::NotWanted => "Name an output of another kind.".into(),
            Self::Write { .. } => "Is the disk full? Free some space, then try again.".into(),
        }
    }

    /// Says which layer an error is about.
    pub(crate) fn of_layer(self, layer: &str) -> Self {
        let layer = layer.to_owned();
        match self {
            Self::Refused { entry, refusal } => Self::LayerRefused {
                layer,
                entry,
                refusal,
            },
            Self::Damaged { problem, .. } => Self::LayerDamaged { layer, problem },
            Self::OtherKind { kind, .. } => Self::LayerDamaged {
                layer,
                problem: format!("it is no tar file, but {kind}"),
            },
            Self::Unreadable { source, .. } => Self::LayerUnreadable { layer, source },
            other => other,
        }
    }

    pub(crate) fn refused(entry: &[u8], refusal: Refusal) -> Self {
        Self::Refused {
            entry: pyro_text::name(entry),
            refusal,
        }
    }
}

/// Turns an error of reading an archive into one of ours: a medium that cannot be read is not an
/// archive that is damaged.
pub(crate) fn fault(archive: &Path) -> impl Fn(io::Error) -> Error {
    move |source| {
        let path = archive.to_owned();
        if source.raw_os_error().is_some() {
            return Error::Unreadable { path, source };
        }
        let problem = match source.kind() {
            io::ErrorKind::UnexpectedEof => "it ends too early".into(),
            _ => source.to_string(),
        };
        Error::Damaged { path, problem }
    }
}

impl Refusal {
    fn message(self, entry: &str) -> String {
        let what = match self {
            Self::EmptySymlink => return format!("symlink {entry} has an empty target"),
            Self::StrayHardLink => {
                return format!("hard link {entry} names no earlier file of the archive");
            }
            Self::EmptyPath => return "archive member path is empty".into(),
            Self::AbsolutePath => "absolute archive member paths are not allowed",
            Self::UnsafePath => "unsafe archive member path",
            Self::LongPath => "archive member path is too long",
            Self::UnsupportedType => "unsupported archive member type",
            Self::BadSparse => "archive member has a broken map of its holes",
            Self::Encrypted => "archive member is encrypted",
            Self::Method => "archive member is packed in a way that is not read",
            Self::BadHeader => "archive member has a broken header",
            Self::ThroughSymlink => "archive member would traverse through a symlinked path",
            Self::ThroughFile => "archive member would traverse through a file",
            Self::Conflict => "archive member conflicts with an earlier one",
            Self::TooDeep => "directories are nested too deeply",
            Self::Reserved => "this name is reserved",
            Self::TooManyLinks => "archive member path leads through too many symlinks",
            Self::BadAttributes => "extended attributes of an archive member are too long",
            Self::OverlayDevice => "a device with the numbers 0 and 0 means that a file is deleted",
        };
        format!("{what}: {entry}")
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Encrypted => "Unpack it with its password and give the directory.",
            Self::Method => "Unpack it with unzip or 7z and give the directory.",
            Self::UnsupportedType => {
                "Only directories, files, links and FIFOs can be in a workspace; leave it out \
                 (`--exclude`)."
            }
            _ => "Leave the entry out (`--exclude`) or rename it, then try again.",
        }
    }
}
