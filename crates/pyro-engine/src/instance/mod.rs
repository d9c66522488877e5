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
mod kind;
mod log;
mod power;
mod reader;
mod record;
mod snapshots;
mod start;
mod supervisor;
mod time;
mod warm_up;
mod wire;

pub(crate) use client::{Outputs, Push, call, exec, follow};
pub(crate) use end::{DeleteOnDrop, delete};
pub(crate) use files::seed_in;
pub(crate) use find::Instance;
pub(crate) use kind::InstanceKind;
pub(crate) use reader::Reader;
pub(crate) use record::{Content, INTERRUPTED, SeedRecord, State, VmRecord};
pub(crate) use snapshots::{BASELINE, Snapshot};
pub(crate) use start::{Description, NewInstance, create, start};
pub(crate) use supervisor::supervise;
pub(crate) use time::now;

/// Parses a line as a supervisor does, and as its client does.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_line(line: &[u8]) {
    let _ = serde_json::from_slice::<wire::Request>(line);
    let _ = serde_json::from_slice::<wire::Reply>(line);
    let _ = serde_json::from_slice::<wire::StartEvent>(line);
}
