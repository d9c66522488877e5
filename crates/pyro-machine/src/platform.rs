//! The *platform*: everything besides its specification that a machine depends on.

use std::path::PathBuf;

use crate::Error;
use crate::accelerator::{Accelerator, KvmDevice};
use crate::cell::{Isolation, Piece};
use crate::vmm::qemu;

/// What a machine depends on besides its specification: this host and its accelerator.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) program: qemu::Program,
    pub(crate) accelerator: Accelerator,
    pub(crate) tsc_khz: u64,
    /// The host's boot.
    pub(crate) boot_id: String,
    /// The directory of the files that all machines share.
    pub(crate) base_dir: PathBuf,
    /// The host's processor, if guests see it: its model and its features. A host may get another
    /// one without a reboot, by migration.
    pub(crate) processor: String,
    /// The pieces of isolation without which no machine runs.
    pub(crate) required: Vec<Piece>,
}

impl Platform {
    /// Returns the cause of a failed start. A proved KVM device is not queried before each start;
    /// if it is no longer usable, or another hypervisor uses the processor, neither the guest nor
    /// its template is to blame.
    pub(crate) fn blame(&self, error: Error) -> Error {
        if self.accelerator == Accelerator::Kvm
            && error.is_of_the_start()
            && let Some(reason) = KvmDevice::detect().unusable()
        {
            return Error::KvmUnavailable { reason };
        }
        error
    }

    /// The same host without its hardware: guests are emulated.
    pub(crate) fn emulated(self) -> Self {
        Self {
            accelerator: Accelerator::Tcg,
            processor: String::new(),
            ..self
        }
    }

    /// Checks that the required pieces are in force for a process.
    pub(crate) fn require(&self, isolation: Isolation) -> Result<(), Error> {
        let missing = isolation
            .pieces()
            .into_iter()
            .find(|report| !report.in_force && self.required.contains(&report.piece));
        missing.map_or(Ok(()), |report| {
            Err(Error::IsolationMissing {
                piece: report.piece,
                reason: report.detail,
            })
        })
    }
}
