//! `workspace delete`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::instance::{self, InstanceKind};
use crate::operation::{Effect, Operation, ToolSet};
use crate::{Context, Engine, Error};

/// Delete a workspace with its files and logs, even if commands are running
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace delete 0123456789ab")]
pub struct Delete {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
}

/// A deleted workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Deleted {
    /// The workspace.
    pub workspace_id: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Why.
    pub reason: String,
}

impl Operation for Delete {
    const NAME: &'static str = "workspace_delete";
    const COMMAND: &'static [&'static str] = &["workspace", "delete"];
    const EFFECT: Effect = Effect::Destructive;
    const IDEMPOTENT: bool = true;
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = Deleted;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Deleted, Error> {
        instance::delete(engine, InstanceKind::Workspace, &self.workspace_id).await?;
        Ok(Deleted {
            workspace_id: self.workspace_id,
            deleted: true,
            reason: "explicit_delete".into(),
        })
    }
}
