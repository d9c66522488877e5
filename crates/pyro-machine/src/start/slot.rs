//! *Slots* of active machines, and turns to boot. A launch that finds none free waits in line, and
//! leaves the line when its future is dropped.

use std::time::Duration;

use pyro_store::{Slot, Slots};
use tokio::sync::oneshot;

use crate::Error;
use crate::machines::{LaunchEvent, Listener, Machines};

/// How long to wait before checking again for a template, or for a turn to boot.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How long a wait for a slot is not reported: another process may only be checking it.
const UNSAID_WAIT: Duration = Duration::from_millis(100);

impl Machines {
    /// Takes a slot.
    pub(super) async fn slot(&self, listener: Listener<'_>) -> Result<Slot, Error> {
        let slots = Slots::new(self.base_dir.join("slots"), self.active_limit);
        if let Some(slot) = slots.try_take()? {
            return Ok(slot);
        }
        let waits_failed = |source| Error::Spawn {
            program: "a thread that waits for a place".into(),
            source,
        };
        // A thread of its own, because a runtime that shuts down waits for its pool. When the
        // future is dropped, the other end of the pipe is closed, which ends the thread's wait.
        let (given_up, _waits) = std::io::pipe().map_err(waits_failed)?;
        let (sender, mut receiver) = oneshot::channel();
        std::thread::Builder::new()
            .name("slot".into())
            .spawn(move || drop(sender.send(slots.take(&given_up))))
            .map_err(waits_failed)?;
        let soon = tokio::time::timeout(UNSAID_WAIT, &mut receiver).await;
        let taken = if let Ok(taken) = soon {
            taken
        } else {
            listener(LaunchEvent::Notice(format!(
                "{} machines are active; waiting for one of them to end",
                self.active_limit
            )));
            receiver.await
        };
        let taken = taken.expect("taking a slot does not panic, and nobody ends the thread")?;
        Ok(taken.expect("it is not given up while it is waited for"))
    }

    /// Waits for a turn to boot; there is one for each processor. A kernel that shares a processor
    /// while it boots gets its timers wrong: of fifty that boot at once on two processors, most
    /// would boot in vain.
    pub(super) async fn turn(&self) -> Result<Slot, Error> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let turns = Slots::new(self.base_dir.join("boots"), processors);
        loop {
            if let Some(turn) = turns.try_take()? {
                return Ok(turn);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
