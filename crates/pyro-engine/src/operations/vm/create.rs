//! `vm create`

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Vm;
use crate::environment;
use crate::instance::{self, InstanceKind, NewInstance};
use crate::operation::{Effect, Operation};
use crate::pull_choice;
use crate::request::{
    DEFAULT_MEM_MIB, DEFAULT_VCPU_COUNT, MEM_MIB, TTL_SECONDS, VCPU_COUNT, one_gibibyte, one_vcpu,
    ten_minutes, within,
};
use crate::{Context, Engine, Error};

/// Create a VM that outlives this call, without starting it
///
/// The VM exists until it is deleted or its time to live is over. Any process of the same user can
/// use it by its id.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro vm create debian:12 --ttl-seconds 3600\n  \
    pyro vm create debian:12-build --vcpu-count 2 --mem-mib 2048 --json")]
pub struct Create {
    /// Environment to boot, for example `debian:12`
    pub environment: String,
    /// Virtual processors, 1 to 8
    #[arg(long, default_value_t = DEFAULT_VCPU_COUNT.into(), value_name = "N", allow_negative_numbers = true)]
    #[serde(default = "one_vcpu")]
    #[schemars(range(min = 1, max = 8))]
    pub vcpu_count: i64,
    /// Memory in MiB, 256 to 32768
    #[arg(long, default_value_t = DEFAULT_MEM_MIB.into(), value_name = "MIB", allow_negative_numbers = true)]
    #[serde(default = "one_gibibyte")]
    #[schemars(range(min = 256, max = 32768))]
    pub mem_mib: i64,
    /// Time to live in seconds, after which the VM is deleted even if a command is running; 60 to
    /// 3600
    #[arg(long, default_value_t = ten_minutes(), value_name = "SECONDS", allow_negative_numbers = true)]
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 60, max = 3600))]
    pub ttl_seconds: i64,
    /// Let the guest reach the Internet, but neither this host nor private networks
    #[arg(long)]
    #[serde(default)]
    pub network: bool,
    /// Accepted for compatibility, without effect: VMs and workspaces never run on the host
    #[arg(long)]
    #[serde(default)]
    pub allow_host_compat: bool,
    /// When to ask what the name of an image stands for: `always`; `missing`, if that is not known yet;
    /// `never`, and use only what is installed
    #[arg(long, default_value_t = pull_choice::missing(), value_name = "WHEN", value_parser = pull_choice::CHOICES)]
    #[serde(default = "pull_choice::missing")]
    #[schemars(extend("enum" = pull_choice::CHOICES))]
    pub pull: String,
}

impl Operation for Create {
    const NAME: &'static str = "vm_create";
    const COMMAND: &'static [&'static str] = &["vm", "create"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    type Output = Vm;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Vm, Error> {
        let vcpu_count = within("vcpu_count", self.vcpu_count, &VCPU_COUNT)?;
        let mem_mib = within("mem_mib", self.mem_mib, &MEM_MIB)?;
        let ttl_seconds = within("ttl_seconds", self.ttl_seconds, &TTL_SECONDS)?;
        let permissions = &context.permissions;
        let policy = permissions.pull_policy(&self.environment, pull_choice::policy(&self.pull)?);
        let ready =
            environment::ready(engine, &context.listener, &self.environment, policy).await?;
        let new = NewInstance {
            kind: InstanceKind::Vm,
            ready: &ready,
            vcpu_count,
            mem_mib,
            ttl_seconds,
            network: self.network,
            network_policy: None,
            ports: Vec::new(),
            allow_host_compat: self.allow_host_compat,
            name: None,
            labels: BTreeMap::new(),
            secrets: Vec::new(),
        };
        let object = engine.objects(InstanceKind::Vm).create()?;
        Ok(Vm::from(&instance::create(object, &new, None)?))
    }
}
