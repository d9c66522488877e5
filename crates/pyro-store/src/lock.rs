//! A *lock* is a file that is held for as long as its holder lives, and in which the holder notes
//! its process id, for whoever has to end it.

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

/// How long to wait before looking at a lock again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// How long those may take altogether who only look at a lock.
const LOOKING: Duration = Duration::from_secs(2);

/// A lock is a file, and nothing that leads to one.
const NO_LINK: i32 = OFlags::NOFOLLOW.bits().cast_signed();

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
        .custom_flags(NO_LINK)
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
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(NO_LINK)
        .open(path)
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

/// The process that has noted its id in the lock, if it lives.
fn holder(path: &Path) -> Option<(Pid, OwnedFd)> {
    let id = Pid::from_raw(fs::read_to_string(path).ok()?.parse().ok()?)?;
    Some((id, pidfd_open(id, PidfdFlags::empty()).ok()?))
}

/// Whether a process has this very file open: the id that stands in it is no proof.
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

    /// Who can write a lock cannot have anybody ended whom he likes.
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
