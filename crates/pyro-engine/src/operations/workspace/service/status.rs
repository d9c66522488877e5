//! `workspace service status`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Service, find};
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Show the state of a service, and why it ended if it has
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace service status 0123456789ab web")]
pub struct Status {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Name of the service
    pub service_name: String,
}

impl Operation for Status {
    const NAME: &'static str = "service_status";
    const COMMAND: &'static [&'static str] = &["workspace", "service", "status"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = Service;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Service, Error> {
        Ok(find(engine, &self.workspace_id, &self.service_name)?.1)
    }
}
