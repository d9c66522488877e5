//! A *lasting* VM outlives the call that made it: one made by `vm_create`, or a workspace's. It
//! is an object of the store; while it runs, a process of its own supervises it, and every other
//! process is that one's client.

mod client;
mod commands;
mod diagnostics;
mod flushes;
mod log;
mod power;
mod record;
mod socket;
mod start;
mod supervisor;
mod warm_up;
mod wire;

pub(crate) use client::{Outputs, Push, call, exec, follow, stop};
pub(crate) use record::{SeedRecord, State, VmRecord};
pub(crate) use start::{NewInstance, create, start};
pub(crate) use supervisor::supervise;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pyro_machine::{Machines, NetworkInfo};
use pyro_store::{History, Object, Objects, RecordError};
use serde::{Deserialize, Serialize};

use crate::request::path_text;
use crate::{Engine, Error};

/// What kind of lasting VM it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InstanceKind {
    /// Made by `vm_create`.
    Vm,
    /// A workspace's.
    Workspace,
}

impl InstanceKind {
    /// What it is called in messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::Workspace => "workspace",
        }
    }

    /// Where commands run: the home directory, unless it says something else.
    pub(crate) fn working_directory(self) -> Option<&'static str> {
        match self {
            Self::Vm => None,
            Self::Workspace => Some(WORKSPACE),
        }
    }

    fn directory(self) -> &'static str {
        match self {
            Self::Vm => "virtual-machines",
            Self::Workspace => "workspaces",
        }
    }
}

/// How long a supervisor that was killed may take to go.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Why a command has no end whose VM did not outlive it.
pub(crate) const INTERRUPTED: &str = "the workspace ended while it ran";

/// Where a workspace's files are in the guest.
pub(crate) const WORKSPACE: &str = "/workspace";

/// One lasting VM as it is found.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) kind: InstanceKind,
    pub(crate) object: Object,
    pub(crate) record: VmRecord,
    /// What it really is in, whatever those wrote down who could not write any more.
    pub(crate) state: State,
    /// Why, if it did not end in order.
    pub(crate) reason: Option<String>,
}

impl Engine {
    pub(crate) fn objects(&self, kind: InstanceKind) -> Objects {
        Objects::new(self.config.base_dir.join(kind.directory()))
    }

    /// Finds one.
    pub(crate) fn instance(&self, kind: InstanceKind, id: &str) -> Result<Instance, Error> {
        let object = self
            .objects(kind)
            .find(id)
            .ok_or_else(|| Error::no_such(kind.noun(), id))?;
        Instance::read(kind, object).map_err(|error| match error {
            // Deleted a moment ago.
            RecordError::Missing { .. } => Error::no_such(kind.noun(), id),
            error => Error::unreadable_record(kind.noun(), id, &error),
        })
    }

    /// Finds all whose record can be read; tells about the others.
    pub(crate) fn all_instances(&self, kind: InstanceKind) -> (Vec<Instance>, Vec<String>) {
        let mut broken = Vec::new();
        let readable = |object: Object| match Instance::read(kind, object) {
            Ok(instance) => Some(instance),
            Err(RecordError::Missing { .. }) => None,
            Err(error) => {
                broken.push(error.to_string());
                None
            }
        };
        let all = self.objects(kind).all();
        let found = all.into_iter().filter_map(readable).collect();
        (found, broken)
    }
}

impl Instance {
    fn read(kind: InstanceKind, object: Object) -> Result<Self, RecordError> {
        // Whether it is owned is asked before and after: it may end, or start, in between.
        let owned = object.is_owned();
        let record: VmRecord = object.record()?;
        let owned = owned || object.is_owned();
        let (state, reason) = record.state_now(owned, now());
        Ok(Self {
            kind,
            object,
            record,
            state,
            reason,
        })
    }

    pub(crate) fn id(&self) -> &str {
        self.object.id().as_str()
    }

    pub(crate) fn history(&self) -> History {
        history(&self.object)
    }

    /// Deletes it, whatever it is doing.
    pub(crate) async fn delete(self) -> Result<(), Error> {
        if self.object.is_owned() {
            stop(&self, true).await?;
        }
        let object = self.object;
        Ok(off_thread(move || object.delete(END_LIMIT)).await?)
    }

    /// Ends it in order, and returns when it is stopped.
    pub(crate) async fn stop(&self) -> Result<(), Error> {
        if self.object.is_owned() {
            return stop(self, false).await;
        }
        // It may have died without having been able to write that down.
        if let Ok(Some(_held)) = self.object.hold() {
            let written = self.object.update(|record: &mut VmRecord| {
                record.state = State::Stopped;
            });
            written
                .map_err(|error| Error::unreadable_record(self.kind.noun(), self.id(), &error))?;
        }
        Ok(())
    }

    /// Its network's addresses, if it has one.
    pub(crate) fn network(&self) -> Option<NetworkInfo> {
        self.record
            .spec
            .network
            .then(|| NetworkInfo::of(self.object.id()))
    }

    /// What else there is to say about it, as text.
    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        let record = &self.record;
        let mut metadata = BTreeMap::from(
            [
                ("environment_digest", record.environment_digest.clone()),
                ("environment_source", record.environment_source.clone()),
                ("environment_version", record.environment_version.clone()),
                ("execution_mode", "guest_vsock".into()),
                ("kernel_image", path_text(&record.spec.kernel)),
                ("network_enabled", record.spec.network.to_string()),
                ("rootfs_image", path_text(&record.spec.rootfs)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if self.kind == InstanceKind::Workspace {
            metadata.insert("workspace_path".into(), WORKSPACE.into());
            let directory = path_text(self.object.path());
            metadata.insert("workspace_host_dir".into(), directory);
        }
        metadata
    }

    /// Refuses what only a running VM can do.
    pub(crate) fn require_started(&self, purpose: &str) -> Result<(), Error> {
        match self.state {
            State::Started => Ok(()),
            State::Expired => Err(Error::expired(
                self.kind.noun(),
                self.id(),
                self.record.ttl_seconds,
            )),
            state => Err(Error::not_started(
                self.kind.noun(),
                self.id(),
                state.name(),
                purpose,
                self.reason.as_deref(),
            )),
        }
    }
}

fn history(object: &Object) -> History {
    History::new(object.path().join("history"))
}

fn disk(object: &Object) -> PathBuf {
    object.path().join("disk.ext4")
}

/// The image of the seed, whether there is one or not.
pub(crate) fn seed_in(path: &Path) -> PathBuf {
    path.join("seed.erofs")
}

/// Removes the files of a VM whose time is over; its record and history stay.
fn discard(object: &Object) {
    for path in [disk(object), seed_in(object.path())] {
        let _ = std::fs::remove_file(path);
    }
}

/// Does what may wait for the host's disk, or for another process: the thread serves others.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("what is done there does not panic, and nobody aborts it")
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// Waits until a point of the wall clock, which may be set meanwhile.
async fn until(end: Option<f64>) {
    let Some(end) = end else {
        return std::future::pending().await;
    };
    loop {
        let left = end - now();
        if left <= 0.0 {
            return;
        }
        tokio::time::sleep(Duration::from_secs_f64(left.min(10.0))).await;
    }
}

/// Deletes one, whatever it is doing, and whether or not its record can be read.
pub(crate) async fn delete(engine: &Engine, kind: InstanceKind, id: &str) -> Result<(), Error> {
    let missing = || Error::no_such(kind.noun(), id);
    let object = engine.objects(kind).find(id).ok_or_else(missing)?;
    match Instance::read(kind, object.clone()) {
        Ok(instance) => instance.delete().await,
        Err(RecordError::Missing { .. }) => Err(missing()),
        Err(_) => Ok(off_thread(move || object.delete(END_LIMIT)).await?),
    }
}

/// One that is not what was asked for yet, or any more: deleted if it is dropped as such.
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
            // What its supervisor, which was killed, could not remove.
            self.machines.sweep();
        }
    }
}

impl Engine {
    /// Removes the files of VMs whose time was over while nobody looked, and what those have left
    /// who died while they made or deleted one.
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
    /// Does what its supervisor would have done at the end of its time.
    fn expire(&self) {
        // Nobody may start it meanwhile.
        if let Ok(Some(_held)) = self.object.hold() {
            discard(&self.object);
            let _ = self
                .object
                .update(|record: &mut VmRecord| record.state = State::Expired);
        }
    }
}

/// A supervisor hears a line, or its client does.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_line(line: &[u8]) {
    let _ = serde_json::from_slice::<wire::Request>(line);
    let _ = serde_json::from_slice::<wire::Reply>(line);
    let _ = serde_json::from_slice::<wire::StartEvent>(line);
}
