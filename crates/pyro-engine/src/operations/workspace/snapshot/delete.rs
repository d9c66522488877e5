//! `workspace snapshot delete`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_name;
use crate::instance::InstanceKind;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Delete a snapshot of a workspace
///
/// The workspace itself is not changed. The snapshot `baseline` cannot be deleted.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace snapshot delete 0123456789ab before-upgrade")]
pub struct Delete {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Name of the snapshot
    pub snapshot_name: String,
}

/// A snapshot that was deleted.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Deleted {
    /// The workspace.
    pub workspace_id: String,
    /// The name of the snapshot.
    pub snapshot_name: String,
    /// Always true.
    pub deleted: bool,
}

impl Operation for Delete {
    const NAME: &'static str = "snapshot_delete";
    const COMMAND: &'static [&'static str] = &["workspace", "snapshot", "delete"];
    const EFFECT: Effect = Effect::Destructive;
    type Output = Deleted;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Deleted, Error> {
        check_name(&self.snapshot_name)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.delete_snapshot(&self.snapshot_name).await?;
        Ok(Deleted {
            workspace_id: self.workspace_id,
            snapshot_name: self.snapshot_name,
            deleted: true,
        })
    }
}
