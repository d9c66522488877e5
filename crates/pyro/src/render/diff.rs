//! The changes in a workspace, for people.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pyro_engine::operations::workspace::{AppliedPatch, DiffEntry, WorkspaceDiff};

use super::parts::{Part, Rendered, View, shown, text};

/// The maximum width of a bar of `--stat`, in characters.
const BAR: u64 = 40;

/// The maximum number of entries that are listed because they are not in the patch.
const NAMED: usize = 20;

/// Returns the renderer for the results of an operation on differences.
pub(super) fn renderer(name: &str) -> Option<fn(&View<'_>) -> Rendered> {
    Some(match name {
        "workspace_diff" => |view| diff(view.typed(), view.request["name_only"] == true),
        "workspace_patch_apply" => |view| text(applied(&view.typed())),
        _ => return None,
    })
}

fn applied(patch: &AppliedPatch) -> String {
    let counts = &patch.summary;
    let mut text = format!(
        "[workspace-patch-apply] workspace_id={} check={} total={} added={} modified={} deleted={} \
         execution_mode={}\n",
        patch.workspace_id,
        patch.check,
        counts.total,
        counts.added,
        counts.modified,
        counts.deleted,
        patch.execution_mode
    );
    for entry in &patch.entries {
        line!(text, "{:<8} {}", entry.status, shown(&entry.path));
    }
    for moved in &patch.moved {
        let (lines, way) = (
            moved.by.unsigned_abs(),
            if moved.by < 0 { "up" } else { "down" },
        );
        line!(
            text,
            "hunk {} of {} was {lines} lines further {way}",
            moved.hunk,
            shown(&moved.path)
        );
    }
    text
}

/// Prints the patch to standard output, and the rest to standard error.
fn diff(diff: WorkspaceDiff, name_only: bool) -> Rendered {
    let mut footer = summary(&diff);
    let output = if !diff.changed {
        Part::Stdout("No workspace changes.\n".into())
    } else if name_only {
        Part::Stdout(names(&diff))
    } else {
        footer += &not_in_patch(&diff);
        match &diff.patch_base64 {
            Some(base64) => Part::Patch(STANDARD.decode(base64).expect("the engine encoded it")),
            None => Part::Patch(diff.patch.into_bytes()),
        }
    };
    Rendered {
        parts: vec![output],
        footer,
        ..Rendered::default()
    }
}

fn summary(diff: &WorkspaceDiff) -> String {
    let counts = &diff.summary;
    let mut text = format!(
        "[workspace-diff] workspace_id={} against={} total={} added={} modified={} deleted={} type_changed={} \
         text_patched={} non_text={}\n",
        diff.workspace_id,
        diff.against,
        counts.total,
        counts.added,
        counts.modified,
        counts.deleted,
        counts.type_changed,
        counts.text_patched,
        counts.non_text
    );
    if diff.git_entries_left_out > 0 {
        line!(
            text,
            "[workspace-diff] {} changes in .git directories were left out",
            diff.git_entries_left_out
        );
    }
    if diff.changed_count > 0 {
        line!(
            text,
            "[workspace-diff] {} files changed while they were read: the patch may be wrong for them",
            diff.changed_count
        );
    }
    text
}

/// Lists the changes that `git apply` does not make. A directory is listed only if none of its
/// contents is.
fn not_in_patch(diff: &WorkspaceDiff) -> String {
    let entries = &diff.entries;
    let is_implied = |index: usize, entry: &DiffEntry| {
        let below = format!("{}/", entry.path);
        entry.status != "modified"
            && entry.artifact_type == "directory"
            && entries[index + 1..]
                .iter()
                .any(|other| other.path.starts_with(&below))
    };
    let left: Vec<_> = entries
        .iter()
        .enumerate()
        .filter(|(index, entry)| !entry.in_patch && !is_implied(*index, entry))
        .map(|(_, entry)| entry)
        .collect();
    let mut text = String::new();
    for entry in left.iter().take(NAMED) {
        let modes = match (&entry.old_mode, &entry.new_mode) {
            (Some(old), Some(new)) if old != new => format!(" {old} -> {new}"),
            _ => String::new(),
        };
        line!(
            text,
            "[workspace-diff] not in the patch: {} {}{modes}: {}",
            entry.status,
            entry.artifact_type,
            shown(&entry.path)
        );
    }
    if left.len() > NAMED {
        line!(text, "[workspace-diff] ... and {} more", left.len() - NAMED);
    }
    text
}

fn names(diff: &WorkspaceDiff) -> String {
    let names = diff.entries.iter().map(|entry| shown(&entry.path) + "\n");
    names.collect()
}

/// One line for each entry, with the number of added and removed lines, as in git.
pub(crate) fn stat(value: &serde_json::Value) -> Rendered {
    let diff: WorkspaceDiff =
        serde_json::from_value(value.clone()).expect("the engine made it from this very type");
    let lines = |entry: &DiffEntry| entry.lines_added.zip(entry.lines_removed);
    let most = diff
        .entries
        .iter()
        .filter_map(lines)
        .map(|(added, removed)| added + removed);
    let most = most.max().unwrap_or_default();
    let width = diff
        .entries
        .iter()
        .map(|entry| shown(&entry.path).chars().count());
    let width = width.max().unwrap_or_default();
    let digits = most.to_string().len().max(3);
    let mut text = String::new();
    for entry in &diff.entries {
        let path = shown(&entry.path);
        if let Some((added, removed)) = lines(entry) {
            // At least one sign for each kind of change that occurs.
            let scaled = |count: u64| {
                let bar = if most <= BAR {
                    count
                } else {
                    (count * BAR).div_ceil(most)
                };
                usize::try_from(bar).unwrap_or_default()
            };
            let (plus, minus) = ("+".repeat(scaled(added)), "-".repeat(scaled(removed)));
            line!(
                text,
                " {path:<width$} | {:>digits$} {plus}{minus}",
                added + removed
            );
        } else if entry.in_patch {
            line!(text, " {path:<width$} | {:>digits$}", "Bin");
        } else {
            line!(
                text,
                " {path:<width$} | {:>digits$} {}",
                "-",
                entry.artifact_type
            );
        }
    }
    if !diff.changed {
        text = "No workspace changes.\n".into();
    }
    Rendered {
        parts: vec![Part::Stdout(text)],
        footer: summary(&diff),
        ..Rendered::default()
    }
}

/// Adds git's colours to a patch, and escapes control sequences in its text.
pub(crate) fn coloured(patch: &[u8]) -> String {
    use anstyle::{AnsiColor, Style};
    let mut text = String::new();
    let mut in_hunk = false;
    for line in patch.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // Every line of a hunk begins with a space, a sign or a backslash.
        let style = match line.first() {
            Some(b'@') => {
                in_hunk = true;
                AnsiColor::Cyan.on_default()
            }
            Some(b'+') if in_hunk => AnsiColor::Green.on_default(),
            Some(b'-') if in_hunk => AnsiColor::Red.on_default(),
            Some(b' ' | b'\\') if in_hunk => Style::new(),
            _ => {
                in_hunk = false;
                Style::new().bold()
            }
        };
        let plain = String::from_utf8_lossy(line);
        let plain = pyro_text::escaped(&plain);
        line!(text, "{style}{plain}{style:#}");
    }
    text
}
