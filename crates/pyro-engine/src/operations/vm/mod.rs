//! Virtual machines.

mod create;
mod delete;
mod exec;
mod host_compat;
mod list;
mod network_info;
mod reap_expired;
mod run;
mod start;
mod status;
mod stop;

pub use create::Create;
pub use delete::{Delete, Deleted};
pub use exec::Exec;
pub use list::{List, Vms};
pub use network_info::{Addresses, NetworkInfo, VmNetwork};
pub use reap_expired::{ReapExpired, Reaped};
pub use run::{Cleanup, Run, RunResult};
pub(crate) use run::{exit_code, milliseconds, out_of_memory, prepare_template, streams};
pub use start::Start;
pub use status::{Status, Vm};
pub use stop::Stop;
