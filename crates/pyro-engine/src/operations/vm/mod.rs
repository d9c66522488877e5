//! Virtual machines.

mod host_compat;
mod run;

pub(crate) use run::prepare_template;
pub use run::{Cleanup, Run, RunResult};
