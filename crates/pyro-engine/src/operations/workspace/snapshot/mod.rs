//! Snapshots of a workspace: saved copies of everything that was written to its disk.

mod create;
mod delete;
mod list;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use create::{Create, Created};
pub use delete::{Delete, Deleted};
pub use list::{List, Snapshots};

use crate::Error;
use crate::instance::{BASELINE, Content, Instance, Snapshot as Record};
use crate::request::check_plain_name;

/// A snapshot.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Snapshot {
    /// The workspace.
    pub workspace_id: String,
    /// Its name.
    pub snapshot_name: String,
    /// `baseline`, with the files that the workspace began with, or `named`.
    pub kind: String,
    /// When it was made, in seconds since the Unix epoch.
    pub created_at: f64,
    /// How many files, directories and links /workspace had; null if the workspace did not run
    /// then, or /workspace was no directory.
    pub entry_count: Option<u64>,
    /// How many bytes its files had; null if the workspace did not run then, or /workspace was no
    /// directory.
    pub bytes_written: Option<u64>,
    /// Whether it can be deleted.
    pub deletable: bool,
    /// How many bytes it occupies on the host's disk, including blocks that it shares with other
    /// files.
    pub disk_bytes: u64,
}

/// The snapshot that every workspace has.
pub(super) fn baseline(instance: &Instance) -> Snapshot {
    let seed = instance.record.seed.as_ref();
    Snapshot {
        workspace_id: instance.id().to_owned(),
        snapshot_name: BASELINE.into(),
        kind: BASELINE.into(),
        created_at: instance.record.created_at,
        entry_count: Some(seed.map_or(0, |seed| seed.entry_count)),
        bytes_written: Some(seed.map_or(0, |seed| seed.bytes_written)),
        deletable: false,
        disk_bytes: 0,
    }
}

pub(super) fn named(instance: &Instance, name: &str, record: &Record) -> Snapshot {
    Snapshot {
        workspace_id: instance.id().to_owned(),
        snapshot_name: name.to_owned(),
        kind: "named".into(),
        created_at: record.created_at,
        entry_count: record.content.map(|Content { entries, .. }| entries),
        bytes_written: record.content.map(|Content { bytes, .. }| bytes),
        deletable: true,
        disk_bytes: instance.disk_bytes(Some(name)),
    }
}

/// Checks the name of a snapshot that is not the baseline.
fn check_name(name: &str) -> Result<(), Error> {
    if name == BASELINE {
        let message =
            "snapshot_name must not be 'baseline': every workspace has that one, and keeps it";
        return Err(Error::invalid(message));
    }
    check_any_name(name)
}

/// Checks the name of a snapshot.
pub(super) fn check_any_name(name: &str) -> Result<(), Error> {
    check_plain_name("the name of a snapshot", name)
}
