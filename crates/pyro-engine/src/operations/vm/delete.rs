//! `vm delete`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::instance::{self, InstanceKind};
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Delete a VM with everything in it, even if a command is running
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro vm delete 0123456789ab")]
pub struct Delete {
    /// Id of the VM, as `vm create` returned it
    pub vm_id: String,
}

/// A deleted VM.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Deleted {
    /// The VM.
    pub vm_id: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Why.
    pub reason: String,
}

impl Operation for Delete {
    const NAME: &'static str = "vm_delete";
    const COMMAND: &'static [&'static str] = &["vm", "delete"];
    const EFFECT: Effect = Effect::Destructive;
    const IDEMPOTENT: bool = true;
    type Output = Deleted;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Deleted, Error> {
        instance::delete(engine, InstanceKind::Vm, &self.vm_id).await?;
        Ok(Deleted {
            vm_id: self.vm_id,
            deleted: true,
            reason: "explicit_delete".into(),
        })
    }
}
