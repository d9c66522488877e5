//! A *source* is where an archive is read from: a directory of the host, or a tar file.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

use crate::error::Error;
use crate::member::{Content, Member};
use crate::progress::{Meter, Progress};
use crate::{compressed, directory, tar_file};

/// Names of archives end like this, in whatever case.
const ENDINGS: [&str; 4] = [".tar", ".tar.gz", ".tgz", ".tar.zst"];

/// A directory or a tar file, open.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    open: OwnedFd,
    kind: Kind,
}

/// What a source is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A directory; its children are the archive.
    Directory,
    /// A tar file, compressed or not.
    TarArchive,
}

impl Source {
    /// Opens a directory, or a file whose name ends in `.tar`, `.tar.gz`, `.tgz` or `.tar.zst`.
    /// How such a file is compressed, if it is, its content says; that it is an archive at all
    /// shows when it is read. The noun is what the caller calls the path, for errors.
    pub fn open(noun: &'static str, path: &Path) -> Result<Self, Error> {
        let absolute = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        let path = absolute.unwrap_or_else(|_| path.to_owned());
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::Missing {
                noun,
                path: path.clone(),
            },
            _ => Error::Unreadable {
                path: path.clone(),
                source,
            },
        };
        // A device may do something when it is opened.
        let metadata = fs::metadata(&path).map_err(unreadable)?;
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(Error::WrongKind { noun, path });
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let open = rustix::fs::open(&path, flags, Mode::empty())
            .map_err(|error| unreadable(error.into()))?;
        Self::opened(noun, path, open)
    }

    /// As [`open`](Self::open), of what was opened already, for reading and without waiting.
    pub fn opened(noun: &'static str, path: PathBuf, open: OwnedFd) -> Result<Self, Error> {
        let stat = match rustix::fs::fstat(&open) {
            Ok(stat) => stat,
            Err(error) => {
                let source = error.into();
                return Err(Error::Unreadable { path, source });
            }
        };
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Directory,
            FileType::RegularFile if is_named_like_one(&path) => Kind::TarArchive,
            _ => return Err(Error::WrongKind { noun, path }),
        };
        Ok(Self { path, open, kind })
    }

    /// Where what is open really is, which another path may name.
    pub fn real_path(&self) -> io::Result<PathBuf> {
        fs::read_link(format!("/proc/self/fd/{}", self.open.as_raw_fd()))
    }

    /// Returns its absolute path, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Reads all members but the root, each once. Of a tar file in its order; of a directory
    /// sorted, each directory before what is in it.
    pub(crate) fn each(
        &self,
        progress: &dyn Fn(Progress),
        visit: &mut dyn FnMut(Member, &mut dyn Content) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self.kind {
            Kind::Directory => {
                let mut meter = Meter::new(progress, None);
                directory::each(&self.open, &self.path, &mut meter, visit)?;
                meter.tell();
                Ok(())
            }
            Kind::TarArchive => {
                let file = self.open.try_clone().map(File::from);
                let file = file.map_err(|source| Error::Unreadable {
                    path: self.path.clone(),
                    source,
                })?;
                let total = file.metadata().map(|metadata| metadata.len()).ok();
                let meter = Meter::new(progress, total);
                let mut input =
                    compressed::open(&file, meter).map_err(tar_file::fault(&self.path))?;
                tar_file::each(&mut *input, &self.path, visit)
            }
        }
    }
}

fn is_named_like_one(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}
