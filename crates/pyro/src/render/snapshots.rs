//! Snapshots of workspaces, for people.

use std::fmt::Write;

use pyro_engine::operations::workspace::snapshot::{Created, Deleted, Snapshot, Snapshots};

use super::parts::{Rendered, View, text};

/// Returns the renderer for the results of an operation on snapshots.
pub(super) fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    Some(match name {
        "snapshot_create" => |view| {
            let created: Created = view.typed();
            text(format!("Created snapshot: {}", snapshot(&created.snapshot)))
        },
        "snapshot_list" => |view| {
            let list: Snapshots = view.typed();
            text(list.snapshots.iter().map(snapshot).collect())
        },
        "snapshot_delete" => |view| {
            let deleted: Deleted = view.typed();
            text(format!("Deleted snapshot: {}\n", deleted.snapshot_name))
        },
        _ => return None,
    })
}

fn snapshot(snapshot: &Snapshot) -> String {
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let mut text = String::new();
    line!(
        text,
        "{} [{}] entries={} bytes={} disk={} MiB",
        snapshot.snapshot_name,
        snapshot.kind,
        count(snapshot.entry_count),
        count(snapshot.bytes_written),
        snapshot.disk_bytes / (1024 * 1024)
    );
    text
}
