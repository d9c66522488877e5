//! `workspace stop`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Workspace;
use crate::instance::InstanceKind;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Shut down a workspace; its files and logs are kept
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace stop 0123456789ab")]
pub struct Stop {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
}

impl Operation for Stop {
    const NAME: &'static str = "workspace_stop";
    const COMMAND: &'static [&'static str] = &["workspace", "stop"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    type Output = Workspace;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Workspace, Error> {
        let id = &self.workspace_id;
        engine.instance(InstanceKind::Workspace, id)?.stop().await?;
        Ok(Workspace::from(
            &engine.instance(InstanceKind::Workspace, id)?,
        ))
    }
}
