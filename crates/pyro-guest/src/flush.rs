//! A *flush* writes cached data to the private disk. It may take seconds, so a worker does it,
//! while commands are served.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, Receiver};

use rustix::event::EventfdFlags;
use rustix::io::Errno;

use crate::process_tree;
use crate::uncounted::Uncounted;
use crate::workers::Workers;

/// The number of processes that keep the machine from being paused.
fn count(uncounted: &[Uncounted]) -> u32 {
    let all = process_tree::count();
    if all == 0 {
        return 0;
    }
    all.saturating_sub(uncounted.iter().map(Uncounted::number).sum())
}

/// The requested flushes. One runs at a time, in the order of the requests, so each begins after
/// its request.
#[derive(Debug)]
pub(crate) struct Flushes {
    /// An eventfd, readable when the running flush has ended.
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

    /// Begins a flush of the file system of `disk`, now or after earlier ones.
    /// The processes that are `uncounted` are not in its result.
    pub(crate) fn ask(
        &mut self,
        workers: &Workers,
        disk: io::Result<OwnedFd>,
        uncounted: Vec<Uncounted>,
    ) -> io::Result<()> {
        if self.running.is_some() {
            self.waiting += 1;
            return Ok(());
        }
        let disk = disk?;
        let bell = self.bell.try_clone()?;
        let (done, result) = mpsc::channel();
        let flush = move || {
            let flushed = rustix::fs::syncfs(&disk)
                .map(|()| count(&uncounted))
                .map_err(io::Error::from);
            // It fails if the server is gone.
            let _sent = done.send(flushed);
            // It fails only if the counter is full, and then the bell is ringing already.
            let _rung = rustix::io::write(&bell, &1u64.to_ne_bytes());
        };
        workers.start(flush)?;
        self.running = Some(result);
        Ok(())
    }

    /// Returns the number of processes at the end of the flush that ran.
    pub(crate) fn take(&mut self) -> Option<io::Result<u32>> {
        // It fails if the bell did not ring.
        rustix::io::read(&self.bell, &mut [0; 8]).ok()?;
        // A worker that panics ends the agent.
        self.running.take()?.recv().ok()
    }

    /// Removes the next request from the queue; returns whether there was one.
    pub(crate) fn next_waits(&mut self) -> bool {
        let waits = self.waiting > 0;
        self.waiting = self.waiting.saturating_sub(1);
        waits
    }
}
