//! The *path list* of a stream is what its receiver keeps in memory until the stream has ended: the
//! path of each member, and a few numbers.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::error::{Error, Refusal};
use crate::source::{Source, SourceKind};

/// What a receiver keeps of a file besides its path, in bytes.
const FILE_BYTES: u64 = 3;
/// What it keeps of a directory besides its path, at most: mode and time as decimal numbers.
const DIRECTORY_BYTES: u64 = 37;

/// What a receiver of a stream takes.
#[derive(Clone, Copy, Debug)]
pub struct PathLimits {
    /// The longest path, in bytes.
    pub path_bytes: usize,
    /// The whole path list, in bytes.
    pub list_bytes: u64,
}

/// A path list that is being counted.
pub(crate) struct PathList {
    limits: PathLimits,
    bytes: u64,
}

impl PathList {
    pub(crate) fn new(limits: PathLimits) -> Self {
        Self { limits, bytes: 0 }
    }

    /// Counts a member, unless the receiver would refuse it.
    pub(crate) fn add(&mut self, path: &[u8], is_directory: bool) -> Result<(), Error> {
        if path.len() > self.limits.path_bytes {
            return Err(Error::refused(path, Refusal::LongPath));
        }
        let besides = if is_directory {
            DIRECTORY_BYTES
        } else {
            FILE_BYTES
        };
        self.bytes = self.bytes.saturating_add(path.len() as u64 + besides);
        if self.bytes > self.limits.list_bytes {
            return Err(Error::PathListTooLong {
                limit: self.limits.list_bytes,
            });
        }
        Ok(())
    }

    /// Counts the last parents of a path.
    pub(crate) fn add_parents(&mut self, path: &[u8], count: usize) -> Result<(), Error> {
        let slashes = path.iter().enumerate().rev();
        let slashes = slashes.filter(|(_, byte)| **byte == b'/');
        for (end, _) in slashes.take(count) {
            self.add(&path[..end], true)?;
        }
        Ok(())
    }
}

impl Source {
    /// Fails with [`Error::PathListTooLong`] or [`Error::Refused`] if a receiver with these limits
    /// would not take this source as a stream. A tar file would have to be read as a whole for
    /// that: what is wrong with one shows when it is written.
    ///
    /// # Errors
    /// These two, and what reading the source may fail with.
    pub fn check_paths(&self, limits: PathLimits) -> Result<(), Error> {
        if self.kind() == SourceKind::TarArchive || self.names_fit(limits) {
            return Ok(());
        }
        let mut list = PathList::new(limits);
        self.each(&|_| (), &mut |member, _| {
            list.add(member.path.as_bytes(), member.is_directory())
        })?;
        Ok(())
    }

    /// Whether all names of a directory fit, also those that are to be left out. That is found out
    /// in a small part of the time that looking at the files takes.
    fn names_fit(&self, limits: PathLimits) -> bool {
        if self.kind() != SourceKind::Directory {
            return false;
        }
        let root = PathBuf::from(format!("/proc/self/fd/{}", self.open_file().as_raw_fd()));
        let above = root.as_os_str().len() + 1;
        let mut list = PathList::new(limits);
        let mut directories = vec![root];
        while let Some(directory) = directories.pop() {
            let Ok(entries) = fs::read_dir(directory) else {
                return false;
            };
            for entry in entries {
                let Ok((path, kind)) =
                    entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))
                else {
                    return false;
                };
                let below = &path.as_os_str().as_bytes()[above..];
                if list.add(below, kind.is_dir()).is_err() {
                    return false;
                }
                if kind.is_dir() {
                    directories.push(path);
                }
            }
        }
        true
    }
}
