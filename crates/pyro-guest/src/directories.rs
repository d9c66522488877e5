//! *Directories* of the tree that the guest's commands control. They may put symbolic links
//! anywhere, so none is followed here.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Opens a directory below another. Commands control the tree, so no symbolic link is followed, and
/// no other file system entered, because files cannot be renamed into it.
pub(crate) fn open(base: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let within = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    rustix::fs::openat2(base, path, flags, Mode::empty(), within)
}

/// Opens a directory below another, and makes the missing parts of its path.
pub(crate) fn open_or_make(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    match open(root, path) {
        Err(Errno::NOENT) if !path.is_empty() => {}
        opened => return opened,
    }
    let (parent, name) = split(path);
    let parent = open_or_make(root, parent)?;
    make(&parent, name, Mode::from_raw_mode(0o755))?;
    open(&parent, name)
}

/// Makes a directory, unless the name exists.
pub(crate) fn make(parent: impl AsFd, name: &[u8], mode: Mode) -> Result<(), Errno> {
    match rustix::fs::mkdirat(parent, name, mode) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns the parent's path and the last name of a path.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}
