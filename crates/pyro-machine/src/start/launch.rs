//! *Launching* makes a machine from a specification, with a guest that answers and has its
//! identity: restored from a template if there is one, booted if not.

use std::time::Duration;

use super::plan::Plan;
use crate::Error;
use crate::accelerator::{Accelerator, AcceleratorChoice};
use crate::image::{CopiedFiles, Files, KeptFiles};
use crate::instance::{Machine, OwnedMachine, SupervisedMachine};
use crate::limits::check_file_size;
use crate::machines::{LaunchEvent, Listener, Machines, Start};
use crate::spec::MachineSpec;

impl Machines {
    /// Starts a machine and returns it once its guest is ready for commands.
    ///
    /// Must be called on a thread that lives as long as the machine: the VMM dies with it.
    ///
    /// # Errors
    /// When the machine does not start; nothing is left of it then.
    pub async fn launch(
        &self,
        spec: &MachineSpec,
        start: Start,
        listener: Listener<'_>,
    ) -> Result<Machine, Error> {
        // A request for a network fails if there can be none.
        let access = self.access_for(spec)?;
        let slot = self.slot(listener).await?;
        let plan = self.plan(spec, start, Files::Own, access).await?;
        let mut machine = match self.claim(&plan, listener).await {
            Some(machine) => machine,
            None => self.start(plan, listener).await?.into(),
        };
        machine.connected().await?;
        machine.hold(slot);
        Ok(machine)
    }

    /// Starts a machine on an instance's files, and returns it once its guest is ready for
    /// commands. Waits at most `patience` for a slot.
    ///
    /// Must be called on a thread that lives as long as the machine: the VMM dies with it.
    ///
    /// # Errors
    /// When the machine does not start; only the files are left of it then.
    pub async fn launch_supervised(
        &self,
        spec: &MachineSpec,
        start: Start,
        files: KeptFiles<'_>,
        patience: Duration,
        listener: Listener<'_>,
    ) -> Result<SupervisedMachine, Error> {
        // A request for a network fails if there can be none.
        let access = self.access_for(spec)?;
        let slot = tokio::time::timeout(patience, self.slot(listener))
            .await
            .map_err(|_| Error::TooManyActive {
                limit: self.active_limit,
            })??;
        let plan = self.plan(spec, start, Files::Kept(files), access).await?;
        let machine = self.start(plan, listener).await?;
        SupervisedMachine::new(machine.into_parts(), slot)
    }

    /// Starts a machine that shows the files of an instance, and returns it once its guest is ready
    /// for calls. Nothing of the instance runs in it, and it has no network.
    ///
    /// Must be called on a thread that lives as long as the machine: the VMM dies with it.
    ///
    /// # Errors
    /// When the machine does not start; only the files are left of it then.
    pub async fn launch_reader(
        &self,
        spec: &MachineSpec,
        start: Start,
        files: CopiedFiles<'_>,
        listener: Listener<'_>,
    ) -> Result<SupervisedMachine, Error> {
        let slot = self.slot(listener).await?;
        // A template has no further disk.
        let start = files
            .output
            .or(files.snapshot)
            .map_or(start, |_| Start::Boot);
        let plan = self.plan(spec, start, Files::Copied(files), None).await?;
        let machine = self.start(plan, listener).await?;
        SupervisedMachine::new(machine.into_parts(), slot)
    }

    /// Starts a machine whose VMM is a child of this process.
    async fn start(&self, plan: Plan<'_>, listener: Listener<'_>) -> Result<OwnedMachine, Error> {
        check_file_size(plan.spec)?;
        let started = self.start_on(&plan, listener).await;
        self.learn(&plan.platform, &started);
        match started {
            Err(error)
                if plan.platform.accelerator == Accelerator::Kvm
                    && self.accelerator == AcceleratorChoice::Auto
                    && error.is_of_the_accelerator() =>
            {
                listener(LaunchEvent::Notice(format!(
                    "KVM does not run a guest here ({error}); using software emulation"
                )));
                self.start_on(&plan.emulated()?, listener).await
            }
            started => started,
        }
    }

    async fn start_on(
        &self,
        plan: &Plan<'_>,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        if let Some(machine) = self.restore(plan, listener).await? {
            return Ok(machine);
        }
        let booted = self.boot(plan, listener).await;
        booted.map_err(|error| plan.platform.blame(error))
    }
}
