//! `workspace port remove`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::instance::{self, InstanceKind};
use crate::operation::{Effect, Operation};
use crate::request::within;
use crate::{Context, Engine, Error};

/// Stop publishing a port of a workspace
///
/// The host's port is released, and its open connections are closed. The workspace may be stopped.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace port remove 0123456789ab 8080")]
pub struct Remove {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Port of the host, as `workspace port list` shows it
    #[arg(allow_negative_numbers = true)]
    #[schemars(range(min = 1, max = 65535))]
    pub host_port: i64,
}

/// A port that is no longer published.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct RemovedPort {
    /// The workspace.
    pub workspace_id: String,
    /// The port of the host.
    pub host_port: u16,
    /// Always true.
    pub removed: bool,
}

impl Operation for Remove {
    const NAME: &'static str = "workspace_port_remove";
    const COMMAND: &'static [&'static str] = &["workspace", "port", "remove"];
    const EFFECT: Effect = Effect::Mutating;
    type Output = RemovedPort;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<RemovedPort, Error> {
        let host_port = within("host_port", self.host_port, &(1..=65535))?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        instance::take_back(&found, host_port).await?;
        Ok(RemovedPort {
            workspace_id: self.workspace_id,
            host_port,
            removed: true,
        })
    }
}
