//! `vm stop`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Vm, status};
use crate::instance::InstanceKind;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Shut down a VM; its files are kept and it can be started again
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro vm stop 0123456789ab")]
pub struct Stop {
    /// Id of the VM, as `vm create` returned it
    pub vm_id: String,
}

impl Operation for Stop {
    const NAME: &'static str = "vm_stop";
    const COMMAND: &'static [&'static str] = &["vm", "stop"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    type Output = Vm;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Vm, Error> {
        let found = status::find(engine, &self.vm_id).await?;
        found.stop().await?;
        Ok(Vm::from(&engine.instance(InstanceKind::Vm, &self.vm_id)?))
    }
}
