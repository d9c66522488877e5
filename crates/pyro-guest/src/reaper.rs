//! The *reaper* reaps every child that ended: commands, and orphans that PID 1 inherits.
//!
//! It is the only place in the process that waits for children, and it reaps under the lock that
//! [`spawn`] and [`signal_group`] also take. So an end is never reported before its command is
//! known, and no signal goes to a pid that was reused.

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
/// [`CHILDREN`] has changed.
static CHANGED: Condvar = Condvar::new();
static START: Once = Once::new();

#[derive(Debug)]
struct Children {
    /// The running commands, by pid, with the mailbox for their end.
    commands: BTreeMap<NonZeroI32, Arc<Mailbox>>,
    /// How many commands have been started.
    spawned: u64,
    /// Whether the reaper found no child, and none was started since.
    none_left: bool,
}

/// The destination of reports about ended commands.
#[derive(Debug)]
pub(crate) struct Mailbox {
    ends: Mutex<Vec<Ended>>,
    /// An eventfd, readable while `ends` is not empty.
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

    /// Takes the reports.
    pub(crate) fn take(&self) -> Vec<Ended> {
        // It fails if the bell did not ring: then there is no report, which is no error.
        let _rung = rustix::io::read(&self.bell, &mut [0; 8]);
        std::mem::take(&mut lock(&self.ends))
    }

    fn put(&self, ended: Ended) {
        lock(&self.ends).push(ended);
        self.ring();
    }

    /// Wakes the owner, so that it looks for ended commands and tasks.
    pub(crate) fn ring(&self) {
        // It fails only if the counter is full, and then the bell is ringing already.
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
        // It fails if all processes of the group have ended but are not reaped yet.
        let _sent = rustix::process::kill_process_group(pid, signal);
    }
}

/// Waits until there is no child left, at most for `limit`.
pub(crate) fn wait_for_none(limit: Duration) {
    let children = lock(&CHILDREN);
    drop(CHANGED.wait_timeout_while(children, limit, |children| !children.none_left));
}

fn reap() {
    loop {
        let spawned = lock(&CHILDREN).spawned;
        // Without reaping: that is done below, under the lock.
        match rustix::process::waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => collect(),
            Err(Errno::CHILD) => {
                let mut children = lock(&CHILDREN);
                children.none_left = children.spawned == spawned;
                CHANGED.notify_all();
                // Without a child there is no descendant that PID 1 could inherit.
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

/// A panic ends the agent and with it the machine, so a poisoned lock protects no broken state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
