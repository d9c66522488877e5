//! A *slot* is the right to have one machine active. There is a fixed number of them for all
//! processes of a user; a process that finds none free waits in line.
//!
//! A slot is a locked file, so it becomes free however its holder ends. The first process in line
//! holds the queue's lock and is woken when a slot's file is closed.

use std::fs::{self, File};
use std::io::PipeReader;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::retry_on_intr;

use crate::lock::open_lock;
use crate::{Error, create_private_directory};

/// A fixed number of slots below one directory.
#[derive(Clone, Debug)]
pub struct Slots {
    directory: PathBuf,
    count: usize,
}

/// A taken slot; free again when dropped.
#[derive(Debug)]
pub struct Slot {
    _lock: File,
}

impl Slots {
    /// Uses `directory` for `count` slots. All processes should use the same number; with different
    /// numbers, each process uses its own.
    pub fn new(directory: PathBuf, count: usize) -> Self {
        Self { directory, count }
    }

    /// Takes a slot if one is free and no process waits for it.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn try_take(&self) -> Result<Option<Slot>, Error> {
        create_private_directory(&self.directory)?;
        let queue = self.queue()?;
        if queue.try_lock().is_err() {
            return Ok(None);
        }
        self.free_slot()
    }

    /// Takes a slot, waiting in line until one is free. Blocks. Returns `None` if the other end of
    /// `given_up` was closed meanwhile: the first in line notices that at once, the others when
    /// they become the first.
    ///
    /// # Errors
    /// When the directory cannot be written or watched.
    pub fn take(&self, given_up: &PipeReader) -> Result<Option<Slot>, Error> {
        create_private_directory(&self.directory)?;
        let failed = |source: rustix::io::Errno| Error::new("watch", &self.directory, source);
        let queue = self.queue()?;
        queue
            .lock()
            .map_err(|source| Error::new("lock", &self.directory, source))?;
        // Watch before the first look, so that no slot becomes free unnoticed.
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watch = inotify::init(flags).map_err(failed)?;
        inotify::add_watch(&watch, &self.directory, inotify::WatchFlags::CLOSE_WRITE)
            .map_err(failed)?;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        loop {
            if is_closed(given_up) {
                return Ok(None);
            }
            if let Some(slot) = self.free_slot()? {
                return Ok(Some(slot));
            }
            let mut either = [
                PollFd::new(&watch, PollFlags::IN),
                PollFd::new(given_up, PollFlags::IN),
            ];
            retry_on_intr(|| poll(&mut either, None)).map_err(failed)?;
            // Looking closes files too, which wakes this process once without need: the next look
            // finds the same, but opens only files that it keeps.
            let mut events = inotify::Reader::new(&watch, &mut buffer);
            while events.next().is_ok() {}
        }
    }

    fn free_slot(&self) -> Result<Option<Slot>, Error> {
        for number in 0..self.count {
            let path = self.directory.join(format!("slot-{number}.lock"));
            // Opened for reading, so that closing it does not look like a slot that becomes free.
            if !path.exists() {
                open_lock(&path)?;
            }
            let probe = File::open(&path).map_err(|source| Error::new("open", &path, source))?;
            if probe.try_lock().is_err() {
                continue;
            }
            let lock = open_lock(&path)?;
            drop(probe);
            if lock.try_lock().is_ok() {
                return Ok(Some(Slot { _lock: lock }));
            }
        }
        Ok(None)
    }

    fn queue(&self) -> Result<File, Error> {
        let path = self.directory.join("queue.lock");
        if !path.exists() {
            open_lock(&path)?;
        }
        fs::File::open(&path).map_err(|source| Error::new("open", &path, source))
    }

    /// The directory of the slots.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Whether the other end of a pipe is closed.
fn is_closed(pipe: &PipeReader) -> bool {
    let mut look = [PollFd::new(pipe, PollFlags::IN)];
    retry_on_intr(|| poll(&mut look, Some(&Timespec::default()))).is_ok()
        && look[0].revents().contains(PollFlags::HUP)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_are_taken_than_there_are_and_nobody_waits_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let slots = Slots::new(directory.path().join("slots"), 3);
        let active = Arc::new(AtomicUsize::new(0));
        let takers: Vec<_> = (0..40)
            .map(|_| {
                let (slots, active) = (slots.clone(), Arc::clone(&active));
                std::thread::spawn(move || {
                    let (given_up, _waits) = std::io::pipe().unwrap();
                    let slot = slots.take(&given_up).unwrap().unwrap();
                    assert!(active.fetch_add(1, Ordering::SeqCst) < 3);
                    std::thread::yield_now();
                    active.fetch_sub(1, Ordering::SeqCst);
                    drop(slot);
                })
            })
            .collect();
        for taker in takers {
            taker.join().unwrap();
        }
    }

    #[test]
    fn what_is_taken_is_not_free() {
        let directory = tempfile::tempdir().unwrap();
        let slots = Slots::new(directory.path().join("slots"), 1);
        let slot = slots.try_take().unwrap().unwrap();
        assert!(slots.try_take().unwrap().is_none());
        drop(slot);
        assert!(slots.try_take().unwrap().is_some());
    }

    #[test]
    fn who_gives_up_takes_nothing_and_leaves_the_line() {
        let directory = tempfile::tempdir().unwrap();
        let slots = Slots::new(directory.path().join("slots"), 1);
        let slot = slots.try_take().unwrap().unwrap();
        let wait = || {
            let (given_up, waits) = std::io::pipe().unwrap();
            let slots = slots.clone();
            let waiter = std::thread::spawn(move || slots.take(&given_up).unwrap());
            (waiter, waits)
        };
        let (first, first_waits) = wait();
        // Until the other one is in line.
        while slots.queue().unwrap().try_lock().is_ok() {
            std::thread::yield_now();
        }
        let (second, second_waits) = wait();
        drop(first_waits);
        assert!(first.join().unwrap().is_none());
        assert!(!second.is_finished());
        drop(slot);
        assert!(second.join().unwrap().is_some());
        drop(second_waits);
    }
}
