//! The *machine* as its user sees it: something that runs commands until it is dropped.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use pyro_store::{Slot, VmId};

use crate::Error;
use crate::accelerator::Accelerator;
use crate::console;
use crate::deadline::{Deadline, Passed};
use crate::error::Tails;
use crate::guest::{Command, Guest, Outcome, Streams, run_error};
use crate::launch::Machines;
use crate::network::NetworkInfo;
use crate::owned::OwnedMachine;
use crate::parked::Claim;
use crate::phases::{Phase, PhaseClock};

/// A running machine; ended, with all it has on the host, when dropped.
#[derive(Debug)]
pub struct Machine {
    kept: Backing,
    // Given back last: the next machine may start when this one is gone.
    slot: Option<Slot>,
}

/// Whose VMM it is.
#[derive(Debug)]
enum Backing {
    Owned(Box<OwnedMachine>),
    Leased(Box<Leased>),
}

/// A machine that another process holds for us, for as long as the lease is open.
#[derive(Debug)]
struct Leased {
    guest: Guest,
    id: VmId,
    accelerator: Accelerator,
    directory: PathBuf,
    clock: PhaseClock,
    _lease: UnixStream,
}

impl From<OwnedMachine> for Machine {
    fn from(machine: OwnedMachine) -> Self {
        Self {
            kept: Backing::Owned(Box::new(machine)),
            slot: None,
        }
    }
}

impl Machines {
    /// Where the files of the machine with this id are on the host, but for those that somebody
    /// keeps.
    pub fn directory_of(&self, id: &VmId) -> PathBuf {
        self.directory().join(id.as_str())
    }
}

impl Machine {
    /// Takes over a machine that was parked, and makes it its own.
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
        let leased = Leased {
            guest,
            directory,
            id: claim.id,
            accelerator,
            clock,
            _lease: claim.lease,
        };
        Ok(Self {
            kept: Backing::Leased(Box::new(leased)),
            slot: None,
        })
    }

    /// Holds a place among the active machines for as long as it lives.
    pub(crate) fn hold(&mut self, slot: Slot) {
        self.slot = Some(slot);
    }

    /// Its id.
    pub fn id(&self) -> &VmId {
        match &self.kept {
            Backing::Owned(machine) => machine.id(),
            Backing::Leased(machine) => &machine.id,
        }
    }

    /// What runs its guest.
    pub fn accelerator(&self) -> Accelerator {
        match &self.kept {
            Backing::Owned(machine) => machine.accelerator(),
            Backing::Leased(machine) => machine.accelerator,
        }
    }

    /// Its network, if it has one.
    pub fn network(&self) -> Option<NetworkInfo> {
        match &self.kept {
            Backing::Owned(machine) if machine.has_network() => Some(NetworkInfo::of(machine.id())),
            Backing::Owned(_) | Backing::Leased(_) => None,
        }
    }

    /// Waits until its network works, if it has one.
    pub(crate) async fn connected(&mut self) -> Result<(), Error> {
        match &mut self.kept {
            Backing::Owned(machine) => machine.connected().await,
            Backing::Leased(_) => Ok(()),
        }
    }

    /// What its start consisted of.
    pub fn phases(&self) -> &[Phase] {
        match &self.kept {
            Backing::Owned(machine) => machine.phases(),
            Backing::Leased(machine) => &machine.clock.phases,
        }
    }

    /// Runs a command in the guest to its end.
    ///
    /// # Errors
    /// When the command could not be started, or the machine stopped while it ran. A command
    /// that fails, or is ended at its time limit, is no error.
    pub async fn run(&mut self, command: &Command, streams: Streams<'_>) -> Result<Outcome, Error> {
        let machine = match &mut self.kept {
            Backing::Owned(machine) => return machine.run(command, streams).await,
            Backing::Leased(machine) => machine,
        };
        match machine.guest.run(command, streams).await {
            Ok(outcome) => Ok(outcome),
            Err(failure) => Err(run_error(failure).unwrap_or_else(|| Error::Stopped {
                status: "QEMU ended".into(),
                tails: Tails {
                    console: console::last_words_in(&machine.directory.join("console.log")),
                    vmm: console::last_words_in(&machine.directory.join("vmm.log")),
                },
            })),
        }
    }
}
