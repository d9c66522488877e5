//! `workspace reset`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Workspace;
use super::snapshot::{baseline, check_any_name, named};
use super::start::again;
use crate::instance::{self, BASELINE, InstanceKind};
use crate::operation::{Effect, Operation, ToolSet};
use crate::request::WORKSPACE;
use crate::{Context, Engine, Error, SecretsGiven};

/// Restore the files of a workspace to its initial state or to a snapshot
///
/// All later changes are lost. The machine is stopped, and a new one starts with the snapshot's
/// disk. The commands and their logs are removed. The workspace keeps its id, its time to live and
/// its snapshots.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace reset 0123456789ab\n  \
    pyro workspace reset 0123456789ab --snapshot before-upgrade")]
pub struct Reset {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Snapshot to restore; `baseline` has the files that the workspace began with
    #[arg(long, default_value_t = baseline_name(), value_name = "NAME")]
    #[serde(default = "baseline_name")]
    pub snapshot: String,
    /// Secrets of the workspace; they are not stored on the host's disk, so a reset discards the
    /// previous ones
    #[command(flatten)]
    #[serde(default)]
    pub secrets: SecretsGiven,
}

fn baseline_name() -> String {
    BASELINE.into()
}

/// A workspace that was reset.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ResetWorkspace {
    /// The workspace.
    #[serde(flatten)]
    pub workspace: Workspace,
    /// The state that was restored.
    pub workspace_reset: Restored,
}

/// The state to which a workspace was reset.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Restored {
    /// The snapshot.
    pub snapshot_name: String,
    /// `baseline` or `named`.
    pub kind: String,
    /// The directory of its files in the guest.
    pub destination: String,
    /// How many files, directories and links the snapshot has in it; null if unknown.
    pub entry_count: Option<u64>,
    /// The total size of its files, in bytes; null if unknown.
    pub bytes_written: Option<u64>,
}

impl Operation for Reset {
    const NAME: &'static str = "workspace_reset";
    const COMMAND: &'static [&'static str] = &["workspace", "reset"];
    const EFFECT: Effect = Effect::Destructive;
    const TOOL_SET: ToolSet = ToolSet::Core;
    const FULL_ONLY: &'static [&'static str] = &["secrets"];
    type Output = ResetWorkspace;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<ResetWorkspace, Error> {
        let (id, name) = (&self.workspace_id, &*self.snapshot);
        check_any_name(name)?;
        let found = engine.instance(InstanceKind::Workspace, id)?;
        let snapshot = if name == BASELINE {
            baseline(&found)
        } else {
            named(&found, name, &found.snapshot(name)?)
        };
        // Checked while the old files still exist.
        engine.check_room(snapshot.disk_bytes).await?;
        found.begin_reset(name).await?;
        let found = engine.instance(InstanceKind::Workspace, id)?;
        let secrets = again(&found, &self.secrets, context)?;
        instance::start(engine, &found, secrets, &context.listener).await?;
        Ok(ResetWorkspace {
            workspace: Workspace::from(&engine.instance(InstanceKind::Workspace, id)?),
            workspace_reset: Restored {
                snapshot_name: snapshot.snapshot_name,
                kind: snapshot.kind,
                destination: WORKSPACE.into(),
                entry_count: snapshot.entry_count,
                bytes_written: snapshot.bytes_written,
            },
        })
    }
}
