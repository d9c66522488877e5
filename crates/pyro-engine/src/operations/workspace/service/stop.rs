//! `workspace service stop`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Service, find, take_ports_back};
use crate::instance::{self, State};
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Stop a service of a workspace
///
/// The service gets SIGTERM; if it has not ended after 10 seconds, it is killed with all its
/// processes. A service that is not running is left as it is. Its output can still be read. Ports
/// that were published with it are released.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace service stop 0123456789ab web")]
pub struct Stop {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Name of the service
    pub service_name: String,
}

impl Operation for Stop {
    const NAME: &'static str = "service_stop";
    const COMMAND: &'static [&'static str] = &["workspace", "service", "stop"];
    const EFFECT: Effect = Effect::Destructive;
    const IDEMPOTENT: bool = true;
    type Output = Service;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Service, Error> {
        let (found, service) = find(engine, &self.workspace_id, &self.service_name)?;
        if found.state != State::Started {
            return Ok(service);
        }
        let known = found.services().record(&self.service_name);
        if known.is_some_and(|record| record.is_alive()) {
            instance::stop_service(&found, &self.service_name).await?;
        }
        // Of a start whose caller was killed before there was a service.
        let (found, _) = find(engine, &self.workspace_id, &self.service_name)?;
        take_ports_back(&found, &self.service_name).await?;
        Ok(find(engine, &self.workspace_id, &self.service_name)?.1)
    }
}
