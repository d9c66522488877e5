//! A *lock* is a file that is held for as long as its holder lives, and in which the holder notes
//! its process id, for whoever has to end it.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::Error;

/// How long to wait before looking at a lock again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// How long those may take altogether who only look at a lock.
const LOOKING: Duration = Duration::from_secs(2);

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

/// Whether somebody holds it for himself. Shared, so that those who only look at the same time do
/// not take each other for its holder.
pub(crate) fn is_held(lock: &File) -> bool {
    match lock.try_lock_shared() {
        Ok(()) => {
            let _ = lock.unlock();
            false
        }
        Err(_) => true,
    }
}

/// Takes a lock unless somebody holds it; those who only look are waited for. Returns whether it
/// was taken.
pub(crate) fn take_if_free(lock: &File) -> bool {
    let begun = Instant::now();
    while lock.try_lock().is_err() {
        if is_held(lock) || begun.elapsed() > LOOKING {
            return false;
        }
        thread::sleep(LOOK_AGAIN);
    }
    true
}

pub(crate) fn open_existing(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Ends the process that holds the lock, if one does. Who has not noted his id is waited for: he
/// is about to, or has the lock only for a moment.
pub(crate) fn end_holder(path: &Path, limit: Duration) -> End {
    let Ok(lock) = open_existing(path) else {
        return End::Gone;
    };
    let begun = Instant::now();
    while is_held(&lock) {
        // Still held after the process was opened: so the process is the holder, not a later one
        // that was given the same id.
        if let Some(holder) = holder(path)
            && is_held(&lock)
        {
            let _ = pidfd_send_signal(&holder, Signal::KILL);
            let limit = Timespec::try_from(limit).unwrap_or_default();
            return match poll(&mut [PollFd::new(&holder, PollFlags::IN)], Some(&limit)) {
                Ok(1..) => End::Ended,
                _ => End::Alive,
            };
        }
        if begun.elapsed() > limit {
            return End::Alive;
        }
        thread::sleep(LOOK_AGAIN);
    }
    End::Gone
}

/// The process that has noted its id in the lock, if it lives.
fn holder(path: &Path) -> Option<OwnedFd> {
    let id = fs::read_to_string(path).ok()?.parse().ok()?;
    pidfd_open(Pid::from_raw(id)?, PidfdFlags::empty()).ok()
}
