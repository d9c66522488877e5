//! Finding *instances* by their ids.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pyro_machine::NetworkInfo;
use pyro_store::{History, HistoryEntry, Object, Objects, RecordError};

use super::activity::Activity;
use super::files;
use super::kind::InstanceKind;
use super::published::Published;
use super::record::{State, VmRecord};
use super::services::ServiceFiles;
use super::shell_record::ShellFiles;
use super::time::now;
use crate::request::{WORKSPACE, path_text};
use crate::secrets::SecretKind;
use crate::{Engine, Error};

/// How long an instance may take to end: its guest shuts down, and its commands are recorded.
const ENDING_LIMIT: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// An instance, and its state when it was found.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) kind: InstanceKind,
    pub(crate) object: Object,
    pub(crate) record: VmRecord,
    /// The actual state: the recorded one, corrected if the supervisor died before updating it.
    pub(crate) state: State,
    /// The reason of the state, if it did not end normally.
    pub(crate) reason: Option<String>,
}

impl Engine {
    pub(crate) fn objects(&self, kind: InstanceKind) -> Objects {
        Objects::new(self.config.base_dir.join(kind.directory()))
    }

    /// Finds an instance.
    pub(crate) fn instance(&self, kind: InstanceKind, id: &str) -> Result<Instance, Error> {
        let object = self
            .objects(kind)
            .find(id)
            .ok_or_else(|| Error::no_such(kind.noun(), id))?;
        Instance::read(kind, object).map_err(|error| match error {
            // It was deleted a moment ago.
            RecordError::Missing { .. } => Error::no_such(kind.noun(), id),
            error => Error::unreadable_record(kind.noun(), id, &error),
        })
    }

    /// Finds an instance to start it. Waits for the end of one that is ending.
    pub(crate) async fn instance_to_start(
        &self,
        kind: InstanceKind,
        id: &str,
    ) -> Result<Instance, Error> {
        let begun = Instant::now();
        loop {
            let found = self.instance(kind, id)?;
            if !(found.record.is_ending && found.object.is_owned()) {
                return Ok(found);
            }
            if begun.elapsed() > ENDING_LIMIT {
                return Err(Error::cannot_start(kind.noun(), id, "ending"));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Finds all instances whose record can be read; returns the errors of the others.
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
    /// The ports that it publishes, now or when it is started.
    pub(crate) fn ports(&self) -> Vec<Published> {
        match self.state {
            State::Started => self.record.ports.clone(),
            _ => self.services().ports_at_start(&self.record),
        }
    }

    pub(super) fn read(kind: InstanceKind, object: Object) -> Result<Self, RecordError> {
        // Ownership is checked before and after: the instance may stop, or start, in between.
        let owned = object.is_owned();
        let record: VmRecord = object.record()?;
        let owned = owned || object.is_owned();
        // A supervisor that has started has recorded its ownership: another process holds the lock
        // of a killed supervisor.
        let owned = owned && !(record.state == State::Started && object.is_only_held());
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
        files::history(&self.object)
    }

    /// The record of the command with this number.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn command(&self, sequence: u64) -> Result<HistoryEntry, Error> {
        let history = self.history();
        if !history.sequences().contains(&sequence) {
            return Err(Error::no_such_command(self.id(), sequence));
        }
        Ok(history.entry(sequence)?)
    }

    /// Records the names of further secrets.
    pub(crate) fn add_secrets(&self, kinds: Vec<SecretKind>) -> Result<VmRecord, Error> {
        let add = |record: &mut VmRecord| {
            for kind in kinds {
                record.secrets.retain(|known| known.name != kind.name);
                record.secrets.push(kind);
            }
            record
                .secrets
                .sort_by(|one, other| one.name.cmp(&other.name));
        };
        let unreadable = |error| Error::unreadable_record(self.kind.noun(), self.id(), &error);
        self.object.update(add).map_err(unreadable)
    }

    /// The files of its services.
    pub(crate) fn services(&self) -> ServiceFiles {
        ServiceFiles::of(self.object.path())
    }

    /// The files of its shells.
    pub(crate) fn shells(&self) -> ShellFiles {
        ShellFiles::of(self.object.path())
    }

    pub(crate) fn activity(&self) -> Activity {
        Activity::of(&self.object)
    }

    /// When it was made or last used, in seconds since the Unix epoch.
    pub(crate) fn last_activity_at(&self) -> f64 {
        let created_at = self.record.created_at;
        let noted = self.activity().last();
        noted.unwrap_or(created_at).max(created_at)
    }

    /// The addresses of its network, if it has one.
    pub(crate) fn network(&self) -> Option<NetworkInfo> {
        self.record
            .spec
            .network
            .then(|| NetworkInfo::of(self.object.id()))
    }

    /// Its other properties, as text.
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

    /// Fails if the VM is running, or its disk is gone. A VM that seems to be starting may only be
    /// locked briefly.
    pub(crate) fn require_stopped(&self, purpose: &str) -> Result<(), Error> {
        let (noun, id) = (self.kind.noun(), self.id());
        match self.state {
            State::Created | State::Starting | State::Stopped | State::Failed => Ok(()),
            State::Expired => Err(Error::expired(noun, id, self.record.ttl_seconds)),
            State::Started => {
                let state = self.state.name();
                Err(Error::not_stopped(noun, id, state, purpose))
            }
        }
    }

    /// Fails if its lifetime is over: its files are removed then.
    pub(crate) fn require_not_expired(&self) -> Result<(), Error> {
        match self.state {
            State::Expired => Err(Error::expired(
                self.kind.noun(),
                self.id(),
                self.record.ttl_seconds,
            )),
            _ => Ok(()),
        }
    }

    /// Fails unless the VM is running.
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
