//! For tests: a *fake VMM*, which replaces QEMU, and the *director*, with which a test controls it.
//!
//! The fake VMM accepts the arguments that pyro gives QEMU, speaks QMP, and runs the real agent's
//! server in namespaces of its own, over the same socket as the agent of a real guest. A machine
//! starts in milliseconds, and a test decides what happens between any two messages.
//!
//! The words are in `docs/glossary.md`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::missing_panics_doc,
    reason = "all of this is test code, and fails by panicking"
)]

mod director;
pub mod fake_vmm;

pub use director::{Action, Director, Hold, Scene};

/// The socket of the director, in the directory of the fake VMM's program.
const SOCKET: &str = "director.sock";
