//! The response of every operation on a workspace, and `workspace status`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::port::{PublishedPort, published};
use super::service;
use crate::instance::{Instance, InstanceKind};
use crate::left_out::{LeftOut, TransferWarning};
use crate::operation::{Effect, Operation, ToolSet};
use crate::operations::Machine;
use crate::request::WORKSPACE;
use crate::{Context, Engine, Error, SecretKind};

/// Show the state of a workspace
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace status 0123456789ab --json")]
pub struct Status {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
}

/// A workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Workspace {
    /// Its id.
    pub workspace_id: String,
    /// Its name, if it has one.
    #[serde(default)]
    pub name: Option<String>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its machine.
    #[serde(flatten)]
    pub machine: Machine,
    /// The directory of its files in the guest.
    pub workspace_path: String,
    /// The files that it began with.
    pub workspace_seed: Seed,
    /// Its network policy: `off`, `egress` or `egress+published-ports`.
    #[serde(default)]
    pub network_policy: String,
    /// The ports that are published on the host while it runs.
    #[serde(default)]
    pub published_ports: Vec<PublishedPort>,
    /// How many commands were run in it.
    pub command_count: usize,
    /// The last command that has ended.
    pub last_command: Option<LastCommand>,
    /// Its secrets, without their values.
    #[serde(default)]
    pub secrets: Vec<SecretKind>,
    /// How many services it has.
    #[serde(default)]
    pub service_count: usize,
    /// How many of them are running.
    #[serde(default)]
    pub running_service_count: usize,
    /// When it was made or last used, in seconds since the Unix epoch.
    #[serde(default)]
    pub last_activity_at: f64,
    /// How many bytes its disk, its seed and its snapshots occupy on the host's disk.
    #[serde(default)]
    pub disk_bytes: u64,
}

/// The files that a workspace began with.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Seed {
    /// `empty`, `directory`, `tar_archive` or `zip_archive`.
    pub mode: String,
    /// The path of the source on the host; null if the workspace began empty.
    pub seed_path: Option<String>,
    /// The path of the files in the guest.
    pub destination: String,
    /// How many files, directories and links were copied.
    pub entry_count: u64,
    /// The total size of its files, in bytes.
    pub bytes_written: u64,
    /// The files that were not copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// Warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<TransferWarning>,
}

/// A command that has ended.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct LastCommand {
    /// Its number.
    pub sequence: u64,
    /// The command.
    pub command: String,
    /// Its working directory.
    pub cwd: String,
    /// Its exit code; null if it was interrupted.
    pub exit_code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// Where it ran.
    pub execution_mode: String,
}

impl From<&Instance> for Workspace {
    fn from(instance: &Instance) -> Self {
        let (service_count, running_service_count) = service::counts(instance);
        Self {
            workspace_id: instance.id().to_owned(),
            name: instance.record.name.clone(),
            labels: instance.record.labels.clone(),
            machine: instance.into(),
            workspace_path: WORKSPACE.into(),
            workspace_seed: seed(instance),
            network_policy: instance.record.network_policy().name().into(),
            published_ports: published(instance),
            command_count: instance.history().sequences().len(),
            secrets: instance.record.secrets.clone(),
            service_count,
            running_service_count,
            last_command: last_command(instance),
            last_activity_at: instance.last_activity_at(),
            disk_bytes: instance.disk_use(),
        }
    }
}

fn seed(instance: &Instance) -> Seed {
    let seed = instance.record.seed.as_ref();
    Seed {
        mode: seed.map_or("empty", |seed| &seed.mode).to_owned(),
        seed_path: seed.map(|seed| seed.path.clone()),
        destination: WORKSPACE.into(),
        entry_count: seed.map_or(0, |seed| seed.entry_count),
        bytes_written: seed.map_or(0, |seed| seed.bytes_written),
        left_out: seed.and_then(|seed| seed.left_out.clone()),
        warnings: seed.map_or_else(Vec::new, |seed| seed.warnings.clone()),
    }
}

fn last_command(instance: &Instance) -> Option<LastCommand> {
    let history = instance.history();
    let newest_first = history.sequences().into_iter().rev();
    newest_first
        .filter_map(|sequence| history.entry(sequence).ok())
        .find_map(|entry| {
            let exit = entry.exit?;
            Some(LastCommand {
                sequence: entry.sequence,
                command: entry.command,
                cwd: entry.cwd,
                exit_code: exit.exit_code,
                duration_ms: exit.duration_ms,
                execution_mode: entry.execution_mode,
            })
        })
}

impl Operation for Status {
    const NAME: &'static str = "workspace_status";
    const COMMAND: &'static [&'static str] = &["workspace", "status"];
    const EFFECT: Effect = Effect::ReadOnly;
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = Workspace;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Workspace, Error> {
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        Ok(Workspace::from(&found))
    }
}
