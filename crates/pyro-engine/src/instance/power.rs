//! The *power state* of a supervised VM: it runs while it is in use or a process runs in it, and is
//! paused otherwise. An idle guest uses a little processor time, a paused one none.

use std::convert::Infallible;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyro_machine::SupervisedMachine;
use tokio::sync::{Mutex, Notify, watch};

use super::flushes::Flushes;
use crate::Error;

/// How long the VM must be unused before it is paused: longer than the pauses between the commands
/// of a program that works in it.
const IDLE: Duration = Duration::from_secs(2);
/// How long a flush waits for others to join it. Under software emulation a flush takes as long as
/// a small command, and would delay the next command.
const COLLECT: Duration = Duration::from_millis(200);
/// How long to wait before the next check if processes are left running in it.
const BUSY: Duration = Duration::from_secs(10);

/// Pauses and resumes a machine.
#[derive(Debug, Default)]
pub(super) struct Power {
    users: watch::Sender<usize>,
    /// Whether it is paused, or may be.
    paused: Mutex<bool>,
    /// The same value, for tasks that wait for it.
    sleeps: watch::Sender<bool>,
    changed: Notify,
    flushes: Flushes,
    /// Why the last flush failed, if it did.
    not_flushed: StdMutex<Option<String>>,
}

/// The result of a check.
enum Activity {
    /// Processes were left running in it.
    Busy,
    /// No processes, or the machine is in use: the end of the use triggers the next check.
    Quiet,
}

/// Keeps a machine running while it exists.
#[derive(Debug)]
pub(super) struct KeepAwake(Arc<Power>);

impl Power {
    /// Resumes the machine, and keeps it running for as long as the result lives.
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
    /// keeps the machine running.
    pub(super) async fn flush(&self, machine: &SupervisedMachine) {
        let flush = async || {
            // As with any full or broken disk, a program that needs certainty calls `fsync`.
            if let Err(error) = self.flush_now(machine).await {
                tracing::warn!(%error, "what was written is not on the disk");
            }
        };
        self.flushes.join(tokio::time::sleep(COLLECT), flush).await;
    }

    /// Does `work` while the machine is paused and everything written before is on its disk. Can be
    /// dropped at any time.
    ///
    /// # Errors
    /// When the disk cannot take everything that was written, or the machine is not paused or not
    /// resumed.
    pub(super) async fn while_paused<T>(
        self: &Arc<Self>,
        machine: &SupervisedMachine,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let _on = self.on(machine).await?;
        self.flush_now(machine).await?;
        let mut paused = self.paused.lock().await;
        // Set before the pause, as in `pause_if_idle`: the next user resumes the machine.
        *paused = true;
        let done = match machine.pause().await {
            Ok(()) => Ok(work.await),
            Err(error) => Err(error.into()),
        };
        machine.resume().await?;
        *paused = false;
        done
    }

    async fn flush_now(&self, machine: &SupervisedMachine) -> Result<u32, Error> {
        let flushed = machine.flush().await;
        let failed = flushed.as_ref().err().map(ToString::to_string);
        *self.lock_not_flushed() = failed;
        Ok(flushed?)
    }

    /// The error of the last flush, if it failed.
    pub(super) fn not_flushed(&self) -> Option<String> {
        self.lock_not_flushed().clone()
    }

    fn lock_not_flushed(&self) -> MutexGuard<'_, Option<String>> {
        self.not_flushed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Pauses the machine whenever it is idle. Can be dropped at any time.
    pub(super) async fn save(&self, machine: &SupervisedMachine) -> Infallible {
        let mut wait = IDLE;
        self.changed.notify_one();
        loop {
            self.changed.notified().await;
            tokio::time::sleep(wait).await;
            wait = match self.pause_if_idle(machine).await {
                Ok(Activity::Busy) => BUSY,
                Ok(Activity::Quiet) => IDLE,
                // Another task watches whether the machine has died. If it lives, the check is
                // repeated: a full disk, or a host out of memory, may recover.
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
        // The pause may last long, so everything written is flushed to the disk first.
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
        // Set before the pause: if this is dropped half-way, or QEMU does not answer, the next user
        // resumes the machine, which is harmless if it runs.
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
        // It fails only when `self` is dropped.
        let _ = sleeps.wait_for(|sleeps| !sleeps).await;
    }

    /// Waits until the machine is not in use.
    pub(super) async fn unused(&self) {
        let mut users = self.users.subscribe();
        // It fails only when `self` is dropped.
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
