//! The response of every operation on an instance, and `vm status`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::instance::{Instance, InstanceKind, State};
use crate::operation::{Effect, Operation};
use crate::operations::Machine;
use crate::{Context, Engine, Error};

/// Show the state of a VM
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
    /// What it is.
    #[serde(flatten)]
    pub machine: Machine,
}

impl From<&Instance> for Vm {
    fn from(instance: &Instance) -> Self {
        Self {
            vm_id: instance.id().to_owned(),
            machine: instance.into(),
        }
    }
}

/// Finds a VM. An expired one is reported once, and deleted.
pub(super) async fn find(engine: &Engine, vm_id: &str) -> Result<Instance, Error> {
    let instance = engine.instance(InstanceKind::Vm, vm_id)?;
    if instance.state == State::Expired {
        let error = Error::expired("vm", vm_id, instance.record.ttl_seconds);
        instance.delete().await?;
        return Err(error);
    }
    Ok(instance)
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
