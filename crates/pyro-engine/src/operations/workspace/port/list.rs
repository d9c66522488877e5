//! `workspace port list`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PublishedPort, published};
use crate::instance::InstanceKind;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// List the ports of a workspace that are published on this host
///
/// The ports of a stopped workspace are published again when it starts.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace port list 0123456789ab --json")]
pub struct List {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
}

/// The ports of a workspace that are published.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct PublishedPorts {
    /// The workspace.
    pub workspace_id: String,
    /// How many there are.
    pub count: usize,
    /// The ports, in the order in which they were published.
    pub published_ports: Vec<PublishedPort>,
}

impl Operation for List {
    const NAME: &'static str = "workspace_port_list";
    const COMMAND: &'static [&'static str] = &["workspace", "port", "list"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = PublishedPorts;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<PublishedPorts, Error> {
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let published_ports = published(&found);
        Ok(PublishedPorts {
            workspace_id: self.workspace_id,
            count: published_ports.len(),
            published_ports,
        })
    }
}
