//! The changes that were pulled from a workspace, for people.

use std::fmt::Write;

use pyro_engine::operations::workspace::PulledChanges;

use super::parts::{Part, Rendered, View, shown};

/// Returns the renderer for a pull. If it was only checked, the plan is printed to standard output.
pub(super) fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    (name == "workspace_sync_pull").then_some(|view| pull(&view.typed()))
}

fn pull(pulled: &PulledChanges) -> Rendered {
    let mut text = String::new();
    for entry in &pulled.entries {
        let reason = match &entry.reason {
            Some(reason) => format!("  ({})", shown(reason)),
            None => String::new(),
        };
        line!(text, "{:<8} {}{reason}", entry.action, shown(&entry.path));
    }
    if pulled.entries.is_empty() {
        text = "Nothing to pull.\n".into();
    }
    let counts = &pulled.summary;
    let mut footer = format!(
        "[workspace-sync-pull] workspace_id={} target={} check={} undo={} added={} modified={} \
         deleted={} merged={} kept={} skipped={} conflicts={}\n",
        pulled.workspace_id,
        shown(&pulled.target_path),
        pulled.check,
        pulled.undo,
        counts.added,
        counts.modified,
        counts.deleted,
        counts.merged,
        counts.kept,
        counts.skipped,
        counts.conflicts
    );
    if pulled.truncated {
        line!(
            footer,
            "[workspace-sync-pull] only {} paths are listed, those with conflicts first: \
             `--path` lists those below one",
            pulled.entries.len()
        );
    }
    if pulled.changed_count > 0 {
        line!(
            footer,
            "[workspace-sync-pull] {} files changed while they were read: pull again",
            pulled.changed_count
        );
    }
    if pulled.changed && !pulled.check && !pulled.undo {
        line!(
            footer,
            "[workspace-sync-pull] `pyro workspace sync pull {} {} --undo` takes it back",
            pulled.workspace_id,
            shown(&pulled.target_path)
        );
    }
    Rendered {
        parts: vec![Part::Stdout(text)],
        footer,
        ..Rendered::default()
    }
}
