//! `workspace diff`

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pyro_diff::{Mode, Side as PatchSide};
use pyro_machine::{FileChange, FileState, FileType, octets};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::{artifact_type, places};
use super::snapshot::check_any_name;
use crate::comparison::{Changes, Machine, Side, compare};
use crate::instance::{BASELINE, Beside, Instance, InstanceKind, Reader, State};
use crate::off_thread::off_thread;
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::is_zero;
use crate::request::octets_parser;
use crate::{Context, Engine, Error, Listener};

/// The maximum size of the paths and contents of a diff, in bytes: they are held in memory, and so
/// is the result.
const LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// How often to try again if another process starts or stops the workspace before its disk is
/// copied.
const ATTEMPTS: usize = 3;

/// Show what was changed in a workspace since it began, or since a snapshot
///
/// The workspace is compared with its seed (or with an empty directory), or with a snapshot. The
/// patch is complete, including binary files and symbolic links: `git apply` turns a copy of the
/// seed or snapshot into the workspace's current files. Changes that a git patch cannot express are
/// only listed: directories, devices, permissions other than `x`. The contents of `.git`
/// directories are left out. The workspace may be stopped. In this case, and for a snapshot, a
/// temporary microVM without a network compares copies of the disks, and no program of the
/// workspace runs in it.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace diff 0123456789ab\n  \
    pyro workspace diff 0123456789ab src --stat\n  \
    pyro workspace diff 0123456789ab --against before-upgrade\n  \
    pyro workspace diff 0123456789ab --quiet | git apply")]
pub struct Diff {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Path to compare, absolute or relative to /workspace; without one, all of /workspace
    #[arg(value_name = "PATH", value_parser = octets_parser())]
    #[serde(default)]
    pub paths: Vec<String>,
    /// Only list the paths that differ; no contents are read, and there is no patch
    #[arg(long)]
    #[serde(default)]
    pub name_only: bool,
    /// Snapshot to compare with; `baseline` has the files that the workspace began with
    #[arg(long, default_value_t = baseline_name(), value_name = "NAME")]
    #[serde(default = "baseline_name")]
    pub against: String,
}

fn baseline_name() -> String {
    BASELINE.into()
}

/// What was changed in a workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct WorkspaceDiff {
    /// The workspace.
    pub workspace_id: String,
    /// The snapshot that it was compared with; `baseline` has the files that it began with.
    pub against: String,
    /// Whether anything was changed.
    pub changed: bool,
    /// How many entries were changed, by kind of change.
    pub summary: DiffSummary,
    /// The differences, sorted by path.
    pub entries: Vec<DiffEntry>,
    /// All differences that git can express, as a patch for `git apply`.
    pub patch: String,
    /// Present if `patch` is not exact, because bytes that are not UTF-8 were replaced: the exact
    /// patch, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_base64: Option<String>,
    /// Present if there are differences in `.git` directories, which are left out: how many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub git_entries_left_out: u64,
    /// Present if files grew or shrank while they were read: how many. The patch may not have their
    /// current content.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changed_count: u64,
}

/// How many entries differ, by kind of difference.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct DiffSummary {
    /// All.
    pub total: u64,
    /// Those that were not there before.
    pub added: u64,
    /// Entries whose content, link target or permissions are different.
    pub modified: u64,
    /// Those that are gone.
    pub deleted: u64,
    /// Entries that changed their type.
    pub type_changed: u64,
    /// Entries that are in the patch as text.
    pub text_patched: u64,
    /// The others.
    pub non_text: u64,
}

/// A path that differs.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct DiffEntry {
    /// The path, relative to /workspace.
    pub path: String,
    /// `added`, `modified`, `deleted` or `type_changed`.
    pub status: String,
    /// The type now, or before if it was deleted: `file`, `directory`, `symlink` or `other`.
    pub artifact_type: String,
    /// Its part of the patch, if it is text.
    pub text_patch: Option<String>,
    /// Whether it is in the patch, as text or not.
    pub in_patch: bool,
    /// How many lines were added, if it is in the patch as text.
    pub lines_added: Option<u64>,
    /// How many lines were removed, if it is in the patch as text.
    pub lines_removed: Option<u64>,
    /// Its permissions before, in octal digits, for example `0644`; null if it did not exist.
    pub old_mode: Option<String>,
    /// Its permissions now; null if it was deleted.
    pub new_mode: Option<String>,
}

impl Operation for Diff {
    const NAME: &'static str = "workspace_diff";
    const COMMAND: &'static [&'static str] = &["workspace", "diff"];
    const EFFECT: Effect = Effect::ReadOnly;
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = WorkspaceDiff;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<WorkspaceDiff, Error> {
        let paths = places(&self.paths)?;
        check_any_name(&self.against)?;
        let snapshot = self.against != BASELINE;
        let (found, reader) = self.machine(engine, &context.listener).await?;
        let machine = match &reader {
            Some(reader) => Machine::Reader { reader, snapshot },
            None => Machine::Itself(&found),
        };
        let with_patch = !self.name_only;
        let collected = Collected::default();
        let (collected, changed_count) = compare(machine, paths, with_patch, collected).await?;
        drop(reader);
        off_thread(move || Ok(collected.into_diff(self, changed_count))).await
    }
}

impl Diff {
    /// Returns the workspace, and the temporary machine that reads its disk unless the running
    /// workspace makes the comparison.
    async fn machine(
        &self,
        engine: &Engine,
        listener: &Listener,
    ) -> Result<(Instance, Option<Reader>), Error> {
        let mut attempts = 0..ATTEMPTS;
        loop {
            let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
            found.require_not_expired()?;
            let beside = if self.against != BASELINE {
                found.snapshot(&self.against)?;
                Beside::Snapshot(&self.against)
            } else if found.state == State::Started {
                return Ok((found, None));
            } else {
                Beside::Nothing
            };
            match Reader::start(engine, &found, Self::NAME, beside, listener).await {
                Ok(reader) => return Ok((found, Some(reader))),
                // It was started or stopped in the meantime.
                Err(error) if error.is_of_the_state() && attempts.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The changes as they arrive.
#[derive(Default)]
struct Collected {
    changes: BTreeMap<Vec<u8>, Change>,
    last: Vec<u8>,
    bytes: usize,
    in_git: u64,
}

struct Change {
    what: FileChange,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Collected {
    fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        self.bytes += bytes;
        if self.bytes > LIMIT_BYTES {
            return Err(Error::diff_too_large(LIMIT_BYTES));
        }
        Ok(())
    }
}

impl Changes for Collected {
    fn change(&mut self, path: &[u8], change: FileChange) -> Result<(), Error> {
        self.last = path.to_vec();
        if is_in_git(path) {
            self.in_git += 1;
            return Ok(());
        }
        self.hold(size_of::<Change>() + 2 * path.len())?;
        let change = Change {
            what: change,
            old: Vec::new(),
            new: Vec::new(),
        };
        if self.changes.insert(path.to_vec(), change).is_some() {
            return Err(Error::guest_output("a comparison", &"a path came twice"));
        }
        Ok(())
    }

    fn content(&mut self, side: Side, bytes: &[u8]) -> Result<(), Error> {
        if !self.changes.contains_key(&self.last) {
            return Ok(());
        }
        self.hold(bytes.len())?;
        if let Some(change) = self.changes.get_mut(&self.last) {
            let content = match side {
                Side::Old => &mut change.old,
                Side::New => &mut change.new,
            };
            content.extend_from_slice(bytes);
        }
        Ok(())
    }
}

/// Whether a path is a `.git` directory or is inside one: git refuses patches for such paths.
fn is_in_git(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/')
        .any(|part| part.eq_ignore_ascii_case(b".git"))
}

impl Collected {
    fn into_diff(self, wanted: Diff, changed_count: u64) -> WorkspaceDiff {
        let mut patch = Vec::new();
        let mut summary = DiffSummary::default();
        let mut entries = Vec::new();
        for (path, change) in self.changes {
            let mut part = Vec::new();
            let mut is_text = true;
            if !wanted.name_only {
                let (what, old, new) = (change.what.clone(), change.old, change.new);
                // A change of permissions alone needs no content; it only has to be the same on
                // both sides.
                let [old, new] = [(&what.old, old), (&what.new, new)].map(|(state, content)| {
                    let side = side(state.as_ref()?, content);
                    is_text &= side
                        .as_ref()
                        .is_none_or(|side| pyro_diff::is_text(&side.content));
                    side
                });
                pyro_diff::append(&mut part, &path, old.as_ref(), new.as_ref());
            }
            let entry = entry(change.what, &part, is_text);
            summary.count(&entry);
            entries.push(entry);
            patch.append(&mut part);
        }
        let text = String::from_utf8_lossy(&patch);
        let is_lossy = matches!(text, std::borrow::Cow::Owned(_));
        WorkspaceDiff {
            workspace_id: wanted.workspace_id,
            against: wanted.against,
            changed: !entries.is_empty(),
            summary,
            entries,
            patch_base64: is_lossy.then(|| STANDARD.encode(&patch)),
            patch: text.into_owned(),
            git_entries_left_out: self.in_git,
            changed_count,
        }
    }
}

/// Returns one side of a patch, if git can express it.
fn side(state: &FileState, content: Vec<u8>) -> Option<PatchSide> {
    let mode = match state.file_type {
        FileType::File if state.mode & 0o100 != 0 => Mode::Executable,
        FileType::File => Mode::Regular,
        FileType::Symlink => Mode::Symlink,
        FileType::Directory | FileType::Other => return None,
    };
    let content = match &state.target {
        Some(target) => octets::decode(target).into_owned(),
        None => content,
    };
    Some(PatchSide { mode, content })
}

fn entry(change: FileChange, part: &[u8], is_text: bool) -> DiffEntry {
    let FileChange { path, old, new, .. } = change;
    let status = match (&old, &new) {
        (None, _) => "added",
        (_, None) => "deleted",
        (Some(old), Some(new)) if old.file_type != new.file_type => "type_changed",
        _ => "modified",
    };
    let is_text = is_text && !part.is_empty();
    let lines = count_lines(part);
    let file_type = new.as_ref().or(old.as_ref()).map(|state| state.file_type);
    let mode = |state: Option<FileState>| state.map(|state| format!("{:04o}", state.mode));
    DiffEntry {
        path,
        status: status.into(),
        artifact_type: artifact_type(file_type.unwrap_or(FileType::Other)).into(),
        text_patch: is_text.then(|| String::from_utf8_lossy(part).into_owned()),
        in_patch: !part.is_empty(),
        lines_added: is_text.then_some(lines[0]),
        lines_removed: is_text.then_some(lines[1]),
        old_mode: mode(old),
        new_mode: mode(new),
    }
}

/// Counts the lines that a patch adds and removes.
fn count_lines(patch: &[u8]) -> [u64; 2] {
    let mut counts = [0, 0];
    // Every line of a hunk begins with a space, a sign or a backslash.
    let mut in_hunk = false;
    for line in patch.split(|byte| *byte == b'\n') {
        match line.first() {
            Some(b'@') => in_hunk = true,
            Some(b'd') => in_hunk = false,
            Some(b'+') if in_hunk => counts[0] += 1,
            Some(b'-') if in_hunk => counts[1] += 1,
            _ => {}
        }
    }
    counts
}

impl DiffSummary {
    fn count(&mut self, entry: &DiffEntry) {
        self.total += 1;
        *match &*entry.status {
            "added" => &mut self.added,
            "deleted" => &mut self.deleted,
            "type_changed" => &mut self.type_changed,
            _ => &mut self.modified,
        } += 1;
        *match entry.text_patch {
            Some(_) => &mut self.text_patched,
            None => &mut self.non_text,
        } += 1;
    }
}
