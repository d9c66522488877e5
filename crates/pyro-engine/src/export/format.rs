//! The *format* of an export, which the extension of the output path determines.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use pyro_archive::{Packing, Top};

use crate::Error;

/// The extensions of archives.
const ENDINGS: [(&[u8], Ending); 9] = [
    (b".tar", Ending::Written(Packing::Plain)),
    (b".tar.gz", Ending::Written(Packing::Gzip)),
    (b".tgz", Ending::Written(Packing::Gzip)),
    (b".tar.zst", Ending::Written(Packing::Zstd)),
    (b".tar.xz", Ending::Other),
    (b".txz", Ending::Other),
    (b".tar.bz2", Ending::Other),
    (b".tbz2", Ending::Other),
    (b".zip", Ending::Other),
];

/// An extension of archive names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    Written(Packing),
    /// A format that pyro does not write.
    Other,
}

/// The output to create.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Format {
    Files,
    Archive {
        ending: Ending,
        /// The exported file itself has such a name. If it is not a directory, it is copied
        /// unchanged.
        is_named_so: bool,
    },
}

impl Format {
    /// Returns the format for the name of the output, given the name of the exported file.
    pub(super) fn wanted(output: &OsStr, exported: &[u8]) -> Self {
        match (ending(output.as_bytes()), ending(exported)) {
            (None, _) => Self::Files,
            (Some(ending), of_exported) => Self::Archive {
                ending,
                is_named_so: of_exported == Some(ending),
            },
        }
    }

    /// Returns the archive format for an export with this top-level entry, or none if files are
    /// created.
    pub(super) fn of(&self, top: Top) -> Result<Option<Packing>, pyro_archive::Error> {
        let is_directory = top == Top::Directory;
        match *self {
            Self::Archive {
                ending: Ending::Written(packing),
                is_named_so,
            } if is_directory || !is_named_so => Ok(Some(packing)),
            // An export of a directory to such a name is meant to be an archive, but would be a
            // directory.
            Self::Archive {
                ending: Ending::Other,
                ..
            } if is_directory => Err(pyro_archive::Error::NotWanted),
            _ => Ok(None),
        }
    }
}

fn ending(name: &[u8]) -> Option<Ending> {
    let name = name.to_ascii_lowercase();
    let found = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending));
    found.map(|(_, ending)| *ending)
}

/// The output has the name of an unsupported archive format.
pub(super) fn refused() -> Error {
    let message = "output_path has the name of an archive of a kind that is not written";
    Error::invalid(message).remedy(
        "use a name that ends in .tar, .tar.gz, .tgz or .tar.zst, or the path of a new directory",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_become_archives_and_an_archive_stays_one() {
        let tar = Ok(Some(Packing::Plain));
        for (output, exported, top, expected) in [
            ("out", "dir", Top::Directory, Ok(None)),
            ("out.tar", "dir", Top::Directory, tar),
            ("out.tar", "dir.tar", Top::Directory, tar),
            ("out.tar", "file", Top::File, tar),
            ("out.tar", "link", Top::Symlink, tar),
            ("out.tar", "file.tar", Top::File, Ok(None)),
            ("out.tar", "file.tgz", Top::File, tar),
            ("out.tgz", "x.tar.gz", Top::File, Ok(None)),
            ("out.TAR.GZ", "x", Top::File, Ok(Some(Packing::Gzip))),
            ("out.tar.zst", "x", Top::File, Ok(Some(Packing::Zstd))),
            ("out.zip", "dir", Top::Directory, Err(())),
            ("out.tar.xz", "dir.tar.xz", Top::Directory, Err(())),
            ("out.zip", "x", Top::File, Ok(None)),
            (".tar", "x", Top::Directory, tar),
        ] {
            let format = Format::wanted(output.as_ref(), exported.as_bytes());
            let found = format.of(top).map_err(drop);
            assert_eq!(found, expected, "{exported} to {output}");
        }
    }
}
