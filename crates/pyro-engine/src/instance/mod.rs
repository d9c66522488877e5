//! An *instance* is a VM that outlives the call that made it: a VM of `vm_create`, or a workspace.
//! It is an object of the store; while it runs, its supervisor, a process of its own, owns it, and
//! all other processes are clients of the supervisor.

mod activity;
mod client;
mod commands;
mod diagnostics;
mod end;
mod files;
mod find;
mod flushes;
mod hand_over;
mod kind;
mod log;
mod ports;
mod power;
mod process;
mod published;
mod reader;
mod record;
mod redacted;
mod requests;
mod services;
mod shell_record;
mod shells;
mod snapshots;
mod start;
mod supervisor;
mod text_log;
mod time;
mod vault;
mod warm_up;
mod wire;

pub(crate) use client::{
    NewCommand, Outputs, Push, Watch, call, close_shell, exec, exec_detached, flush, follow,
    open_shell, publish, resize_shell, send_signal, signal_shell, start_service, stop_service,
    take_back, write_to_shell,
};
pub(crate) use end::{DeleteOnDrop, delete};
pub(crate) use files::seed_in;
pub(crate) use find::Instance;
pub(crate) use kind::InstanceKind;
pub(crate) use published::{Published, checked as checked_ports};
pub(crate) use reader::{Beside, Reader};
pub(crate) use record::{Content, INTERRUPTED, SeedRecord, State, VmRecord};
pub(crate) use services::{
    Readiness, Restart, ServiceDefinition, ServiceRecord, ServiceState, WORKSPACE_STOPPED,
};
pub(crate) use shell_record::{NewShell, ShellRecord};
pub(crate) use snapshots::{BASELINE, Snapshot};
pub(crate) use start::{Description, NewInstance, create, start};
pub(crate) use supervisor::supervise;
pub(crate) use text_log::{Part, TextLog};
pub(crate) use time::now;

/// Parses a line as a supervisor does, and as its client does.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_line(line: &[u8]) {
    let _ = serde_json::from_slice::<wire::Request>(line);
    let _ = serde_json::from_slice::<wire::Reply>(line);
    let _ = serde_json::from_slice::<wire::StartEvent>(line);
}
