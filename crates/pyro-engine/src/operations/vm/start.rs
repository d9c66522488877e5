//! `vm start`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Vm, status};
use crate::instance::{self, InstanceKind, State};
use crate::operation::{Effect, Operation};
use crate::secrets::Secrets;
use crate::{Context, Engine, Error};

/// Start a VM
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro vm start 0123456789ab")]
pub struct Start {
    /// Id of the VM, as `vm create` returned it
    pub vm_id: String,
}

impl Operation for Start {
    const NAME: &'static str = "vm_start";
    const COMMAND: &'static [&'static str] = &["vm", "start"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    type Output = Vm;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Vm, Error> {
        let found = status::find(engine, &self.vm_id).await?;
        if matches!(found.state, State::Started | State::Starting) {
            return Err(Error::cannot_start("vm", &self.vm_id, found.state.name()));
        }
        instance::start(engine, &found, Secrets::default(), &context.listener).await?;
        Ok(Vm::from(&engine.instance(InstanceKind::Vm, &self.vm_id)?))
    }
}
