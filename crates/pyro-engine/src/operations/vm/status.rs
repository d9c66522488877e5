//! What every operation on a lasting VM returns, and `vm status` alone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lasting::{Kind, Lasting, State};
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Show what a VM is doing
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro vm status 0123456789ab --json")]
pub struct Status {
    /// Id of the VM, as `vm create` returned it
    pub vm_id: String,
}

/// A VM that outlives the call that made it.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Vm {
    /// Its id.
    pub vm_id: String,
    /// Its environment.
    pub environment: String,
    /// The environment's version.
    pub environment_version: Option<String>,
    /// Virtual processors.
    pub vcpu_count: u32,
    /// Memory, in MiB.
    pub mem_mib: u32,
    /// How long it may exist, in seconds.
    pub ttl_seconds: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: f64,
    /// When its time is over, in seconds since the Unix epoch.
    pub expires_at: Option<f64>,
    /// `created`, `starting`, `started`, `stopped`, `failed` or `expired`.
    pub state: String,
    /// Whether it has access to the network.
    pub network_enabled: bool,
    /// Whether commands were allowed to run on the host.
    pub allow_host_compat: bool,
    /// Its address, if it has access to the network.
    pub guest_ip: Option<String>,
    /// Always null: no device of the host is needed.
    pub tap_name: Option<String>,
    /// Where commands run.
    pub execution_mode: String,
    /// More about it.
    pub metadata: BTreeMap<String, String>,
    /// Present if it did not end in order: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
}

impl From<&Lasting> for Vm {
    fn from(lasting: &Lasting) -> Self {
        let record = &lasting.record;
        Self {
            vm_id: lasting.id().to_owned(),
            environment: record.environment.clone(),
            environment_version: Some(record.environment_version.clone()),
            vcpu_count: record.spec.vcpu_count,
            mem_mib: record.spec.mem_mib,
            ttl_seconds: record.ttl_seconds,
            created_at: record.created_at,
            expires_at: record.expires_at,
            state: lasting.state.name().into(),
            network_enabled: record.spec.network,
            allow_host_compat: record.allow_host_compat,
            guest_ip: lasting
                .network()
                .map(|network| network.guest_ip.to_string()),
            tap_name: None,
            execution_mode: "guest_vsock".into(),
            metadata: lasting.metadata(),
            state_reason: lasting.reason.clone(),
        }
    }
}

/// Finds a VM. One whose time is over is reported once, and then there is none any more.
pub(super) async fn find(engine: &Engine, vm_id: &str) -> Result<Lasting, Error> {
    let lasting = engine.lasting(Kind::Vm, vm_id)?;
    if lasting.state == State::Expired {
        let error = Error::expired("vm", vm_id, lasting.record.ttl_seconds);
        lasting.delete().await?;
        return Err(error);
    }
    Ok(lasting)
}

impl Operation for Status {
    const NAME: &'static str = "vm_status";
    const COMMAND: &'static [&'static str] = &["vm", "status"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = Vm;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Vm, Error> {
        Ok(Vm::from(&find(engine, &self.vm_id).await?))
    }
}
