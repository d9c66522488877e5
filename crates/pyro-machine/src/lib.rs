//! A *machine* is one running virtual machine: a VMM process, its private disk, and a guest
//! whose agent answers. [`launch`] makes one; dropping it ends it and leaves nothing behind.
//!
//! QEMU's words stay in the module `qemu`, the protocol's in `guest`.
//!
//! The words are in `docs/glossary.md`.

mod accelerator;
mod cell;
mod clocks;
mod console;
mod deadline;
pub mod descriptor;
mod disk;
mod error;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guest;
mod host;
mod kvm;
mod launch;
mod limits;
mod machine;
mod network;
mod owned;
mod parked;
mod places;
mod preload;
mod process;
mod qemu;
mod spec;
mod supervised;
mod template;
mod template_lock;
mod tsc;

pub use accelerator::{Accelerator, AcceleratorChoice, KvmDevice, Verdict};
pub use cell::{Isolation, Piece, PieceReport, confine_keeper, examine as examine_isolation};
pub use disk::{PRIVATE_DISK_MIB, SEED_DISK_BYTES};
pub use error::{Error, Tails};
pub use files::KeptFiles;
pub use guest::{Command, Guest, Outcome, Streams};
pub use host::HostFacts;
pub use launch::{DEFAULT_BOOT_LIMIT, LaunchEvent, Machines, Start};
pub use limits::{check_open_files, raise_limits};
pub use machine::Machine;
pub use network::{AllowList, NetworkInfo, NotAnAllowList};
pub use process::{inherit_nothing, pass_nothing_on};
pub use pyro_protocol::octets;
pub use pyro_protocol::{Answer, Call, FileEntry, FilePath, FileType, Refusal, RefusalReason};
pub use qemu::Program as Qemu;
pub use qemu::{MINIMUM_VERSION as MINIMUM_QEMU, TRIED_VERSIONS as TRIED_QEMU};
pub use spec::{MachineSpec, Phase};
pub use supervised::SupervisedMachine;

use guest::Failure;
