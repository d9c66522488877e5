//! A *lock* on something in the cache: whoever holds it is the only one to build or remove that
//! thing. It is a lock on an open file, so it ends with the process that holds it, however that
//! ends. The file itself is never deleted: two processes could then hold "the" lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;

use tokio::sync::oneshot;

use crate::Error;

/// A lock held.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, telling `on_wait` once if another process or task holds it.
    pub(crate) async fn acquire(path: &Path, on_wait: impl FnOnce()) -> Result<Self, Error> {
        Self::take(path, File::try_lock, File::lock, on_wait).await
    }

    /// Takes the lock together with others who do so; whoever acquires it waits for all of them.
    pub(crate) async fn shared(path: &Path, on_wait: impl FnOnce()) -> Result<Self, Error> {
        Self::take(path, File::try_lock_shared, File::lock_shared, on_wait).await
    }

    async fn take(
        path: &Path,
        attempt: fn(&File) -> Result<(), TryLockError>,
        wait: fn(&File) -> io::Result<()>,
        on_wait: impl FnOnce(),
    ) -> Result<Self, Error> {
        let file = open(path)?;
        match attempt(&file) {
            Ok(()) => return Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => on_wait(),
            Err(TryLockError::Error(source)) => return Err(Error::cache("lock", path)(source)),
        }
        // A thread of our own: the wait may last minutes, and a runtime that shuts down would
        // wait for a thread of its pool. If nobody listens any more, the lock is let go at once.
        let (sender, receiver) = oneshot::channel();
        thread::spawn(move || {
            let outcome = wait(&file).map(|()| Self { _file: file });
            drop(sender.send(outcome));
        });
        let outcome = receiver.await.unwrap_or_else(|_| {
            Err(io::Error::other(
                "the thread that waited for the lock has gone",
            ))
        });
        outcome.map_err(Error::cache("lock", path))
    }

    /// Takes the lock if nobody holds it and it can be had at all.
    pub(crate) fn attempt(path: &Path) -> Option<Self> {
        let file = open(path).ok()?;
        file.try_lock().ok()?;
        Some(Self { _file: file })
    }
}

fn open(path: &Path) -> Result<File, Error> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Error::cache("create", parent))?;
    }
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::cache("write to", path.parent().unwrap_or(path)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/.lock-x");
        let first = Lock::acquire(&path, || panic!("nobody else"))
            .await
            .unwrap();
        assert!(Lock::attempt(&path).is_none());
        let waited = AtomicBool::new(false);
        let second = Lock::acquire(&path, || {
            waited.store(true, Ordering::Relaxed);
            drop(first);
        });
        second.await.unwrap();
        assert!(waited.into_inner());
    }

    #[tokio::test]
    async fn those_who_share_do_not_wait_for_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".lock");
        let nobody = || panic!("nobody waits");
        let first = Lock::shared(&path, nobody).await.unwrap();
        let second = Lock::shared(&path, nobody).await.unwrap();
        drop(first);
        assert!(Lock::attempt(&path).is_none());
        drop(second);
        assert!(Lock::attempt(&path).is_some());
    }
}
