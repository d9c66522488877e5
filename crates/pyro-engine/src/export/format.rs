//! The *format* of an export is what the ending of its output's name says.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use pyro_archive::{Packing, Top};

use crate::Error;

/// What archives are named.
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

/// The ending of an archive's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    Written(Packing),
    /// Of a kind that is not written.
    Other,
}

/// What is to be made.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Format {
    Files,
    Archive {
        ending: Ending,
        /// What is exported has such a name already. If it is no directory, it is copied.
        is_named_so: bool,
    },
}

impl Format {
    /// Returns what the name of an output asks for, given that of what is exported.
    pub(super) fn wanted(output: &OsStr, exported: &[u8]) -> Self {
        match (ending(output.as_bytes()), ending(exported)) {
            (None, _) => Self::Files,
            (Some(ending), of_exported) => Self::Archive {
                ending,
                is_named_so: of_exported == Some(ending),
            },
        }
    }

    /// Returns how what has this at its top is packed, or none if it becomes files.
    pub(super) fn of(&self, top: Top) -> Result<Option<Packing>, pyro_archive::Error> {
        let is_directory = top == Top::Directory;
        match *self {
            Self::Archive {
                ending: Ending::Written(packing),
                is_named_so,
            } if is_directory || !is_named_so => Ok(Some(packing)),
            // Whoever exports a directory to such a name wants an archive, and would not get one.
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

/// The output has the name of an archive that is not written.
pub(super) fn refused() -> Error {
    let message = "output_path has the name of an archive of a kind that is not written";
    Error::invalid(message)
        .remedy("end it in .tar, .tar.gz, .tgz or .tar.zst, or name a directory to be made")
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
