//! QEMU: its program, its command line, and its control protocol.

mod command_line;
mod preload;
mod program;
mod qmp;
mod version;

pub(crate) use command_line::{Channels, NO_PEER, command_line};
pub(crate) use preload::Preload;
pub use program::Program;
pub(crate) use program::{ask_version, find};
pub(crate) use qmp::{Qmp, QmpError};
pub(crate) use version::PROGRAM;
pub use version::{MINIMUM_VERSION, TRIED_VERSIONS};
