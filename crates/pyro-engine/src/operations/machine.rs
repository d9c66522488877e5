//! The *machine* of a VM or a workspace, as results show it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::instance::Instance;

/// A machine that outlives the call that created it: the requested resources, and its state.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Machine {
    /// Its environment.
    pub environment: String,
    /// The environment's version.
    pub environment_version: Option<String>,
    /// Virtual processors.
    pub vcpu_count: u32,
    /// Memory, in MiB.
    pub mem_mib: u32,
    /// Its time to live in seconds; 0 for no limit.
    pub ttl_seconds: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: f64,
    /// When its time to live is over, in seconds since the Unix epoch; null for never.
    pub expires_at: Option<f64>,
    /// `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
    pub state: String,
    /// Whether it has access to the network.
    pub network_enabled: bool,
    /// Whether commands were allowed to run on the host.
    pub allow_host_compat: bool,
    /// Its IP address, if it has access to the network.
    pub guest_ip: Option<String>,
    /// Always null: no device of the host is needed.
    pub tap_name: Option<String>,
    /// Where commands run.
    pub execution_mode: String,
    /// Further metadata.
    pub metadata: BTreeMap<String, String>,
    /// Present if it was not shut down properly: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
}

impl From<&Instance> for Machine {
    fn from(instance: &Instance) -> Self {
        let record = &instance.record;
        let network = instance.network();
        Self {
            environment: record.environment.clone(),
            environment_version: Some(record.environment_version.clone()),
            vcpu_count: record.spec.vcpu_count,
            mem_mib: record.spec.mem_mib,
            ttl_seconds: record.ttl_seconds,
            created_at: record.created_at,
            expires_at: record.expires_at,
            state: instance.state.name().into(),
            network_enabled: record.spec.network,
            allow_host_compat: record.allow_host_compat,
            guest_ip: network.map(|network| network.guest_ip.to_string()),
            tap_name: None,
            execution_mode: "guest_vsock".into(),
            metadata: instance.metadata(),
            state_reason: instance.reason.clone(),
        }
    }
}
