//! The supervisor's *socket*, in its object's directory.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// The socket's name in the object's directory.
pub(super) const SOCKET: &str = "supervisor.sock";

/// A directory, with a path that is short enough for a socket's address.
#[derive(Debug)]
pub(super) struct SocketDirectory(OwnedFd);

impl SocketDirectory {
    pub(super) fn new(directory: &Path) -> std::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(directory, flags, Mode::empty())?))
    }

    /// Returns the path of a file in the directory, which is valid as long as `self` lives.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()).into()
    }
}
