//! The *machine* as its user sees it: something that runs commands until it is dropped.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyro_store::{Slot, VmId};
use serde::{Deserialize, Serialize};

use crate::accelerator::Accelerator;
use crate::console;
use crate::error::Tails;
use crate::guest::{Command, Guest, Outcome, Streams, run_error};
use crate::owned::OwnedMachine;
use crate::parked::Claim;
use crate::{Error, qemu};

/// What a machine is made of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MachineSpec {
    /// Virtual processors.
    pub vcpu_count: u32,
    /// Memory, in MiB.
    pub mem_mib: u32,
    /// The kernel, as an uncompressed ELF image.
    pub kernel: PathBuf,
    /// The initial file system with the agent.
    pub initramfs: PathBuf,
    /// The environment's immutable image.
    pub rootfs: PathBuf,
}

/// What, besides its specification, a machine depends on: this host and what runs guests on it.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) program: qemu::Program,
    pub(crate) accelerator: Accelerator,
    pub(crate) tsc_khz: u64,
    /// The host's boot.
    pub(crate) boot_id: String,
}

/// A step of a start and how long it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// How long it took.
    pub duration: Duration,
}

/// A running machine; ended, with all it has on the host, when dropped.
#[derive(Debug)]
pub struct Machine {
    kept: Kept,
    // Given back last: the next machine may start when this one is gone.
    slot: Option<Slot>,
}

/// Whose VMM it is.
#[derive(Debug)]
enum Kept {
    Owned(Box<OwnedMachine>),
    Leased(Leased),
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
            kept: Kept::Owned(Box::new(machine)),
            slot: None,
        }
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
        match tokio::time::timeout(limit, guest.renew(&claim.id)).await {
            Ok(Ok(())) => clock.end("identity"),
            Ok(Err(failure)) => return Err(format!("{failure:?}")),
            Err(_) => return Err("it did not answer".into()),
        }
        let leased = Leased {
            guest,
            directory: vms.join(claim.id.as_str()),
            id: claim.id,
            accelerator,
            clock,
            _lease: claim.lease,
        };
        Ok(Self {
            kept: Kept::Leased(leased),
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
            Kept::Owned(machine) => machine.id(),
            Kept::Leased(machine) => &machine.id,
        }
    }

    /// What runs its guest.
    pub fn accelerator(&self) -> Accelerator {
        match &self.kept {
            Kept::Owned(machine) => machine.accelerator(),
            Kept::Leased(machine) => machine.accelerator,
        }
    }

    /// What its start consisted of.
    pub fn phases(&self) -> &[Phase] {
        match &self.kept {
            Kept::Owned(machine) => machine.phases(),
            Kept::Leased(machine) => &machine.clock.phases,
        }
    }

    /// Runs a command in the guest to its end.
    ///
    /// # Errors
    /// When the command could not be started, or the machine stopped while it ran. A command
    /// that fails, or is ended at its time limit, is no error.
    pub async fn run(&mut self, command: &Command, streams: Streams<'_>) -> Result<Outcome, Error> {
        let machine = match &mut self.kept {
            Kept::Owned(machine) => return machine.run(command, streams).await,
            Kept::Leased(machine) => machine,
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

/// Measures the steps of a start.
#[derive(Debug)]
pub(crate) struct PhaseClock {
    last: Instant,
    pub(crate) phases: Vec<Phase>,
}

impl PhaseClock {
    pub(crate) fn start() -> Self {
        Self {
            last: Instant::now(),
            phases: Vec::new(),
        }
    }

    pub(crate) fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.phases.push(Phase {
            name,
            duration: now - self.last,
        });
        self.last = now;
    }
}
