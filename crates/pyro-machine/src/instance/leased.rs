//! A *leased* machine is one whose VMM is a child of its keeper, another process.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use pyro_store::VmId;

use crate::Error;
use crate::accelerator::Accelerator;
use crate::console;
use crate::deadline::{Deadline, Passed};
use crate::error::Tails;
use crate::guest::{Command, Guest, Outcome, Streams, run_error};
use crate::parked_pool::Claim;
use crate::phases::{Phase, PhaseClock};

/// A machine that its keeper holds for this process, for as long as the lease is open.
#[derive(Debug)]
pub(crate) struct LeasedMachine {
    guest: Guest,
    id: VmId,
    accelerator: Accelerator,
    directory: PathBuf,
    clock: PhaseClock,
    _lease: UnixStream,
}

impl LeasedMachine {
    /// Takes over a parked machine, and gives it its identity.
    pub(crate) async fn take_over(
        claim: Claim,
        accelerator: Accelerator,
        vms: PathBuf,
        mut clock: PhaseClock,
        limit: Duration,
    ) -> Result<Self, String> {
        clock.end("claim");
        let mut guest = Guest::connect(claim.agent).map_err(|error| error.to_string())?;
        let directory = vms.join(claim.id.as_str());
        let vmm = pyro_store::vmm_of(&directory);
        guest.runs_in(vmm);
        let renewed = Deadline::new(vmm, limit).bound(guest.renew(&claim.id));
        match renewed.await {
            Ok(Ok(())) => clock.end("identity"),
            Ok(Err(failure)) => return Err(format!("{failure:?}")),
            Err(Passed) => return Err("it did not answer".into()),
        }
        Ok(Self {
            guest,
            directory,
            id: claim.id,
            accelerator,
            clock,
            _lease: claim.lease,
        })
    }

    pub(crate) fn id(&self) -> &VmId {
        &self.id
    }

    pub(crate) fn accelerator(&self) -> Accelerator {
        self.accelerator
    }

    pub(crate) fn phases(&self) -> &[Phase] {
        &self.clock.phases
    }

    pub(crate) async fn run(
        &mut self,
        command: &Command,
        streams: Streams<'_>,
    ) -> Result<Outcome, Error> {
        match self.guest.run(command, streams).await {
            Ok(outcome) => Ok(outcome),
            Err(failure) => Err(run_error(failure).unwrap_or_else(|| Error::Stopped {
                status: "QEMU ended".into(),
                tails: Tails {
                    console: console::last_words_in(&self.directory.join("console.log")),
                    vmm: console::last_words_in(&self.directory.join("vmm.log")),
                },
            })),
        }
    }
}
