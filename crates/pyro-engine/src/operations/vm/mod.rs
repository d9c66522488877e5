//! Virtual machines.

mod host_compat;
mod run;

pub use run::{Cleanup, Run, RunResult};
