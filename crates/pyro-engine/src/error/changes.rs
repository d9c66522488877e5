//! Errors about what is changed in a workspace: snapshots, differences, patches, pulls.

use pyro_machine::RefusalReason;

use super::{Error, ErrorKind};
use crate::code::ErrorCode;

impl Error {
    /// Another process is copying the VM's disk.
    pub(crate) fn disk_is_copied(noun: &str, id: &str) -> Self {
        let message = format!(
            "{noun} {id} was not started: its disk is being copied, for a snapshot, `disk` or `diff`"
        );
        Self::new(ErrorKind::Failed, ErrorCode::WrongState, message).remedy(format!(
            "nothing was changed; start it again when the copy is complete: `pyro {noun} start {id}`"
        ))
    }

    /// There is no snapshot with this name.
    pub(crate) fn no_such_snapshot(id: &str, name: &str, existing: &[String]) -> Self {
        const NAMED: usize = 20;
        let mut names = vec!["baseline"];
        names.extend(existing.iter().map(String::as_str).take(NAMED));
        let more = match existing.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message = format!(
            "workspace {id} has no snapshot {name:?}; it has {}{more}",
            names.join(", ")
        );
        Self::new(ErrorKind::Failed, ErrorCode::NoSuchSnapshot, message).remedy(format!(
            "`pyro workspace snapshot list {id}` shows the existing ones"
        ))
    }

    /// A call in a machine that reads the disk of a workspace failed. The remedies for the workspace
    /// itself do not apply.
    pub(crate) fn on_disk(error: pyro_machine::Error, id: &str) -> Self {
        let pyro_machine::Error::Refused(refusal) = &error else {
            return error.into();
        };
        let list = format!("`pyro workspace disk list {id}` lists the files on the disk");
        let remedy = match refusal.reason {
            RefusalReason::NoSuchFile => format!("check the path: {list}"),
            RefusalReason::NotAFile => format!("name a regular file: {list}"),
            RefusalReason::BadPath => {
                format!(
                    "name a path whose parent components are directories, without dangling links: {list}"
                )
            }
            RefusalReason::FileFailed => format!(
                "neither the workspace nor its disk was changed; `pyro workspace start {id}` starts it, \
                 and its files can be read there"
            ),
            _ => return error.into(),
        };
        Self::from(error).remedy(remedy)
    }

    /// The name of a new snapshot is taken.
    pub(crate) fn snapshot_exists(id: &str, name: &str) -> Self {
        let message = format!("workspace {id} already has a snapshot {name:?}");
        Self::new(ErrorKind::Failed, ErrorCode::SnapshotExists, message).remedy(format!(
            "choose another name, or delete the old one: `pyro workspace snapshot delete {id} {name}`"
        ))
    }

    /// A reset to the snapshot was begun and is not finished.
    pub(crate) fn snapshot_in_use(id: &str, name: &str) -> Self {
        let message = format!("workspace {id} is being reset to snapshot {name:?}");
        Self::new(ErrorKind::Failed, ErrorCode::WrongState, message).remedy(format!(
            "its next start finishes the reset: `pyro workspace start {id}`"
        ))
    }

    /// The state of the workspace allows neither a snapshot nor a reset.
    pub(crate) fn no_snapshot_now(id: &str, state: &str) -> Self {
        let message = format!(
            "workspace {id} is in state '{state}', or is being started, copied or reset: it cannot \
             be copied or reset now"
        );
        Self::new(ErrorKind::Failed, ErrorCode::WrongState, message).remedy(format!(
            "`pyro workspace status {id}` shows its state; `pyro workspace start {id}` starts it"
        ))
    }

    /// A step of a reset failed.
    pub(crate) fn not_reset(id: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        let message = format!("workspace {id} was not reset: {}: {error}", path.display());
        Self::new(ErrorKind::Failed, ErrorCode::StoreUnusable, message).remedy(format!(
            "its next start tries again: `pyro workspace start {id}`"
        ))
    }

    /// The text is no patch, or has an invalid change.
    pub(crate) fn unreadable_patch(error: &pyro_diff::ParseError) -> Self {
        let message = format!("the patch cannot be read: {error}");
        Self::new(ErrorKind::InvalidInput, ErrorCode::PatchUnreadable, message)
            .remedy("make it with `git diff --binary`, or with `diff -ru`")
    }

    /// A patch does not fit the files.
    pub(crate) fn patch_misfit<E: std::error::Error>(error: &pyro_diff::ApplyError<E>) -> Self {
        const NAMED: usize = 20;
        let pyro_diff::ApplyError::Refused { refusals, more } = error else {
            return Self::diff_too_large(0).with_message(error.to_string());
        };
        let count = refusals.len() + more;
        let message = match count {
            1 => "the patch does not fit in 1 place: nothing was changed".to_owned(),
            count => format!("the patch does not fit in {count} places: nothing was changed"),
        };
        let mut lines: Vec<_> = refusals
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect();
        if count > NAMED {
            lines.push(format!("and {} more", count - NAMED));
        }
        let mut error = Self::new(ErrorKind::Failed, ErrorCode::PatchMisfit, message)
            .remedy("make the patch again from the current files");
        error.cause = Some(lines.join("\n"));
        error
    }

    fn with_message(mut self, message: String) -> Self {
        self.message = message;
        self
    }

    /// The differences are too large for a result.
    pub(crate) fn diff_too_large(limit: usize) -> Self {
        let message = format!(
            "the files that differ have more than {} MiB together",
            limit / (1024 * 1024)
        );
        Self::new(ErrorKind::Failed, ErrorCode::DiffTooLarge, message).remedy(
            "name the paths to compare, or list only names with `--name-only`; \
             `pyro workspace export` copies files of any size",
        )
    }

    /// The workspace and the host have changed the same files or lines. `conflicts` has paths and
    /// reasons of some of them; `count` is the number of all.
    pub(crate) fn pull_conflicts<'a>(
        id: &str,
        target: &std::path::Path,
        count: u64,
        conflicts: impl Iterator<Item = (&'a str, &'static str)>,
    ) -> Self {
        const NAMED: usize = 20;
        let message = format!(
            "{} changed in workspace {id} and in {}: nothing was done",
            match count {
                1 => "1 path was".to_owned(),
                count => format!("{count} paths were"),
            },
            pyro_text::line(&target.to_string_lossy())
        );
        let named = conflicts.take(NAMED);
        let mut lines: Vec<_> = named
            .map(|(path, reason)| format!("{}: {reason}", pyro_text::line(path)))
            .collect();
        let more = count.saturating_sub(lines.len() as u64);
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        let mut error = Self::new(ErrorKind::Failed, ErrorCode::PullConflicts, message).remedy(
            "`--check` shows the whole plan; choose with `--on-conflict markers`, `workspace` or \
             `host`, or make the paths equal first",
        );
        error.cause = Some(lines.join("\n"));
        error
    }

    /// There is no pull of this workspace into this directory that can be undone.
    pub(crate) fn nothing_to_undo(id: &str, target: &std::path::Path) -> Self {
        let target = target.to_string_lossy();
        let message = format!(
            "the last pull into {} was not from workspace {id}, or was already undone",
            pyro_text::line(&target)
        );
        Self::new(ErrorKind::Failed, ErrorCode::NothingToUndo, message)
            .remedy("name the directory and the workspace of the last pull")
    }

    /// More paths differ than a pull can handle.
    pub(crate) fn pull_too_large(limit: usize) -> Self {
        let message = format!("more than {limit} paths differ");
        Self::new(ErrorKind::Failed, ErrorCode::DiffTooLarge, message)
            .remedy("pull parts of them with `--path`")
    }
}
