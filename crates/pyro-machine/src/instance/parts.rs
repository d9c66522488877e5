//! The *parts* of a machine, for an owner who uses them side by side.

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

/// What is asked when it is over.
#[derive(Debug)]
pub(crate) struct PostMortem {
    pub(crate) vmm: OwnedProcess,
    pub(crate) console: Console,
    pub(crate) vmm_messages: Console,
}

impl PostMortem {
    /// What the guest and its VMM said last.
    pub(super) async fn tails(&mut self) -> Tails {
        Tails {
            console: self.console.last_words().await,
            vmm: self.vmm_messages.last_words().await,
        }
    }
}

/// What a machine consists of.
#[derive(Debug)]
pub(crate) struct MachineParts {
    pub(crate) guest: Guest,
    /// The guest's connection again, for whoever the machine is handed to.
    pub(crate) agent: UnixStream,
    pub(crate) control: Qmp,
    pub(crate) last: PostMortem,
    pub(crate) accelerator: Accelerator,
    pub(crate) phases: Vec<Phase>,
    pub(crate) network: Option<Network>,
    pub(crate) directory: MachineDirectory,
}
