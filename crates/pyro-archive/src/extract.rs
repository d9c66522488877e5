//! An *extraction* makes files of a tar stream that nobody has to trust: the guest wrote it.

use std::fs::File;
use std::io::{Read, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use crate::content::{Content, Piece};
use crate::error::{Error, Refusal};
use crate::member::{Member, MemberPath, What};
use crate::progress::{Meter, Progress};
use crate::reading::Reading;
use crate::selection::Selection;
use crate::tar_file;
use crate::time::Time;
use crate::tree::Tree;

/// Permissions that are kept: setuid, setgid and sticky belong to the guest's users.
const KEPT_BITS: u32 = 0o777;
/// The owner has to be able to finish, move and remove a directory.
const UNFINISHED: Mode = Mode::RWXU;

/// What was made.
#[derive(Debug)]
pub struct Extracted {
    /// Members of the stream.
    pub entry_count: u64,
    /// What its regular files have, together.
    pub bytes_written: u64,
    /// What the member at the top is.
    pub top: Top,
}

/// The member at the top.
#[derive(Debug)]
pub enum Top {
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A directory. Its owner may still write in it, because else it could not be moved.
    Directory(UnfinishedDirectory),
}

/// A directory that lacks its own permissions.
#[derive(Debug)]
pub struct UnfinishedDirectory {
    open: OwnedFd,
    mode: Mode,
}

impl UnfinishedDirectory {
    /// Gives the directory its permissions.
    pub fn finish(self) -> std::io::Result<()> {
        Ok(rustix::fs::fchmod(&self.open, self.mode)?)
    }
}

/// Makes the members of a tar stream in a directory that is empty. The first member has to be `top`,
/// and all others below it.
///
/// Nothing is made outside of the directory, and nothing replaced, whatever the stream says: each
/// name is checked, and the kernel follows no link. Holes, devices and pipes are refused, and so is a
/// name that comes twice, and a stream that does not end in a mark of its end. The caller removes
/// what is there after an error.
///
/// # Errors
/// [`Error::Refused`] and [`Error::Damaged`] for the stream; [`Error::Write`] for the directory.
pub fn extract(
    input: &mut dyn Read,
    directory: BorrowedFd<'_>,
    top: &str,
    progress: &dyn Fn(Progress),
) -> Result<Extracted, Error> {
    let archive = Path::new("of the workspace");
    let mut extraction = Extraction {
        base: directory,
        top: top.as_bytes(),
        tree: Tree::new(Time::now()),
        directories: Vec::new(),
        first: None,
        meter: Meter::new(progress, None),
        buffer: vec![0; 256 * 1024],
    };
    let selection = Selection::default();
    let mut visit = |member: Member, content: &mut dyn Content| extraction.take(&member, content);
    let mut reading = Reading::new(&selection, &mut visit);
    tar_file::each(input, archive, &mut reading)?;
    let report = reading.into_report();
    let damaged = |problem: &str| Error::Damaged {
        path: archive.to_owned(),
        problem: problem.into(),
    };
    if let Some(warning) = report.warnings.first() {
        return Err(damaged(&warning.to_string()));
    }
    if let Some((name, _)) = report.left_out.named().first() {
        return Err(Error::Refused {
            entry: name.clone(),
            refusal: Refusal::UnsupportedType,
        });
    }
    let top = extraction.finish()?;
    Ok(Extracted {
        entry_count: report.entry_count,
        bytes_written: report.bytes_written,
        top: top.ok_or_else(|| damaged("it has no members"))?,
    })
}

/// What the first member is.
#[derive(Clone, Copy)]
enum First {
    File,
    Symlink,
    Directory,
}

struct Extraction<'a> {
    base: BorrowedFd<'a>,
    top: &'a [u8],
    tree: Tree,
    /// Directories get their permissions and times when nothing is made in them any more.
    directories: Vec<(MemberPath, u32, Time)>,
    first: Option<First>,
    meter: Meter<'a>,
    buffer: Vec<u8>,
}

impl Extraction<'_> {
    fn take(&mut self, member: &Member, content: &mut dyn Content) -> Result<(), Error> {
        let refuse = |refusal| Err(Error::refused(member.path.as_bytes(), refusal));
        // The first member is the top, and each parent a directory that came before.
        let is_top = member.path.as_bytes() == self.top;
        if is_top != self.first.is_none() || member.path.parts().next() != Some(self.top) {
            return refuse(Refusal::Conflict);
        }
        let added = self.tree.add(member)?;
        if added.is_known || added.implied > 0 {
            return refuse(Refusal::Conflict);
        }
        let failed = |error: Errno| match error {
            // The name is there already: a file system may take two names for one.
            Errno::EXIST => Error::refused(member.path.as_bytes(), Refusal::Conflict),
            error => failed(error.into()),
        };
        let (parent, name) = member.path.split().unwrap_or_default();
        let parent = self.open_directory(parent).map_err(failed)?;
        match &member.what {
            What::Directory => {
                rustix::fs::mkdirat(&parent, name, UNFINISHED).map_err(failed)?;
                let path = member.path.clone();
                self.directories.push((path, member.mode, member.modified));
            }
            What::Symlink { target } => {
                rustix::fs::symlinkat(&target[..], &parent, name).map_err(failed)?;
                let times = times(member.modified);
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::utimensat(&parent, name, &times, flags).map_err(failed)?;
            }
            What::HardLink { target } => {
                let (directory, first) = target.split().unwrap_or_default();
                let directory = self.open_directory(directory).map_err(failed)?;
                rustix::fs::linkat(&directory, first, &parent, name, AtFlags::empty())
                    .map_err(failed)?;
            }
            What::File { extents: None, .. } => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
                let flags = flags | OFlags::CLOEXEC;
                let mode = Mode::RUSR | Mode::WUSR;
                let file = rustix::fs::openat(&parent, name, flags, mode).map_err(failed)?;
                let mut file = File::from(file);
                self.write(&mut file, content)?;
                finish(&file, member.mode, member.modified).map_err(failed)?;
            }
            What::File { .. } => return refuse(Refusal::BadSparse),
            What::Fifo => return refuse(Refusal::UnsupportedType),
        }
        self.first.get_or_insert(match member.what {
            What::Directory => First::Directory,
            What::Symlink { .. } => First::Symlink,
            _ => First::File,
        });
        Ok(())
    }

    fn write(&mut self, file: &mut File, content: &mut dyn Content) -> Result<(), Error> {
        loop {
            match content.read(&mut self.buffer)? {
                Piece::End => return Ok(()),
                Piece::Data(read) => {
                    file.write_all(&self.buffer[..read]).map_err(failed)?;
                    self.meter.add(read);
                }
                Piece::Hole(_) => unreachable!("only what has extents has holes"),
            }
        }
    }

    /// Opens a directory that was made here.
    fn open_directory(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let within =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(self.base, path, flags, Mode::empty(), within)
    }

    /// Finishes the directories, children before their parents, and brings all of it to the disk.
    fn finish(mut self) -> Result<Option<Top>, Error> {
        let mut unfinished = None;
        for (path, mode, modified) in std::mem::take(&mut self.directories).into_iter().rev() {
            let open = self
                .open_directory(path.as_bytes())
                .map_err(|error| failed(error.into()))?;
            let is_top = path.as_bytes() == self.top;
            let now = if is_top {
                mode | UNFINISHED.bits()
            } else {
                mode
            };
            finish(&open, now, modified).map_err(|error| failed(error.into()))?;
            if is_top {
                let mode = Mode::from_raw_mode(mode & KEPT_BITS);
                unfinished = Some(UnfinishedDirectory { open, mode });
            }
        }
        rustix::fs::syncfs(self.base.as_fd()).map_err(|error| failed(error.into()))?;
        self.meter.tell();
        Ok(match self.first {
            None => None,
            Some(First::File) => Some(Top::File),
            Some(First::Symlink) => Some(Top::Symlink),
            Some(First::Directory) => unfinished.map(Top::Directory),
        })
    }
}

/// Gives a file or directory its permissions and its time.
fn finish(file: impl AsFd, mode: u32, modified: Time) -> Result<(), Errno> {
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & KEPT_BITS))?;
    rustix::fs::futimens(&file, &times(modified))
}

fn times(modified: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: modified.seconds,
            tv_nsec: modified.nanoseconds.into(),
        },
    }
}

fn failed(source: std::io::Error) -> Error {
    Error::Write {
        output: "files",
        source,
    }
}
