//! The *reaper* collects every child that ended: the commands, and the orphans PID 1 inherits.
//!
//! It is the only place of the process that waits for children, and it collects under the lock
//! that [`spawn`] and [`signal_group`] also take. So an end is never reported before its command
//! is known, and no signal ever goes to a number that belongs to somebody else by now.

use std::collections::BTreeMap;
use std::num::NonZeroI32;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::EventfdFlags;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus};

static CHILDREN: Mutex<Children> = Mutex::new(Children {
    commands: BTreeMap::new(),
    spawned: 0,
    none_left: true,
});
/// Something in [`CHILDREN`] changed.
static CHANGED: Condvar = Condvar::new();
static START: Once = Once::new();

#[derive(Debug)]
struct Children {
    /// The commands that run, by pid, and who wants to know of their end.
    commands: BTreeMap<NonZeroI32, Arc<Mailbox>>,
    /// How many commands were ever started.
    spawned: u64,
    /// Whether the reaper found no child at all, and none was started since.
    none_left: bool,
}

/// Where the ends of commands are reported.
#[derive(Debug)]
pub(crate) struct Mailbox {
    ends: Mutex<Vec<Ended>>,
    /// An eventfd, readable while there is something in `ends`.
    pub(crate) bell: OwnedFd,
}

/// The end of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) pid: Pid,
    pub(crate) status: WaitStatus,
    pub(crate) at: Instant,
}

impl Mailbox {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self {
            ends: Mutex::default(),
            bell: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Takes what was reported.
    pub(crate) fn take(&self) -> Vec<Ended> {
        // It fails when the bell did not ring: then there is nothing to take, which is no error.
        let _rung = rustix::io::read(&self.bell, &mut [0; 8]);
        std::mem::take(&mut lock(&self.ends))
    }

    fn put(&self, ended: Ended) {
        lock(&self.ends).push(ended);
        self.ring();
    }

    /// Has the owner look what has ended.
    pub(crate) fn ring(&self) {
        // It fails only when the counter is full, and then the bell is ringing already.
        let _rung = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }
}

/// Starts the reaper, once per process.
pub(crate) fn start() {
    START.call_once(|| {
        let started = std::thread::Builder::new()
            .name("reaper".to_owned())
            .stack_size(64 * 1024)
            .spawn(reap);
        if let Err(error) = started {
            crate::console::log(&format!("cannot start the reaper: {error}"));
        }
    });
}

/// Starts a command with `spawn`, whose end will be reported to `mailbox`.
pub(crate) fn spawn<E>(
    mailbox: &Arc<Mailbox>,
    spawn: impl FnOnce() -> Result<Pid, E>,
) -> Result<Pid, E> {
    let mut children = lock(&CHILDREN);
    let pid = spawn()?;
    children
        .commands
        .insert(pid.as_raw_nonzero(), Arc::clone(mailbox));
    children.spawned += 1;
    children.none_left = false;
    CHANGED.notify_all();
    Ok(pid)
}

/// Sends `signal` to the process group of the command `pid`, if the command still runs.
pub(crate) fn signal_group(pid: Pid, signal: Signal) {
    let children = lock(&CHILDREN);
    if children.commands.contains_key(&pid.as_raw_nonzero()) {
        // It fails when all of the group has ended but is not collected yet.
        let _sent = rustix::process::kill_process_group(pid, signal);
    }
}

/// Waits until there is no child left, but not longer than `limit`.
pub(crate) fn wait_for_none(limit: Duration) {
    let children = lock(&CHILDREN);
    drop(CHANGED.wait_timeout_while(children, limit, |children| !children.none_left));
}

fn reap() {
    loop {
        let spawned = lock(&CHILDREN).spawned;
        // Without collecting: that is done below, under the lock.
        match rustix::process::waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => collect(),
            Err(Errno::CHILD) => {
                let mut children = lock(&CHILDREN);
                children.none_left = children.spawned == spawned;
                CHANGED.notify_all();
                // No child means no descendant either that could become an orphan of ours.
                drop(CHANGED.wait_while(children, |children| children.spawned == spawned));
            }
            Err(_) => {}
        }
    }
}

fn collect() {
    let mut children = lock(&CHILDREN);
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if let Some(mailbox) = children.commands.remove(&pid.as_raw_nonzero()) {
            mailbox.put(Ended {
                pid,
                status,
                at: Instant::now(),
            });
        }
    }
}

/// A panic ends the agent and with it the machine, so a poisoned lock guards nothing broken.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
