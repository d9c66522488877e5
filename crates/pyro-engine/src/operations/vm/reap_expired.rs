//! `vm reap-expired`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::instance::{InstanceKind, State};
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Delete the records of the VMs whose time to live is over
///
/// The VMs ended when their time was over, and their disks were removed then; this removes their
/// records.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro vm reap-expired --json")]
pub struct ReapExpired {}

/// The VMs that were deleted.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Reaped {
    /// Their ids.
    pub deleted_vm_ids: Vec<String>,
    /// How many there were.
    pub count: usize,
}

impl Operation for ReapExpired {
    const NAME: &'static str = "vm_reap_expired";
    const COMMAND: &'static [&'static str] = &["vm", "reap-expired"];
    const EFFECT: Effect = Effect::Destructive;
    const IDEMPOTENT: bool = true;
    type Output = Reaped;

    async fn run(self, engine: &Engine, _: &mut Context) -> Result<Reaped, Error> {
        let mut deleted_vm_ids = Vec::new();
        for instance in engine.all_instances(InstanceKind::Vm).0 {
            if instance.state == State::Expired {
                deleted_vm_ids.push(instance.id().to_owned());
                instance.delete().await?;
            }
        }
        Ok(Reaped {
            count: deleted_vm_ids.len(),
            deleted_vm_ids,
        })
    }
}
