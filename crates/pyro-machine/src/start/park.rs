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
    /// Keeps one machine ahead: restores it, warms it up, pauses it, and offers it for `idle` to
    /// whoever launches one of the same kind; then holds it for as long as it is used. Returns
    /// whether somebody came for it. Does nothing if there is no template, if one is parked
    /// already, or if parking another would be too much.
    ///
    /// # Errors
    /// When the machine does not come up.
    pub async fn park(&self, spec: &MachineSpec, idle: Duration) -> Result<bool, Error> {
        let access = self.access_for(spec)?;
        let plan = self.plan(spec, Start::Restore, Files::Own, access)?;
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
        // Its VMM has the files open: nobody needs them kept.
        drop(template);
        // What is translated once is not translated again: commands, and the way to them.
        warm_up(&mut machine).await?;
        machine.renew(self.boot_limit).await?;
        warm_up(&mut machine).await?;
        machine.prestart(self.boot_limit).await?;
        machine.pause().await.map_err(unusable)?;
        offer(machine, place, idle).await.map_err(io)
    }
}

/// Offers the paused machine at `place` for `idle`, and keeps it until whoever came for it
/// lets go.
async fn offer(machine: OwnedMachine, place: ParkingSlot, idle: Duration) -> io::Result<bool> {
    // Dropped from the last to the first, should this be: the process before what it uses.
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
    // What the guest says from now on is for whoever comes.
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
    // In this order: the process, then what it uses.
    drop((vmm, console, vmm_messages, directory));
    Ok(claimed)
}
