//! The *places* of active machines: who finds none waits in line, and leaves it when he gives up.

use std::time::Duration;

use pyro_store::{Slot, Slots};
use tokio::sync::oneshot;

use crate::Error;
use crate::launch::{LaunchEvent, Listener, Machines};

/// How long a wait for a place may take before anybody is told: somebody may only have looked.
const UNSAID_WAIT: Duration = Duration::from_millis(100);

impl Machines {
    /// Takes a place among the active machines.
    pub(crate) async fn slot(&self, listener: Listener<'_>) -> Result<Slot, Error> {
        let slots = Slots::new(self.base_dir.join("slots"), self.active_limit);
        if let Some(slot) = slots.try_take()? {
            return Ok(slot);
        }
        let waits_failed = |source| Error::Spawn {
            program: "a thread that waits for a place".into(),
            source,
        };
        // A thread of our own: a runtime that ends waits for those of its pool. It hears of it when
        // nobody wants the place any more: the other end of the pipe is closed then.
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
}
