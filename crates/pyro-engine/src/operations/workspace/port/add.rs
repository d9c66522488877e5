//! `workspace port add`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PublishedPort;
use crate::instance::{self, InstanceKind};
use crate::operation::{Effect, Operation};
use crate::port_rule::PortRule;
use crate::{Context, Engine, Error};

/// Publish a TCP port of a running workspace on this host
///
/// Connections to the host's port are forwarded to the guest's port. The server in the guest may be
/// started later, and the guest needs no network. The host listens on its loopback address unless
/// another address is given. The port is published again whenever the workspace starts.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace port add 0123456789ab 8000\n  \
    pyro workspace port add 0123456789ab 8080:80\n  \
    pyro workspace port add 0123456789ab 192.0.2.1:8080:80")]
pub struct Add {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Port in the guest, optionally after the host's port (1025 to 65535) and address: `8000`,
    /// `8080:80`, `ADDRESS:8080:80`
    #[arg(value_name = "[[ADDRESS:]HOST_PORT:]GUEST_PORT")]
    pub port: PortRule,
}

/// A port that was published.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct AddedPort {
    /// The workspace.
    pub workspace_id: String,
    /// The ports and the address.
    pub published_port: PublishedPort,
}

impl Operation for Add {
    const NAME: &'static str = "workspace_port_add";
    const COMMAND: &'static [&'static str] = &["workspace", "port", "add"];
    const EFFECT: Effect = Effect::Mutating;
    type Output = AddedPort;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<AddedPort, Error> {
        context.permissions.check_ports(&[self.port])?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("workspace_port_add")?;
        let port = instance::publish(&found, self.port.into()).await?;
        Ok(AddedPort {
            workspace_id: self.workspace_id,
            published_port: (&port).into(),
        })
    }
}
