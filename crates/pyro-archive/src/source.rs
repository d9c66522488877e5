//! A *source* is where an archive is read from: a directory of the host, a tar file or a zip file.

use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

use crate::compressed::Packing;
use crate::error::{Error, fault};
use crate::progress::{Meter, Progress};
use crate::reading::{Reading, Visit};
use crate::report::{Report, Warning};
use crate::selection::Selection;
use crate::{compressed, directory, kind_of_file, tar_file, zip_file};

/// Names of archives end like this, in whatever case.
const ENDINGS: [&str; 8] = [
    ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.xz", ".txz", ZIP,
];
const ZIP: &str = ".zip";

/// A directory or an archive, open.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    open: OwnedFd,
    kind: SourceKind,
    selection: Selection,
    /// Whether what is above it may be looked at.
    may_look_up: bool,
}

/// What a source is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SourceKind {
    /// A directory; its children are the archive.
    Directory,
    /// A tar file, compressed or not.
    TarArchive,
    /// A zip file.
    ZipArchive,
}

impl Source {
    /// Opens a directory, or a file whose name ends in `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`,
    /// `.tzst`, `.tar.xz`, `.txz` or `.zip`. Which of them such a file is, its content says; that
    /// it is an archive at all shows when it is read. The noun is what the caller calls the path,
    /// for errors.
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
        let opened = Self::opened(noun, path, open)?;
        Ok(Self {
            may_look_up: true,
            ..opened
        })
    }

    /// As [`open`](Self::open), of what was opened already, for reading and without waiting.
    /// Nothing above it is read.
    pub fn opened(noun: &'static str, path: PathBuf, mut open: OwnedFd) -> Result<Self, Error> {
        let stat = match rustix::fs::fstat(&open) {
            Ok(stat) => stat,
            Err(error) => {
                let source = error.into();
                return Err(Error::Unreadable { path, source });
            }
        };
        let file_type = FileType::from_raw_mode(stat.st_mode);
        let kind = match file_type {
            // It has no name any more, but is still somebody's working directory.
            FileType::Directory if stat.st_nlink == 0 => {
                let path = real_path(&open).unwrap_or(path);
                return Err(Error::Missing { noun, path });
            }
            FileType::Directory => SourceKind::Directory,
            FileType::RegularFile if is_named(&path, &ENDINGS) => {
                let file = File::from(open);
                let kind = kind_of_archive(&file, &path);
                open = file.into();
                match kind {
                    Ok(kind) => kind,
                    Err(source) => return Err(Error::Unreadable { path, source }),
                }
            }
            _ => return Err(Error::WrongKind { noun, path }),
        };
        Ok(Self {
            path,
            open,
            kind,
            selection: Selection::default(),
            may_look_up: false,
        })
    }

    /// Leaves out what is not wanted.
    ///
    /// Fails with [`Error::NoGitRules`] if that depends on git and the source is no directory.
    pub fn select(self, selection: Selection) -> Result<Self, Error> {
        if selection.without_git_ignored && self.kind != SourceKind::Directory {
            return Err(Error::NoGitRules { path: self.path });
        }
        Ok(Self { selection, ..self })
    }

    /// Where what is open really is, which another path may name.
    pub fn real_path(&self) -> io::Result<PathBuf> {
        real_path(&self.open)
    }

    /// Returns its absolute path, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn open_file(&self) -> &OwnedFd {
        &self.open
    }

    /// Returns what it is.
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// Reads all members but the root, each once. Of an archive in its order; of a directory
    /// sorted, each directory before what is in it.
    pub(crate) fn each(
        &self,
        progress: &dyn Fn(Progress),
        visit: &mut Visit<'_>,
    ) -> Result<Report, Error> {
        let mut reading = Reading::new(&self.selection, visit);
        if self.kind == SourceKind::Directory {
            let mut meter = Meter::new(progress, None);
            let root = directory::Root {
                directory: &self.open,
                path: &self.path,
                may_look_up: self.may_look_up,
            };
            directory::each(&root, &mut meter, &mut reading)?;
            meter.report();
            return Ok(reading.into_report());
        }
        let file = self.open.try_clone().map(File::from);
        let file = file.map_err(|source| Error::Unreadable {
            path: self.path.clone(),
            source,
        })?;
        let total = file.metadata().map(|metadata| metadata.len()).ok();
        let meter = Meter::new(progress, total);
        if self.kind == SourceKind::ZipArchive {
            zip_file::each(&file, &self.path, meter, &mut reading)?;
            return Ok(reading.into_report());
        }
        let has_more = Cell::new(false);
        let input = compressed::open(&file, meter, &has_more);
        let mut input = input.map_err(fault(&self.path))?;
        tar_file::each(&mut *input, &self.path, &mut reading)?;
        if has_more.get() {
            reading.warn(Warning::MoreAfterEnd);
        }
        Ok(reading.into_report())
    }
}

/// Returns what an archive is: what it begins like, and if that is nothing, what it is called. A
/// zip file may begin with a program that unpacks it.
fn kind_of_archive(file: &File, path: &Path) -> io::Result<SourceKind> {
    let mut start = [0; 512];
    let read = file.read_at(&mut start, 0)?;
    let start = &start[..read];
    let is_tar = Packing::of(start).is_some() || kind_of_file::is_tar(start);
    let is_zip = start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06");
    Ok(if is_zip || is_named(path, &[ZIP]) && !is_tar {
        SourceKind::ZipArchive
    } else {
        SourceKind::TarArchive
    })
}

/// Returns the path of an open file or directory, without symbolic links.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn real_path(open: &OwnedFd) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", open.as_raw_fd()))
}

fn is_named(path: &Path, endings: &[&str]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    endings.iter().any(|ending| name.ends_with(ending))
}
