//! *Claiming* a parked machine.

use std::time::Duration;

use super::plan::Plan;
use crate::instance::{LeasedMachine, Machine};
use crate::machines::{LaunchEvent, Listener, Machines};
use crate::phases::PhaseClock;

/// How long it may take to give a parked machine its identity.
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(5);

impl Machines {
    /// Takes over a parked machine, if there is one.
    pub(super) async fn claim(&self, plan: &Plan<'_>, listener: Listener<'_>) -> Option<Machine> {
        // Parked machines have no network.
        if !plan.proved || plan.spec.network {
            return None;
        }
        let claim = self.parked_pool().claim(&plan.parked_kind()?)?;
        let id = claim.id.clone();
        let vms = self.directory();
        let clock = PhaseClock::since(plan.begun);
        let accelerator = plan.platform.accelerator;
        LeasedMachine::take_over(claim, accelerator, vms, clock, TAKE_OVER_LIMIT)
            .await
            .inspect(|_| listener(LaunchEvent::Starting(&id)))
            .inspect_err(|error| tracing::warn!(error, "a parked machine is not usable"))
            .ok()
            .map(Machine::from)
    }
}
