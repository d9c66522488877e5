//! The *record* of a service, and its files.

use std::fs;
use std::path::{Path, PathBuf};

use pyro_store::{create_private_directory, write_atomically};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::command_options::CommandOptions;
use crate::instance::files::SERVICES;
use crate::instance::published::Published;
use crate::instance::record::VmRecord;
use crate::instance::text_log::TextLog;
use crate::output::is_false;

const RECORD: &str = "service.json";
/// A record is shorter: a command line has at most 128 KiB, which escaping may make six times as long.
const RECORD_LIMIT_BYTES: u64 = 2 * 1024 * 1024;

/// What a service is.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ServiceDefinition {
    pub(crate) name: String,
    pub(crate) command: String,
    pub(crate) options: CommandOptions,
    pub(crate) readiness: Option<Readiness>,
    pub(crate) ready_timeout_seconds: u64,
    pub(crate) ready_interval_ms: u64,
    pub(crate) restart: Restart,
    /// How often in a row it is restarted at most.
    pub(crate) max_restarts: u32,
    /// Whether the machine may be paused while it runs.
    pub(crate) pausable: bool,
    /// Whether it is started with its workspace.
    pub(crate) autostart: bool,
}

/// When a service is ready.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Readiness {
    /// The file exists.
    File {
        /// An absolute path in the guest.
        path: String,
    },
    /// A TCP port of the guest's loopback accepts connections.
    Tcp {
        /// As it was asked for.
        address: String,
        port: u16,
    },
    /// A request is answered with a status below 400.
    Http {
        /// As it was asked for.
        url: String,
        port: u16,
        /// The path of the request.
        target: String,
    },
    /// A command exits with 0.
    Command { command: String },
}

/// When a service is started again that has ended by itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Restart {
    #[default]
    No,
    /// If it did not exit with 0.
    OnFailure,
}

/// The state of a service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServiceState {
    Running,
    /// It has ended by itself.
    Exited,
    /// It was ended.
    Stopped,
    /// It did not become ready.
    Failed,
}

impl ServiceState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// Why a service does not run. The names are part of the contract.
pub(crate) const SIGTERM: &str = "sigterm";
pub(crate) const SIGKILL: &str = "sigkill";
pub(crate) const NOT_READY_IN_TIME: &str = "readiness_timeout";
pub(crate) const EXITED_BEFORE_READY: &str = "process_exited_before_ready";
pub(crate) const WORKSPACE_STOPPED: &str = "workspace_stopped";

/// What is recorded of a service.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ServiceRecord {
    pub(crate) definition: ServiceDefinition,
    pub(crate) state: ServiceState,
    /// Seconds since the Unix epoch.
    pub(crate) started_at: f64,
    pub(crate) ended_at: Option<f64>,
    /// 128 + N if signal N ended it.
    pub(crate) exit_code: Option<i32>,
    /// The process id in the guest, of the last run.
    pub(crate) pid: Option<i32>,
    pub(crate) ready_at: Option<f64>,
    pub(crate) stop_reason: Option<String>,
    /// How often it was restarted in a row.
    pub(crate) restarts: u32,
    /// Whether it has ended, but will be started again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) restart_due: bool,
}

impl ServiceRecord {
    /// Whether it is not over: it runs, or will be started again; or it would, if its instance had not
    /// ended.
    pub(crate) fn is_alive(&self) -> bool {
        self.state == ServiceState::Running || self.restart_due
    }

    /// Whether it begins with the next start of its instance, if that ends, or has ended.
    pub(in crate::instance) fn begins_with_its_instance(&self) -> bool {
        let ends_with_it =
            self.is_alive() || self.stop_reason.as_deref() == Some(WORKSPACE_STOPPED);
        ends_with_it && self.definition.autostart
    }
}

/// The files of the services of one VM.
#[derive(Clone, Debug)]
pub(crate) struct ServiceFiles {
    directory: PathBuf,
}

impl ServiceFiles {
    pub(in crate::instance) fn of(object: &Path) -> Self {
        Self {
            directory: object.join(SERVICES),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn stdout(&self, name: &str) -> TextLog {
        TextLog::new(&self.path(name), "stdout")
    }

    pub(crate) fn stderr(&self, name: &str) -> TextLog {
        TextLog::new(&self.path(name), "stderr")
    }

    /// The record of a service, whose name must be a plain one; `None` if there is none.
    pub(crate) fn record(&self, name: &str) -> Option<ServiceRecord> {
        let path = self.path(name).join(RECORD);
        if path.metadata().ok()?.len() > RECORD_LIMIT_BYTES {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// All records, by name.
    pub(crate) fn all(&self) -> Vec<ServiceRecord> {
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names.iter().filter_map(|name| self.record(name)).collect()
    }

    pub(in crate::instance) fn write(&self, record: &ServiceRecord) -> Result<(), Error> {
        let text =
            serde_json::to_vec(record).map_err(|error| Error::no_supervisor(&error.to_string()))?;
        let path = self.path(&record.definition.name).join(RECORD);
        Ok(write_atomically(&path, &text)?)
    }

    /// Begins a run: the output of the one before is removed. At each moment there is a record, the old
    /// one or the new one: a service that is started again is not lost meanwhile.
    pub(in crate::instance) fn begin(&self, record: &ServiceRecord) -> Result<(), Error> {
        let name = &record.definition.name;
        create_private_directory(&self.directory)?;
        create_private_directory(&self.path(name))?;
        for log in [self.stdout(name), self.stderr(name)] {
            let removed = log.remove();
            removed.map_err(|error| Error::unreadable_log(&self.path(name), &error))?;
        }
        self.write(record)
    }

    /// Removes a service.
    pub(in crate::instance) fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        fs::remove_dir_all(&path).map_err(|error| Error::unreadable_log(&path, &error))
    }

    /// Records that no service runs: those that did ended with their machine.
    pub(in crate::instance) fn close(&self) -> Result<(), Error> {
        for mut record in self.all() {
            if record.is_alive() {
                record.restart_due = false;
                record.state = ServiceState::Stopped;
                record.stop_reason = Some(WORKSPACE_STOPPED.into());
                self.write(&record)?;
            }
        }
        Ok(())
    }

    /// Those that begin with the next start of their instance.
    pub(in crate::instance) fn begin_with_it(&self) -> Vec<ServiceDefinition> {
        let all = self.all().into_iter();
        let begin = all.filter(ServiceRecord::begins_with_its_instance);
        begin.map(|record| record.definition).collect()
    }

    /// The ports that an instance which does not run publishes when it starts: those of a service only
    /// if that begins, too.
    pub(in crate::instance) fn ports_at_start(&self, record: &VmRecord) -> Vec<Published> {
        // A reset leaves no services.
        let begins = |service: &str| {
            let known = self.record(service).filter(|_| record.reset_to.is_none());
            known.is_some_and(|service| service.begins_with_its_instance())
        };
        let kept = |port: &&Published| port.service.as_deref().is_none_or(begins);
        record.ports.iter().filter(kept).cloned().collect()
    }
}
