//! How instances *end*: stopped, deleted, expired, or never finished.

use std::time::Duration;

use pyro_machine::Machines;
use pyro_store::{Object, RecordError};

use super::client::stop;
use super::files::discard;
use super::find::Instance;
use super::kind::InstanceKind;
use super::record::{State, VmRecord};
use crate::off_thread::off_thread;
use crate::{Engine, Error};

/// How long a killed supervisor may take to exit.
const END_LIMIT: Duration = Duration::from_secs(5);

impl Instance {
    /// Deletes the instance, whatever its state.
    pub(crate) async fn delete(self) -> Result<(), Error> {
        if self.object.is_owned() {
            stop(&self, true).await?;
        }
        let object = self.object;
        Ok(off_thread(move || object.delete(END_LIMIT)).await?)
    }

    /// Shuts the instance down, and returns when it is stopped.
    pub(crate) async fn stop(&self) -> Result<(), Error> {
        if self.object.is_owned() {
            return stop(self, false).await;
        }
        // The supervisor may have died without updating the record.
        if let Ok(Some(_held)) = self.object.hold() {
            let written = self.object.update(|record: &mut VmRecord| {
                record.state = State::Stopped;
            });
            written
                .map_err(|error| Error::unreadable_record(self.kind.noun(), self.id(), &error))?;
        }
        Ok(())
    }
}

/// Deletes an instance, whatever its state, and whether or not its record can be read.
pub(crate) async fn delete(engine: &Engine, kind: InstanceKind, id: &str) -> Result<(), Error> {
    let missing = || Error::no_such(kind.noun(), id);
    let object = engine.objects(kind).find(id).ok_or_else(missing)?;
    match Instance::read(kind, object.clone()) {
        Ok(instance) => instance.delete().await,
        Err(RecordError::Missing { .. }) => Err(missing()),
        Err(_) => Ok(off_thread(move || object.delete(END_LIMIT)).await?),
    }
}

/// Deletes the instance on drop, unless disarmed: while it is created, or after its single use.
#[derive(Debug)]
pub(crate) struct DeleteOnDrop {
    object: Option<Object>,
    machines: Machines,
}

impl DeleteOnDrop {
    pub(crate) fn new(engine: &Engine, object: Object) -> Self {
        Self {
            object: Some(object),
            machines: engine.machines.clone(),
        }
    }

    pub(crate) fn disarm(mut self) {
        self.object = None;
    }
}

impl Drop for DeleteOnDrop {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            if let Err(error) = object.delete(END_LIMIT) {
                tracing::warn!(%error, "a VM could not be deleted");
            }
            // Removes the files that the killed supervisor could not remove.
            self.machines.sweep();
        }
    }
}

impl Engine {
    /// Removes the files of VMs that expired without a supervisor, and files of processes that died
    /// while they created or deleted a VM.
    pub(crate) fn sweep_instances(&self) {
        for kind in [InstanceKind::Vm, InstanceKind::Workspace] {
            self.objects(kind).sweep();
            for instance in self.all_instances(kind).0 {
                if instance.state == State::Expired && instance.record.state != State::Expired {
                    instance.expire();
                }
            }
        }
    }
}

impl Instance {
    /// Performs the cleanup of a supervisor at the end of the lifetime.
    fn expire(&self) {
        // Holding the lock prevents others from starting it in the meantime.
        if let Ok(Some(_held)) = self.object.hold() {
            discard(&self.object);
            let _ = self
                .object
                .update(|record: &mut VmRecord| record.state = State::Expired);
        }
    }
}
