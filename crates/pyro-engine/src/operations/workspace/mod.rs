//! Workspaces: a VM with files in `/workspace` and a history of commands, kept until it is
//! deleted.

mod create;
mod delete;
mod diff;
pub mod disk;
mod exec;
mod export;
pub mod file;
mod kill;
mod labels;
mod list;
mod logs;
mod patch_apply;
pub mod port;
mod reset;
mod selection;
pub mod service;
pub mod shell;
pub mod snapshot;
mod start;
mod status;
mod stop;
mod sync_pull;
mod sync_push;
mod update;
mod wait;

pub use crate::left_out::{LeftOut, LeftOutEntry, TransferWarning};
pub use create::Create;
pub use delete::{Delete, Deleted};
pub use diff::{Diff, DiffEntry, DiffSummary, WorkspaceDiff};
pub use exec::{Exec, ExecResult};
pub use export::{Export, Exported};
pub use kill::{Kill, Killed};
pub use list::{List, Listed, Workspaces};
pub use logs::{LogEntry, Logs, WorkspaceLogs};
pub use patch_apply::{AppliedPatch, MovedHunk, PatchApply, PatchEntry, PatchSummary};
pub use reset::{Reset, ResetWorkspace, Restored};
pub use start::Start;
pub use status::{LastCommand, Seed, Status, Workspace};
pub use stop::Stop;
pub use sync_pull::{PullEntry, PullSummary, PulledChanges, SyncPull};
pub use sync_push::{Pushed, Sync, SyncPush};
pub use update::Update;
pub use wait::Wait;
