//! Virtual machines.

mod create;
mod delete;
mod exec;
mod finished;
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
pub(super) use run::prepare_template;
pub use run::{Cleanup, Run, RunResult};
pub use start::Start;
pub use status::{Status, Vm};
pub use stop::Stop;
