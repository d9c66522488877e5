//! The *machine* as its user sees it: it runs commands until it is dropped.

use pyro_store::{Slot, VmId};

use super::leased::LeasedMachine;
use super::owned::OwnedMachine;
use crate::Error;
use crate::accelerator::Accelerator;
use crate::guest::{Command, Outcome, Streams};
use crate::network::NetworkInfo;
use crate::phases::Phase;

/// A running machine; on drop it is ended and removed from the host.
#[derive(Debug)]
pub struct Machine {
    kept: Backing,
    // Released last: the next machine may start when this one is gone.
    slot: Option<Slot>,
}

/// The process that owns the VMM.
#[derive(Debug)]
enum Backing {
    Owned(Box<OwnedMachine>),
    Leased(Box<LeasedMachine>),
}

impl From<OwnedMachine> for Machine {
    fn from(machine: OwnedMachine) -> Self {
        Self {
            kept: Backing::Owned(Box::new(machine)),
            slot: None,
        }
    }
}

impl From<LeasedMachine> for Machine {
    fn from(machine: LeasedMachine) -> Self {
        Self {
            kept: Backing::Leased(Box::new(machine)),
            slot: None,
        }
    }
}

impl Machine {
    /// Keeps a slot for as long as the machine lives.
    pub(crate) fn hold(&mut self, slot: Slot) {
        self.slot = Some(slot);
    }

    /// Its id.
    pub fn id(&self) -> &VmId {
        match &self.kept {
            Backing::Owned(machine) => machine.id(),
            Backing::Leased(machine) => machine.id(),
        }
    }

    /// Its accelerator.
    pub fn accelerator(&self) -> Accelerator {
        match &self.kept {
            Backing::Owned(machine) => machine.accelerator(),
            Backing::Leased(machine) => machine.accelerator(),
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

    /// The phases of its start.
    pub fn phases(&self) -> &[Phase] {
        match &self.kept {
            Backing::Owned(machine) => machine.phases(),
            Backing::Leased(machine) => machine.phases(),
        }
    }

    /// Runs a command in the guest to its end.
    ///
    /// # Errors
    /// When the command could not be started, or the machine stopped while it ran. A command that
    /// fails, or exceeds its time limit, is no error.
    pub async fn run(&mut self, command: &Command, streams: Streams<'_>) -> Result<Outcome, Error> {
        match &mut self.kept {
            Backing::Owned(machine) => machine.run(command, streams).await,
            Backing::Leased(machine) => machine.run(command, streams).await,
        }
    }
}
