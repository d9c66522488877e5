//! The *power* of a supervised VM: on while somebody uses it or something runs in it, paused
//! otherwise. An idle guest costs a little of a processor all the time, a paused one nothing.

use std::convert::Infallible;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyro_machine::SupervisedMachine;
use tokio::sync::{Mutex, Notify, watch};

use super::flushes::Flushes;
use crate::Error;

/// How long nobody must have used it before it is paused: longer than the pauses between the
/// commands of a program that works in it.
const IDLE: Duration = Duration::from_secs(2);
/// How long a flush waits for more to flush. Under software emulation one takes as long as a small
/// command, which the next command would have to wait for.
const COLLECT: Duration = Duration::from_millis(200);
/// How long to wait before looking again when something was left running in it.
const BUSY: Duration = Duration::from_secs(10);

/// Turns a machine off and on.
#[derive(Debug, Default)]
pub(super) struct Power {
    users: watch::Sender<usize>,
    /// Whether it is paused, or may be.
    paused: Mutex<bool>,
    /// The same, for those who wait for it.
    sleeps: watch::Sender<bool>,
    changed: Notify,
    flushes: Flushes,
    /// Why the last flush failed, if it did.
    not_flushed: StdMutex<Option<String>>,
}

/// What was found when a machine was looked at.
enum Activity {
    /// Something was left running in it.
    Busy,
    /// Nothing, or somebody uses it: he says when he is done.
    Quiet,
}

/// Keeps a machine on.
#[derive(Debug)]
pub(super) struct KeepAwake(Arc<Power>);

impl Power {
    /// Turns the machine on for as long as the result lives.
    pub(super) async fn on(
        self: &Arc<Self>,
        machine: &SupervisedMachine,
    ) -> Result<KeepAwake, Error> {
        self.users.send_modify(|users| *users += 1);
        let on = KeepAwake(Arc::clone(self));
        let mut paused = self.paused.lock().await;
        if *paused {
            machine.resume().await?;
            *paused = false;
            self.sleeps.send_replace(false);
        }
        Ok(on)
    }

    /// Returns when everything that was written in the machine until now is on its disk. The caller
    /// keeps it on.
    pub(super) async fn flush(&self, machine: &SupervisedMachine) {
        let flush = async || {
            // Like on any machine whose disk is full or broken: who must know asks for it himself.
            if let Err(error) = self.flush_now(machine).await {
                tracing::warn!(%error, "what was written is not on the disk");
            }
        };
        self.flushes.join(tokio::time::sleep(COLLECT), flush).await;
    }

    async fn flush_now(&self, machine: &SupervisedMachine) -> Result<u32, Error> {
        let flushed = machine.flush().await;
        let failed = flushed.as_ref().err().map(ToString::to_string);
        *self.lock_not_flushed() = failed;
        Ok(flushed?)
    }

    /// Why what was written is not on the disk, if the last flush failed.
    pub(super) fn not_flushed(&self) -> Option<String> {
        self.lock_not_flushed().clone()
    }

    fn lock_not_flushed(&self) -> MutexGuard<'_, Option<String>> {
        self.not_flushed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Pauses the machine whenever it is idle. May be given up at any time.
    pub(super) async fn save(&self, machine: &SupervisedMachine) -> Infallible {
        let mut wait = IDLE;
        self.changed.notify_one();
        loop {
            self.changed.notified().await;
            tokio::time::sleep(wait).await;
            wait = match self.pause_if_idle(machine).await {
                Ok(Activity::Busy) => BUSY,
                Ok(Activity::Quiet) => IDLE,
                // Whether it has died is for others to see. One that lives goes on, and is looked at
                // again: a disk may be full for a while, a host out of memory.
                Err(error) => {
                    tracing::warn!(%error, "the machine is not paused");
                    self.changed.notify_one();
                    BUSY
                }
            };
        }
    }

    async fn pause_if_idle(&self, machine: &SupervisedMachine) -> Result<Activity, Error> {
        if self.in_use() || *self.paused.lock().await {
            return Ok(Activity::Quiet);
        }
        // What commands have written is on the disk before the guest stops for who knows how long.
        let processes = self.flush_now(machine).await?;
        let mut paused = self.paused.lock().await;
        if processes > 0 || self.in_use() || *paused {
            self.changed.notify_one();
            return Ok(if processes > 0 {
                Activity::Busy
            } else {
                Activity::Quiet
            });
        }
        // Noted before it is done: where this is given up half-way, or QEMU does not answer, whoever
        // comes next lets the machine go on, which does no harm to one that runs.
        *paused = true;
        if let Err(error) = machine.pause().await {
            machine.resume().await?;
            *paused = false;
            return Err(error.into());
        }
        self.sleeps.send_replace(true);
        Ok(Activity::Quiet)
    }

    /// Waits until the machine is not paused.
    pub(super) async fn awake(&self) {
        let mut sleeps = self.sleeps.subscribe();
        // It fails only when this is gone.
        let _ = sleeps.wait_for(|sleeps| !sleeps).await;
    }

    /// Waits until nobody uses the machine.
    pub(super) async fn unused(&self) {
        let mut users = self.users.subscribe();
        // It fails only when this is gone.
        let _ = users.wait_for(|users| *users == 0).await;
    }

    fn in_use(&self) -> bool {
        *self.users.borrow() > 0
    }
}

impl Drop for KeepAwake {
    fn drop(&mut self) {
        self.0.users.send_modify(|users| *users -= 1);
        self.0.changed.notify_one();
    }
}
