//! A *lock* is a file that is held for as long as its holder lives, and in which the holder notes
//! its process id, for whoever has to end it.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::Error;

/// What became of a lock's holder.
pub(crate) enum End {
    /// There was none.
    Gone,
    /// It was ended.
    Ended,
    /// It still lives.
    Alive,
}

pub(crate) fn open_lock(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|source| Error::new("open the lock", path, source))
}

/// Takes a lock that nobody else can have yet.
pub(crate) fn take(path: &Path) -> Result<File, Error> {
    let file = open_lock(path)?;
    file.try_lock()
        .map_err(|error| Error::new("lock", path, error))?;
    Ok(file)
}

/// Notes that this process holds the lock.
pub(crate) fn note_holder(mut lock: &File, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::new("write", path, source);
    lock.set_len(0).map_err(failed)?;
    lock.rewind().map_err(failed)?;
    lock.write_all(std::process::id().to_string().as_bytes())
        .map_err(failed)
}

/// Whether nobody holds the lock, which is also true of one that is gone.
pub(crate) fn is_free(path: &Path) -> bool {
    match open_existing(path) {
        Ok(lock) => !is_held(&lock),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

pub(crate) fn is_held(lock: &File) -> bool {
    match lock.try_lock() {
        Ok(()) => {
            let _ = lock.unlock();
            false
        }
        Err(_) => true,
    }
}

pub(crate) fn open_existing(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Ends the process that holds the lock, if one does.
pub(crate) fn end_holder(path: &Path, limit: Duration) -> End {
    let Ok(lock) = open_existing(path) else {
        return End::Gone;
    };
    if !is_held(&lock) {
        return End::Gone;
    }
    let pid = fs::read_to_string(path)
        .ok()
        .and_then(|text| text.parse().ok());
    let Some(pid) = pid.and_then(Pid::from_raw) else {
        return End::Alive;
    };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return End::Gone;
    };
    // Still held after the process was opened: so the process is the holder, not a later one
    // that was given the same id.
    if !is_held(&lock) {
        return End::Gone;
    }
    let _ = pidfd_send_signal(&pidfd, Signal::KILL);
    let limit = Timespec::try_from(limit).unwrap_or_default();
    match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit)) {
        Ok(1..) => End::Ended,
        _ => End::Alive,
    }
}
