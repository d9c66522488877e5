//! A *flush* writes what is cached to the private disk. It may take seconds, so a worker does it;
//! commands are served meanwhile.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver};

use rustix::event::EventfdFlags;
use rustix::io::Errno;

use crate::process_tree;
use crate::workers::Workers;

/// The flushes that were asked for. One runs at a time, so that their order is kept: each begins
/// after it was asked for.
#[derive(Debug)]
pub(crate) struct Flushes {
    /// An eventfd, readable when the one that runs has ended.
    pub(crate) bell: OwnedFd,
    running: Option<Receiver<io::Result<u32>>>,
    waiting: usize,
}

impl Flushes {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self {
            bell: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            running: None,
            waiting: 0,
        })
    }

    /// Begins a flush of the file system of `disk`, now or after those before it.
    pub(crate) fn ask(&mut self, workers: &Workers, disk: io::Result<OwnedFd>) -> io::Result<()> {
        if self.running.is_some() {
            self.waiting += 1;
            return Ok(());
        }
        let disk = disk?;
        let bell = self.bell.try_clone()?;
        let (done, result) = mpsc::channel();
        let flush = move || {
            let flushed = rustix::fs::syncfs(&disk)
                .map(|()| process_tree::count())
                .map_err(io::Error::from);
            // It fails when the server is gone.
            let _sent = done.send(flushed);
            // It fails only when the counter is full, and then the bell is ringing already.
            let _rung = rustix::io::write(&bell, &1u64.to_ne_bytes());
        };
        workers.start(flush)?;
        self.running = Some(result);
        Ok(())
    }

    /// Returns how many processes there were when the flush that ran was done.
    pub(crate) fn take(&mut self) -> Option<io::Result<u32>> {
        // It fails when the bell did not ring.
        rustix::io::read(&self.bell, &mut [0; 8]).ok()?;
        // A worker that panics ends the agent.
        self.running.take()?.recv().ok()
    }

    /// Whether the next one is to be asked for again.
    pub(crate) fn next_waits(&mut self) -> bool {
        let waits = self.waiting > 0;
        self.waiting = self.waiting.saturating_sub(1);
        waits
    }
}
