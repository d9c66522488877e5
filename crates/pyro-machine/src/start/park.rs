//! *Parking* a machine, ahead of its use.

use std::io;
use std::time::Duration;

use serde_json::json;

use super::warm_up::warm_up;
use crate::Error;
use crate::image::Files;
use crate::instance::{MachineParts, OwnedMachine, PostMortem};
use crate::machines::{Machines, Start};
use crate::parked_pool::{ParkingSlot, until_released};
use crate::phases::PhaseClock;
use crate::spec::MachineSpec;
use crate::template::TemplateLookup;

impl Machines {
    /// Parks one machine: restores it, warms it up, pauses it, and offers it for `idle` to
    /// processes that launch one of the same kind; then holds it while it is used. Returns whether
    /// it was claimed. Does nothing if there is no template, if one is parked already, or if
    /// another would exceed the limits.
    ///
    /// # Errors
    /// When the machine does not start.
    pub async fn park(&self, spec: &MachineSpec, idle: Duration) -> Result<bool, Error> {
        let access = self.access_for(spec)?;
        let plan = self.plan(spec, Start::Restore, Files::Own, access).await?;
        let (Some(key), Some(kind)) = (&plan.template, plan.parked_kind()) else {
            return Ok(false);
        };
        let unusable = |detail: String| Error::Template {
            path: self.base_dir.clone(),
            detail,
        };
        let io = |error: io::Error| unusable(error.to_string());
        let TemplateLookup::Template(template) = self.templates(&plan.platform).find(key.as_str())
        else {
            return Ok(false);
        };
        let Some(place) = self.parked_pool().place(&kind).map_err(io)? else {
            return Ok(false);
        };
        let mut machine = self
            .restore_from(&template, key.kind(), &plan, PhaseClock::start(), &|_| {})
            .await?;
        // Its VMM has the files open, so the template need not be locked.
        drop(template);
        // Translates the code of commands, and of starting them, ahead of time.
        warm_up(&mut machine).await?;
        machine.renew(self.boot_limit).await?;
        warm_up(&mut machine).await?;
        machine.prestart(self.boot_limit).await?;
        machine.pause().await.map_err(unusable)?;
        offer(machine, place, idle).await.map_err(io)
    }
}

/// Offers the paused machine at `place` for `idle`, and keeps it until its user releases it.
async fn offer(machine: OwnedMachine, place: ParkingSlot, idle: Duration) -> io::Result<bool> {
    // On an early return these drop in reverse: the process before the files it uses.
    let MachineParts {
        directory,
        last: PostMortem {
            console,
            vmm_messages,
            vmm,
        },
        agent,
        control,
        guest,
        ..
    } = machine.into_parts();
    // From now on the guest's messages are for the process that claims the machine.
    drop(guest);
    let resume = async || {
        control.send("cont", &json!({}));
        Ok(())
    };
    let lease = place.offer(&directory, &agent, idle, resume).await?;
    drop(agent);
    let claimed = lease.is_some();
    if let Some(lease) = lease {
        until_released(lease).await;
    }
    // In this order: the process, then the files that it uses.
    drop((vmm, console, vmm_messages, directory));
    Ok(claimed)
}
