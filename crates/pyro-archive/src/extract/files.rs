//! The *files* that an extraction makes, in a directory that is empty when it begins.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use crate::content::{Content, Piece};
use crate::error::{Error, Refusal};
use crate::member::{KEPT_BITS, Member, MemberPath, What};
use crate::time::Time;

/// The owner has to be able to finish, move and remove a directory.
const UNFINISHED: Mode = Mode::RWXU;

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

pub(super) struct Files<'a> {
    base: BorrowedFd<'a>,
    top: Vec<u8>,
    /// Directories get their permissions and times when nothing is made in them any more.
    directories: Vec<(MemberPath, u32, Time)>,
    buffer: Vec<u8>,
}

impl<'a> Files<'a> {
    pub(super) fn new(base: BorrowedFd<'a>, top: &[u8]) -> Self {
        Self {
            base,
            top: top.to_vec(),
            directories: Vec::new(),
            buffer: vec![0; 256 * 1024],
        }
    }

    pub(super) fn take(&mut self, member: &Member, content: &mut dyn Content) -> Result<(), Error> {
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
            What::File { .. } => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
                let flags = flags | OFlags::CLOEXEC;
                let mode = Mode::RUSR | Mode::WUSR;
                let file = rustix::fs::openat(&parent, name, flags, mode).map_err(failed)?;
                let mut file = File::from(file);
                self.write(&mut file, content)?;
                finish(&file, member.mode, member.modified).map_err(failed)?;
            }
            What::Fifo => unreachable!("it was refused"),
        }
        Ok(())
    }

    fn write(&mut self, file: &mut File, content: &mut dyn Content) -> Result<(), Error> {
        loop {
            match content.read(&mut self.buffer)? {
                Piece::End => return Ok(()),
                Piece::Data(read) => file.write_all(&self.buffer[..read]).map_err(failed)?,
                Piece::Hole(_) => unreachable!("what has holes was refused"),
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
    pub(super) fn finish(mut self) -> Result<Option<UnfinishedDirectory>, Error> {
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
        Ok(unfinished)
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
