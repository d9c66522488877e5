//! The *agent* is PID 1 of a machine: it assembles the root file system, gives a cloned machine its
//! identity, and carries out the host's calls.
//!
//! It is in the initramfs, outside the environment, and speaks [`pyro_protocol`] over one
//! virtio-serial port. [`init`] is the whole life of a machine; [`serve`] is the part that needs
//! neither privileges nor PID 1.
//!
//! One thread serves the port and all commands with `poll`, a second one reaps; neither blocks on
//! anything else. Long work has threads of its own: a flush, an unpacking. Memory is bounded by the
//! protocol's windows, however much commands print. The code is kept small on purpose: under
//! software emulation every instruction that runs for the first time costs a translation, and a
//! short command consists mostly of such instructions.
//!
//! `docs/glossary.md` defines the words.

mod account;
mod boot;
mod clocks;
mod console;
mod devices;
mod directories;
mod error;
mod files;
mod flush;
mod group;
mod identity;
mod kernel_log;
mod layers;
mod network;
mod outbox;
mod poll;
mod power;
mod prestart;
mod process_tree;
mod reaper;
mod root;
mod secrets;
mod server;
mod spawn;
mod streams;
mod sys;
mod terminal;
mod uncounted;
mod unpack;
mod workers;

pub use boot::init;
pub use error::Error;
pub use layers::Layers;
pub use server::{Adoption, Age, End, Machine, serve};

/// For fuzzers only: unpacks an archive below `destination` in the tree at `root`, as for the host.
/// Returns whether it succeeded.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub fn fuzz_unpack(root: &std::path::Path, destination: &str, archive: &[u8]) -> bool {
    unpack::fuzz(root, destination, archive)
}
