//! `workspace start`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Workspace;
use crate::instance::{self, Instance, InstanceKind, State};
use crate::operation::{Effect, Operation};
use crate::secrets::Secrets;
use crate::{Context, Engine, Error, Event, SecretsGiven};

/// Start a stopped workspace again, with its files
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace start 0123456789ab")]
pub struct Start {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Secrets of the workspace; they are not stored on the host's disk, so the previous ones were lost
    /// when it stopped
    #[command(flatten)]
    #[serde(default)]
    pub secrets: SecretsGiven,
}

/// Returns the secrets for a start, records their names, and warns about missing ones.
pub(super) fn again(
    found: &Instance,
    given: &SecretsGiven,
    context: &Context,
) -> Result<Secrets, Error> {
    let (secrets, kinds) = given.read(context)?;
    let record = found.add_secrets(kinds)?;
    let names = record.secrets.iter().map(|kind| kind.name.as_str());
    let missing: Vec<_> = names
        .filter(|name| !secrets.0.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        context.listener.report(Event::Warning(format!(
            "the workspace has lost the secrets {}: their values are kept in memory only, while it runs",
            missing.join(", ")
        )));
    }
    Ok(secrets)
}

impl Operation for Start {
    const NAME: &'static str = "workspace_start";
    const COMMAND: &'static [&'static str] = &["workspace", "start"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    type Output = Workspace;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Workspace, Error> {
        let id = &self.workspace_id;
        let found = engine
            .instance_to_start(InstanceKind::Workspace, id)
            .await?;
        match found.state {
            // It is already running.
            State::Started => {}
            // Its disk is being copied: the start waits.
            State::Starting if found.object.is_only_held() => {
                let secrets = again(&found, &self.secrets, context)?;
                instance::start(engine, &found, secrets, &context.listener).await?;
            }
            State::Starting => {
                return Err(Error::cannot_start("workspace", id, found.state.name()));
            }
            State::Expired => {
                let ttl_seconds = found.record.ttl_seconds;
                return Err(Error::expired("workspace", id, ttl_seconds));
            }
            State::Created | State::Stopped | State::Failed => {
                let secrets = again(&found, &self.secrets, context)?;
                instance::start(engine, &found, secrets, &context.listener).await?;
            }
        }
        Ok(Workspace::from(
            &engine.instance(InstanceKind::Workspace, id)?,
        ))
    }
}
