//! *Sockets* in a directory whose path may be longer than a socket's address.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// An open directory, with a path that is short enough for a socket's address (107 bytes, unix(7)).
#[derive(Debug)]
pub struct SocketDirectory(OwnedFd);

impl SocketDirectory {
    /// Opens a directory.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(directory, flags, Mode::empty())?))
    }

    /// Returns a path of the file `name` in the directory, for this process and as long as `self`
    /// lives.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()).into()
    }
}
