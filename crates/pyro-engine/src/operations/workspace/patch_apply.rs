//! `workspace patch apply`

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use pyro_diff::{Applied, Mode, ParseOptions, Present, Side as PatchSide};
use pyro_machine::{Answer, Call, FileChange, FileEdit, FileState, FileType, octets};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::read_content;
use crate::comparison::{Changes, Side, read_files};
use crate::instance::{self, Instance, InstanceKind};
use crate::off_thread::off_thread;
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::hex;
use crate::request::{WORKSPACE, octets_parser};
use crate::{Context, Engine, Error};

/// The limit on the size of a patch, and of the files that it changes: all of them are held in
/// memory.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// How many paths one call asks the guest for: the names must fit into one message.
const PATHS_AT_ONCE: usize = 200;
const NEW_MODE: u32 = 0o644;
const EXECUTABLE: u32 = 0o111;

/// Apply a patch to files of a started workspace
///
/// The patch has the format of `git diff`, with new, deleted, renamed and copied files, permissions,
/// symbolic links and binary files, or that of `diff -u`. Either the whole patch is applied or
/// nothing. A hunk may apply at another line than the patch says, but its context and removed lines
/// must match exactly. A paused workspace is resumed.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace patch apply 0123456789ab --patch-file fix.patch\n  \
    git diff | pyro workspace patch apply 0123456789ab --patch-file -\n  \
    pyro workspace patch apply 0123456789ab --patch-file fix.patch --check")]
pub struct PatchApply {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// The patch, with paths relative to /workspace
    #[arg(long, value_name = "PATCH", value_parser = octets_parser(), allow_hyphen_values = true, group = "content")]
    #[serde(default)]
    pub patch: Option<String>,
    /// File on this host with the patch; `-` is standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, value_parser = octets_parser(), allow_hyphen_values = true, group = "content")]
    #[serde(default)]
    pub patch_file: Option<String>,
    /// How many leading components of each path to remove; by default, the prefixes that git adds
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    #[serde(default)]
    #[schemars(range(min = 0, max = 64))]
    pub strip: Option<i64>,
    /// Only check whether the patch applies
    #[arg(long)]
    #[serde(default)]
    pub check: bool,
}

/// A patch that was applied.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct AppliedPatch {
    /// The workspace.
    pub workspace_id: String,
    /// Where it was applied.
    pub execution_mode: String,
    /// Whether the patch was only checked and nothing was changed.
    pub check: bool,
    /// Whether any file was changed, or would be.
    pub changed: bool,
    /// How many files were changed, by kind of change.
    pub summary: PatchSummary,
    /// The changes, sorted by path.
    pub entries: Vec<PatchEntry>,
    /// Hunks that were applied at another line than the patch says.
    pub moved: Vec<MovedHunk>,
}

/// How many files a patch has changed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct PatchSummary {
    /// All.
    pub total: u64,
    /// Files that did not exist before.
    pub added: u64,
    /// Files whose content or permissions were changed.
    pub modified: u64,
    /// Files that were deleted.
    pub deleted: u64,
}

/// A file that a patch has changed.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct PatchEntry {
    /// The path, relative to /workspace.
    pub path: String,
    /// `added`, `modified` or `deleted`.
    pub status: String,
}

/// A hunk that was applied at another line than the patch says.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct MovedHunk {
    /// The path, relative to /workspace.
    pub path: String,
    /// The number of the hunk in the file, from 1.
    pub hunk: u64,
    /// How many lines further down it was applied.
    pub by: i64,
}

impl Operation for PatchApply {
    const NAME: &'static str = "workspace_patch_apply";
    const COMMAND: &'static [&'static str] = &["workspace", "patch", "apply"];
    const EFFECT: Effect = Effect::Mutating;
    const HOST_PATHS: &'static [&'static str] = &["patch_file"];
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = AppliedPatch;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<AppliedPatch, Error> {
        let strip = match self.strip {
            None => None,
            Some(strip @ 0..=64) => usize::try_from(strip).ok(),
            Some(_) => return Err(Error::invalid("strip must be from 0 to 64")),
        };
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("workspace_patch_apply")?;
        let mut patch = match (&self.patch, &self.patch_file) {
            (Some(patch), None) => octets::decode(patch).into_owned(),
            (None, Some(file)) => {
                read_content("patch_file", file, MAX_BYTES as u64, context).await?
            }
            _ => return Err(Error::invalid("one of patch and patch_file must be given")),
        };
        if !patch.ends_with(b"\n") {
            // The final newline is often lost when a patch is passed as text.
            patch.push(b'\n');
        }
        let options = ParseOptions {
            limit: MAX_BYTES,
            strip,
        };
        let paths = {
            let parsed = pyro_diff::parse(&patch, options);
            let parsed = parsed.map_err(|error| Error::unreadable_patch(&error))?;
            let files = parsed.files().iter();
            files
                .flat_map(|file| [Some(file.path()), file.old_path()])
                .flatten()
                .flat_map(with_parents)
                .collect::<BTreeSet<_>>()
        };
        let files = read(&found, paths).await?;
        let (files, applied) = off_thread(move || {
            // Parsed again, because the parsed patch borrows from the text.
            let parsed = pyro_diff::parse(&patch, options);
            let parsed = parsed.map_err(|error| Error::unreadable_patch(&error))?;
            let present = |path: &[u8]| Ok::<_, Infallible>(files.present(path));
            let applied = pyro_diff::apply(&parsed, MAX_BYTES, present);
            let applied = applied.map_err(|error| Error::patch_misfit(&error))?;
            Ok::<_, Error>((files, applied))
        })
        .await?;
        let result = result(self.workspace_id, self.check, &files, &applied);
        if !self.check && result.changed {
            edit(&found, &files, applied).await?;
        }
        Ok(result)
    }
}

/// A path and the directories that it is in.
fn with_parents(path: &[u8]) -> Vec<Vec<u8>> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let ends = slashes.map(|(end, _)| end).chain([path.len()]);
    ends.map(|end| path[..end].to_vec()).collect()
}

/// The files at the paths of a patch.
#[derive(Default)]
struct Files {
    found: BTreeMap<Vec<u8>, (Option<FileState>, Vec<u8>)>,
    last: Vec<u8>,
    bytes: usize,
}

async fn read(found: &Instance, paths: BTreeSet<Vec<u8>>) -> Result<Files, Error> {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| octets::encode(path).into_owned())
        .collect();
    let mut files = Files::default();
    for some in paths.chunks(PATHS_AT_ONCE) {
        files = read_files(found, some.to_vec(), files).await?;
    }
    Ok(files)
}

impl Changes for Files {
    fn change(&mut self, path: &[u8], change: FileChange) -> Result<(), Error> {
        self.last = path.to_vec();
        self.found.insert(path.to_vec(), (change.new, Vec::new()));
        Ok(())
    }

    fn content(&mut self, _: Side, bytes: &[u8]) -> Result<(), Error> {
        self.bytes += bytes.len();
        if self.bytes > MAX_BYTES {
            return Err(Error::diff_too_large(MAX_BYTES));
        }
        if let Some((_, content)) = self.found.get_mut(&self.last) {
            content.extend_from_slice(bytes);
        }
        Ok(())
    }
}

impl Files {
    fn state(&self, path: &[u8]) -> Option<&FileState> {
        self.found.get(path)?.0.as_ref()
    }

    fn present(&self, path: &[u8]) -> Present {
        let Some((Some(state), content)) = self.found.get(path) else {
            return Present::Nothing;
        };
        let mode = match state.file_type {
            FileType::File if state.mode & 0o100 != 0 => Mode::Executable,
            FileType::File => Mode::Regular,
            FileType::Symlink => Mode::Symlink,
            FileType::Directory => return Present::Directory,
            FileType::Other => return Present::Other,
        };
        let content = match &state.target {
            Some(target) => octets::decode(target).into_owned(),
            None => content.clone(),
        };
        Present::Side(PatchSide { mode, content })
    }
}

fn result(workspace_id: String, check: bool, files: &Files, applied: &Applied) -> AppliedPatch {
    let mut summary = PatchSummary::default();
    let mut entries = Vec::new();
    for (path, side) in &applied.changes {
        let was = files
            .state(path)
            .is_some_and(|state| state.file_type != FileType::Directory);
        let (status, count) = match (was, side) {
            (_, None) => ("deleted", &mut summary.deleted),
            (true, Some(_)) => ("modified", &mut summary.modified),
            (false, Some(_)) => ("added", &mut summary.added),
        };
        *count += 1;
        summary.total += 1;
        entries.push(PatchEntry {
            path: octets::encode(path).into_owned(),
            status: status.into(),
        });
    }
    let moved = applied.moved.iter().map(|moved| MovedHunk {
        path: octets::encode(&moved.path).into_owned(),
        hunk: moved.hunk as u64,
        by: moved.by as i64,
    });
    AppliedPatch {
        workspace_id,
        execution_mode: "guest_vsock".into(),
        check,
        changed: summary.total > 0,
        summary,
        moved: moved.collect(),
        entries,
    }
}

/// Makes the changes in the guest, provided that the files have not changed in the meantime.
async fn edit(found: &Instance, files: &Files, applied: Applied) -> Result<(), Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let modified = i64::try_from(now.as_secs()).unwrap_or_default();
    let edits = applied.changes.len() as u64;
    let mut changes: Vec<_> = applied.changes.into_iter().collect();
    // Removals first.
    changes.sort_by_key(|(_, side)| side.is_some());
    let mut input = Vec::new();
    for (path, side) in changes {
        let old = files.state(&path).cloned();
        let is_file = old
            .as_ref()
            .is_some_and(|old| old.file_type == FileType::File);
        let content = files
            .found
            .get(&path)
            .filter(|_| is_file)
            .map(|(_, content)| content);
        let new = side.as_ref().map(|side| FileState {
            file_type: match side.mode {
                Mode::Symlink => FileType::Symlink,
                Mode::Regular | Mode::Executable => FileType::File,
            },
            size: side.content.len() as u64,
            mode: new_mode(old.as_ref().filter(|_| is_file), side.mode),
            modified,
            target: (side.mode == Mode::Symlink)
                .then(|| octets::encode(&side.content).into_owned()),
        });
        let edit = FileEdit {
            path: octets::encode(&path).into_owned(),
            old_sha256: content.map(|content| hex(&Sha256::digest(content))),
            old,
            new,
        };
        serde_json::to_writer(&mut input, &edit).expect("memory takes whatever is written");
        input.push(b'\n');
        if let Some(side) = side
            && side.mode != Mode::Symlink
        {
            input.extend(side.content);
        }
    }
    let call = Call::EditFiles {
        root: WORKSPACE.into(),
        edits,
    };
    match instance::call(found, &call, &input, &mut tokio::io::sink()).await? {
        Answer::Edited => Ok(()),
        answer => Err(Error::guest_output("an edit", &format!("{answer:?}"))),
    }
}

/// The permissions of a file: a patch only says whether the file is executable.
fn new_mode(old: Option<&FileState>, mode: Mode) -> u32 {
    let old = old.map_or(NEW_MODE, |old| old.mode);
    let is_executable = mode == Mode::Executable;
    if is_executable == (old & 0o100 != 0) {
        return old;
    }
    if is_executable {
        // Whoever may read it may execute it.
        old | (old & 0o444) >> 2
    } else {
        old & !EXECUTABLE
    }
}
