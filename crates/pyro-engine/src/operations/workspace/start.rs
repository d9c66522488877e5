//! `workspace start`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Workspace;
use crate::instance::{self, InstanceKind, State};
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Start a stopped workspace again, with its files
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace start 0123456789ab")]
pub struct Start {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
}

impl Operation for Start {
    const NAME: &'static str = "workspace_start";
    const COMMAND: &'static [&'static str] = &["workspace", "start"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    type Output = Workspace;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Workspace, Error> {
        let id = &self.workspace_id;
        let found = engine.instance(InstanceKind::Workspace, id)?;
        match found.state {
            // It runs already.
            State::Started => {}
            // Its disk is copied: the start waits.
            State::Starting if found.object.is_only_held() => {
                instance::start(engine, &found, &context.listener).await?;
            }
            State::Starting => {
                return Err(Error::cannot_start("workspace", id, found.state.name()));
            }
            State::Expired => {
                let ttl_seconds = found.record.ttl_seconds;
                return Err(Error::expired("workspace", id, ttl_seconds));
            }
            State::Created | State::Stopped | State::Failed => {
                instance::start(engine, &found, &context.listener).await?;
            }
        }
        Ok(Workspace::from(
            &engine.instance(InstanceKind::Workspace, id)?,
        ))
    }
}
