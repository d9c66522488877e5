//! `vm network-info`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status;
use crate::instance::State;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Show the network of a VM
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro vm network-info 0123456789ab --json")]
pub struct NetworkInfo {
    /// Id of the VM, as `vm create` returned it
    pub vm_id: String,
}

/// The network of a VM. A VM without a network has no addresses, but a reason.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct VmNetwork {
    /// The VM.
    pub vm_id: String,
    /// Whether it has access to the network.
    pub network_enabled: bool,
    /// Whether outgoing connections should work.
    pub outbound_connectivity_expected: bool,
    /// Why there is no network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its addresses.
    #[serde(flatten)]
    pub addresses: Option<Addresses>,
}

/// The addresses of a VM with a network.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct Addresses {
    /// Always null: no device of the host is needed.
    pub tap_name: Option<String>,
    /// Its own address.
    pub guest_ip: String,
    /// Its default gateway.
    pub gateway_ip: String,
    /// Its subnet.
    pub subnet_cidr: String,
    /// The hardware address of its network card.
    pub mac_address: String,
    /// Its name servers.
    pub dns_servers: Vec<String>,
}

impl Operation for NetworkInfo {
    const NAME: &'static str = "vm_network_info";
    const COMMAND: &'static [&'static str] = &["vm", "network-info"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = VmNetwork;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<VmNetwork, Error> {
        let found = status::find(engine, &self.vm_id).await?;
        let Some(network) = found.network() else {
            let reason = "network configuration is unavailable for this VM";
            return Ok(VmNetwork {
                vm_id: self.vm_id,
                reason: Some(reason.into()),
                ..VmNetwork::default()
            });
        };
        Ok(VmNetwork {
            vm_id: self.vm_id,
            network_enabled: true,
            outbound_connectivity_expected: found.state == State::Started,
            reason: None,
            addresses: Some(Addresses {
                tap_name: network.tap_name,
                guest_ip: network.guest_ip.to_string(),
                gateway_ip: network.gateway_ip.to_string(),
                subnet_cidr: network.subnet_cidr,
                mac_address: network.mac_address,
                dns_servers: network
                    .dns_servers
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            }),
        })
    }
}
