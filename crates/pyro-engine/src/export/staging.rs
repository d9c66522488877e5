//! A *staging directory* lies beside the destination of an export and has its unfinished files.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use pyro_archive::UnfinishedDirectory;
use pyro_machine::PACKED_NAME;
use pyro_store::random_hex;
use rustix::fs::{Dir, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::permissions::Destination;

/// A part of the names of staging directories, followed by a number.
const PARTIAL: &str = ".pyro-partial-";
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A directory that is removed on drop. It is locked while it is in use.
pub(super) struct Staging {
    parent: OwnedFd,
    name: OsString,
    pub(super) open: OwnedFd,
}

impl Staging {
    pub(super) fn make(destination: &Destination) -> io::Result<Self> {
        // The exported name may already have the maximum length of a file name.
        let name = OsString::from(format!("{PARTIAL}{}", random_hex(8)));
        let parent = destination.directory.try_clone()?;
        rustix::fs::mkdirat(&parent, &name, Mode::RWXU)?;
        let open = rustix::fs::openat(&parent, &name, DIRECTORY, Mode::empty())?;
        let staging = Self { parent, name, open };
        // This fails if another export takes this directory for an abandoned one at this moment.
        rustix::fs::flock(&staging.open, FlockOperation::NonBlockingLockExclusive)?;
        Ok(staging)
    }

    /// Moves the finished files to the destination.
    pub(super) fn place(
        &self,
        unfinished: Option<UnfinishedDirectory>,
        destination: &Destination,
        force: bool,
    ) -> Result<(), Errno> {
        let (from, to) = (&self.open, &destination.directory);
        let rename =
            |flags| rustix::fs::renameat_with(from, PACKED_NAME, to, &destination.name, flags);
        match rename(RenameFlags::NOREPLACE) {
            // The replaced file is then in the staging directory, and is removed with it.
            Err(Errno::EXIST) if force => rename(RenameFlags::EXCHANGE)?,
            renamed => renamed?,
        }
        if let Some(directory) = unfinished {
            directory.finish().map_err(|_| Errno::IO)?;
        }
        rustix::fs::fsync(to)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        remove(&self.parent, &self.name);
    }
}

/// Removes the staging directories of exports that died.
pub(super) fn sweep(parent: &OwnedFd) {
    let Ok(entries) = Dir::read_from(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
        let number = name.as_bytes().strip_prefix(PARTIAL.as_bytes());
        if number.is_none_or(|number| number.len() != 16) {
            continue;
        }
        let Ok(open) = rustix::fs::openat(parent, &name, DIRECTORY, Mode::empty()) else {
            continue;
        };
        if rustix::fs::flock(&open, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove(parent, &name);
        }
    }
}

/// Removes a staging directory. If this fails, the next export removes it.
fn remove(parent: &OwnedFd, name: &OsString) {
    let path = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name);
    if std::fs::remove_dir_all(&path).is_ok() {
        return;
    }
    let Ok(open) = rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()) else {
        return;
    };
    make_writable(&open);
    if let Err(error) = std::fs::remove_dir_all(&path) {
        tracing::warn!(%error, path = %path.display(), "a partial export was not removed");
    }
}

/// Gives the user the permissions that are needed to remove the contents of a directory.
fn make_writable(directory: &OwnedFd) {
    let Ok(entries) = Dir::read_from(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_bytes() == b"." || name.to_bytes() == b".." {
            continue;
        }
        // Links are not opened, so no link's target is changed.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(found) = rustix::fs::openat(directory, name, flags, Mode::empty()) else {
            continue;
        };
        let path = format!("/proc/self/fd/{}", found.as_raw_fd());
        let changed = rustix::fs::chmod(&*path, Mode::RWXU);
        let opened = File::open(&path);
        if let (Ok(()), Ok(opened)) = (changed, opened) {
            make_writable(&opened.into());
        }
    }
}
