//! `workspace service list`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Service;
use crate::instance::InstanceKind;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// List the services of a workspace, including those that have ended
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace service list 0123456789ab")]
pub struct List {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
}

/// The services of a workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Services {
    /// The workspace.
    pub workspace_id: String,
    /// How many there are.
    pub count: usize,
    /// How many of them are running.
    pub running_count: usize,
    /// The services, by name.
    pub services: Vec<Service>,
}

impl Operation for List {
    const NAME: &'static str = "service_list";
    const COMMAND: &'static [&'static str] = &["workspace", "service", "list"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = Services;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Services, Error> {
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let records = found.services().all().into_iter();
        let services: Vec<_> = records.map(|record| Service::of(&found, record)).collect();
        Ok(Services {
            workspace_id: self.workspace_id,
            count: services.len(),
            running_count: services.iter().filter(|service| service.runs()).count(),
            services,
        })
    }
}
