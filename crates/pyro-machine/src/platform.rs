//! The *platform* is what a machine depends on besides its specification.

use std::path::PathBuf;

use crate::Error;
use crate::accelerator::{Accelerator, KvmDevice};
use crate::cell::{Isolation, Piece};
use crate::vmm::qemu;

/// What, besides its specification, a machine depends on: this host and what runs guests on it.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) program: qemu::Program,
    pub(crate) accelerator: Accelerator,
    pub(crate) tsc_khz: u64,
    /// The host's boot.
    pub(crate) boot_id: String,
    /// Where the files are that all machines share.
    pub(crate) base_dir: PathBuf,
    /// The host's processor, where guests see it: its model and what it can do. A host may become
    /// another one without booting, by migration.
    pub(crate) processor: String,
    /// Without these no machine runs.
    pub(crate) required: Vec<Piece>,
}

impl Platform {
    /// What a start has failed for. A device that was proved is not asked before each; when it has
    /// become none, or another hypervisor has the processor, neither the guest nor its template is to
    /// blame.
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

    /// Checks that what is required is in force for a process.
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
