//! Ports of a workspace that the host publishes.

mod add;
mod list;
mod remove;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use add::{Add, AddedPort};
pub use list::{List, PublishedPorts};
pub use remove::{Remove, RemovedPort};

use crate::instance::{Instance, Published};

/// A port of a guest that is published on the host.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct PublishedPort {
    /// The address on which the host listens.
    pub host: String,
    /// The host's port.
    pub host_port: u16,
    /// The port in the guest.
    pub guest_port: u16,
    /// Always `tcp`.
    pub protocol: String,
}

impl From<&Published> for PublishedPort {
    fn from(port: &Published) -> Self {
        Self {
            host: port.host.to_string(),
            host_port: port.host_port,
            guest_port: port.guest_port,
            protocol: "tcp".into(),
        }
    }
}

/// The ports that a workspace publishes.
pub(super) fn published(instance: &Instance) -> Vec<PublishedPort> {
    instance.ports().iter().map(PublishedPort::from).collect()
}
