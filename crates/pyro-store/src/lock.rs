//! A *lock* is a file that is locked for as long as its holder lives, and that contains the
//! holder's process id, so that other processes can end the holder.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::Error;

/// How long to wait before trying a lock again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// How long processes may hold a lock, altogether, that only check it.
const LOOKING: Duration = Duration::from_secs(2);

/// A lock must be a regular file, and no link.
const NO_LINK: i32 = OFlags::NOFOLLOW.bits().cast_signed();

/// The result of ending a lock's holder.
pub(crate) enum End {
    /// There was no holder.
    Gone,
    /// The holder was killed.
    Ended,
    /// The holder is still alive.
    Alive,
}

pub(crate) fn open_lock(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(NO_LINK)
        .open(path)
        .map_err(|source| Error::new("open the lock", path, source))
}

/// Takes a lock that no other process can have yet.
pub(crate) fn take(path: &Path) -> Result<File, Error> {
    let file = open_lock(path)?;
    file.try_lock()
        .map_err(|error| Error::new("lock", path, error))?;
    Ok(file)
}

/// Writes this process's id into the lock.
pub(crate) fn note_holder(mut lock: &File, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::new("write", path, source);
    lock.set_len(0).map_err(failed)?;
    lock.rewind().map_err(failed)?;
    lock.write_all(std::process::id().to_string().as_bytes())
        .map_err(failed)
}

/// Whether the lock is free or does not exist.
pub(crate) fn is_free(path: &Path) -> bool {
    match open_existing(path) {
        Ok(lock) => !is_held(&lock),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Whether a process holds the lock exclusively. Checks with a shared lock, so that processes which
/// check at the same time are not taken for the holder.
pub(crate) fn is_held(lock: &File) -> bool {
    match lock.try_lock_shared() {
        Ok(()) => {
            let _ = lock.unlock();
            false
        }
        Err(_) => true,
    }
}

/// Takes a lock unless it is held; waits for processes that only check it. Returns whether it was
/// taken.
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
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(NO_LINK)
        .open(path)
}

/// Kills the process that holds the lock, if there is one. If the holder has not written its id
/// yet, waits: it is about to, or holds the lock only briefly.
pub(crate) fn end_holder(path: &Path, limit: Duration) -> End {
    let Ok(lock) = open_existing(path) else {
        return End::Gone;
    };
    let begun = Instant::now();
    while is_held(&lock) {
        // The lock is still held after the process was opened, so the process is the holder, and
        // not a later one with the same id.
        if let Some((id, holder)) = holder(path)
            && has_open(id, &lock)
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

/// The process whose id is in the lock, if it is alive.
fn holder(path: &Path) -> Option<(Pid, OwnedFd)> {
    let id = Pid::from_raw(fs::read_to_string(path).ok()?.parse().ok()?)?;
    Some((id, pidfd_open(id, PidfdFlags::empty()).ok()?))
}

/// Whether a process has this file open: the id in the file alone proves nothing.
fn has_open(id: Pid, file: &File) -> bool {
    let Ok(wanted) = file.metadata() else {
        return false;
    };
    let descriptors = fs::read_dir(format!("/proc/{}/fd", id.as_raw_nonzero()));
    descriptors.into_iter().flatten().flatten().any(|entry| {
        fs::metadata(entry.path())
            .is_ok_and(|open| (open.dev(), open.ino()) == (wanted.dev(), wanted.ino()))
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// A process that can write the lock cannot direct the kill at any other process.
    #[test]
    fn only_who_has_the_lock_open_is_ended_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vmm.lock");
        let lock = take(&path).unwrap();
        let mut bystander = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(&path, bystander.id().to_string()).unwrap();
        let limit = Duration::from_millis(50);
        assert!(matches!(end_holder(&path, limit), End::Alive));
        assert!(bystander.try_wait().unwrap().is_none(), "it was ended");
        bystander.kill().unwrap();
        bystander.wait().unwrap();

        let inherited = Stdio::from(lock.try_clone().unwrap());
        let mut holder = Command::new("sleep")
            .arg("1000")
            .stdin(inherited)
            .spawn()
            .unwrap();
        fs::write(&path, holder.id().to_string()).unwrap();
        drop(lock);
        let limit = Duration::from_secs(10);
        assert!(matches!(end_holder(&path, limit), End::Ended));
        holder.wait().unwrap();
    }
}
