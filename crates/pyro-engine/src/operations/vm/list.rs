//! `vm list`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Vm;
use crate::instance::InstanceKind;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error, Event};

/// List the VMs
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro vm list --json")]
pub struct List {}

/// All VMs.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Vms {
    /// How many there are.
    pub count: usize,
    /// The VMs, the newest first.
    pub vms: Vec<Vm>,
}

impl Operation for List {
    const NAME: &'static str = "vm_list";
    const COMMAND: &'static [&'static str] = &["vm", "list"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = Vms;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Vms, Error> {
        let (mut found, broken) = engine.all_instances(InstanceKind::Vm);
        for problem in broken {
            context.listener.report(Event::Warning(problem));
        }
        found.sort_by(|one, other| other.record.created_at.total_cmp(&one.record.created_at));
        let vms: Vec<Vm> = found.iter().map(Vm::from).collect();
        Ok(Vms {
            count: vms.len(),
            vms,
        })
    }
}
