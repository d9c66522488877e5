//! The *parts* of a machine, for an owner that uses them concurrently.

use std::os::unix::net::UnixStream;

use pyro_store::MachineDirectory;

use crate::accelerator::Accelerator;
use crate::console::Console;
use crate::error::Tails;
use crate::guest::Guest;
use crate::network::Network;
use crate::phases::Phase;
use crate::process::OwnedProcess;
use crate::vmm::qemu::Qmp;

/// The sources of a machine's last output.
#[derive(Debug)]
pub(crate) struct PostMortem {
    pub(crate) vmm: OwnedProcess,
    pub(crate) console: Console,
    pub(crate) vmm_messages: Console,
}

impl PostMortem {
    /// Returns the last output of the guest and its VMM.
    pub(super) async fn tails(&mut self) -> Tails {
        Tails {
            console: self.console.last_words().await,
            vmm: self.vmm_messages.last_words().await,
        }
    }
}

/// The parts of a machine.
#[derive(Debug)]
pub(crate) struct MachineParts {
    pub(crate) guest: Guest,
    /// A second handle to the guest's connection, for a process that takes the machine over.
    pub(crate) agent: UnixStream,
    pub(crate) control: Qmp,
    pub(crate) last: PostMortem,
    pub(crate) accelerator: Accelerator,
    pub(crate) phases: Vec<Phase>,
    pub(crate) network: Option<Network>,
    pub(crate) directory: MachineDirectory,
}
