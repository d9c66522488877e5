//! *Booting* a machine.

use super::plan::Plan;
use crate::Error;
use crate::instance::OwnedMachine;
use crate::machines::{LaunchEvent, Listener, Machines};
use crate::phases::PhaseClock;
use crate::vmm::Memory;

/// How often a guest with wrong clocks is booted. On a quarter of a processor, four in ten are.
pub(super) const CLOCK_ATTEMPTS: u32 = 16;

impl Machines {
    /// Boots a machine, and again if its clocks are wrong.
    pub(super) async fn boot(
        &self,
        plan: &Plan<'_>,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        let mut attempt = 1;
        loop {
            let booted = self.boot_once(plan, listener);
            match booted.await {
                Err(wrong @ Error::GuestClocks { .. }) if attempt < CLOCK_ATTEMPTS => {
                    attempt += 1;
                    listener(booted_again(&wrong, attempt));
                }
                booted => return booted,
            }
        }
    }

    async fn boot_once(
        &self,
        plan: &Plan<'_>,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        let mut clock = PhaseClock::start();
        let _turn = self.turn().await?;
        clock.end("turn");
        let directory = self.new_directory(listener)?;
        let files = plan.files;
        let kind = files.template_kind();
        let disks = files
            .lay_out(kind, None, &directory, &self.base_dir)
            .await?;
        clock.end("disk");
        let mut machine = plan.spawn(Memory::Anonymous, &disks, directory, clock)?;
        machine.set_up(files.layers(), self.boot_limit).await?;
        Ok(machine)
    }
}

pub(super) fn booted_again(wrong: &Error, attempt: u32) -> LaunchEvent<'static> {
    LaunchEvent::Notice(format!(
        "{wrong}, as happens on a busy host; it is booted again ({attempt} of {CLOCK_ATTEMPTS})"
    ))
}
