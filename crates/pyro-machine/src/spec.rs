//! The *specification* of a machine, what it depends on besides, and the measure of its start.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyro_protocol::octets;
use serde::{Deserialize, Serialize};

use crate::accelerator::{Accelerator, KvmDevice};
use crate::cell::{Isolation, Piece};
use crate::{Error, qemu};

/// What a machine is made of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MachineSpec {
    /// Virtual processors.
    pub vcpu_count: u32,
    /// Memory, in MiB.
    pub mem_mib: u32,
    /// The kernel, as an uncompressed ELF image.
    #[serde(with = "octets::path")]
    pub kernel: PathBuf,
    /// The initial file system with the agent.
    #[serde(with = "octets::path")]
    pub initramfs: PathBuf,
    /// The environment's immutable image.
    #[serde(with = "octets::path")]
    pub rootfs: PathBuf,
    /// Whether it has a network. Machines with and without one are clones of the same template.
    #[serde(default)]
    pub network: bool,
}

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

/// A step of a start and how long it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// How long it took.
    pub duration: Duration,
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
