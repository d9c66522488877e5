//! A *machine* is one running virtual machine: a VMM process, its private disk, and a guest
//! whose agent answers. [`Machines::launch`] makes one; dropping it ends it and leaves nothing behind.
//!
//! QEMU's terms stay in the module `vmm::qemu`, the protocol's in `guest`.
//!
//! `docs/glossary.md` defines the words.

mod accelerator;
mod cell;
mod clocks;
mod console;
mod deadline;
pub mod descriptor;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guest;
mod host_facts;
mod image;
mod instance;
mod kvm;
mod limits;
mod machines;
mod network;
mod parked_pool;
mod phases;
mod platform;
mod process;
mod search_path;
mod spec;
mod start;
mod template;
mod tsc;
mod vmm;

pub use accelerator::{Accelerator, AcceleratorChoice, KvmDevice, Verdict};
pub use cell::{Isolation, Piece, PieceReport, confine_keeper, examine as examine_isolation};
pub use error::{Error, Tails};
pub use guest::{Command, Control, Guest, Outcome, Streams};
pub use host_facts::HostFacts;
pub use image::{CopiedFiles, KeptFiles, PRIVATE_DISK_MIB, SEED_DISK_BYTES, copy_disk, make_image};
pub use instance::{Machine, SupervisedMachine};
pub use limits::{check_open_files, raise_limits};
pub use machines::{DEFAULT_BOOT_LIMIT, LaunchEvent, Machines, Start};
pub use network::{AllowList, NetworkInfo, NotAnAllowList};
pub use phases::Phase;
pub use process::{close_on_exec, inherit_nothing};
pub use pyro_protocol::octets;
pub use pyro_protocol::{
    Answer, Call, FileChange, FileEdit, FileEntry, FilePath, FileState, FileType, PACKED_NAME,
    PauseRule, Refusal, RefusalReason, TerminalSize, UNPACKED_LIST_BYTES, UNPACKED_PATH_BYTES,
};
pub use spec::MachineSpec;
pub use vmm::qemu::{
    MINIMUM_VERSION as MINIMUM_QEMU, Program as Qemu, TRIED_VERSIONS as TRIED_QEMU,
};
