//! `workspace file list`

use pyro_machine::{Call, FileEntry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{artifact_type, place};
use crate::instance::{self, InstanceKind};
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::{Capture, is_false};
use crate::request::{WORKSPACE, octets_parser};
use crate::{Context, Engine, Error};

/// The maximum number of entries in one result.
const MOST_ENTRIES: usize = 10_000;

/// List files of a started workspace
///
/// Symbolic links are listed and not followed, unless the path itself is one. A paused workspace is
/// resumed.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace file list 0123456789ab\n  \
    pyro workspace file list 0123456789ab src --recursive --json")]
pub struct List {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Directory or file, absolute or relative to /workspace
    #[arg(default_value = WORKSPACE, value_parser = octets_parser())]
    #[serde(default = "workspace")]
    pub path: String,
    /// List subdirectories recursively
    #[arg(long)]
    #[serde(default)]
    pub recursive: bool,
}

fn workspace() -> String {
    WORKSPACE.into()
}

/// The contents of a directory.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct FileListing {
    /// The workspace.
    pub workspace_id: String,
    /// The directory.
    pub path: String,
    /// Whether subdirectories were listed recursively.
    pub recursive: bool,
    /// Its entries, sorted by name; a directory comes before its contents.
    pub entries: Vec<ListedFile>,
    /// Present if there are more entries: only the first 10,000 are listed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub truncated: bool,
}

/// One entry of a directory.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ListedFile {
    /// Its absolute path.
    pub path: String,
    /// `file`, `directory`, `symlink` or `other`.
    pub artifact_type: String,
    /// Its size in bytes; 0 for directories and devices.
    pub size_bytes: u64,
    /// The target, if it is a symbolic link.
    pub link_target: Option<String>,
    /// Its permissions, in octal digits, for example `0644`.
    pub mode: String,
    /// When it was changed last, in seconds since the Unix epoch.
    pub modified_at: i64,
}

impl ListedFile {
    /// Lists a path below the directory `root`.
    fn below(root: &str, FileEntry { path, state }: FileEntry) -> Self {
        Self {
            path: format!("{root}/{path}"),
            artifact_type: artifact_type(state.file_type).into(),
            size_bytes: state.size,
            link_target: state.target,
            mode: format!("{:04o}", state.mode),
            modified_at: state.modified,
        }
    }
}

impl Operation for List {
    const NAME: &'static str = "workspace_file_list";
    const COMMAND: &'static [&'static str] = &["workspace", "file", "list"];
    const EFFECT: Effect = Effect::ReadOnly;
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = FileListing;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<FileListing, Error> {
        let (path, file) = place(&self.path)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("workspace_file_list")?;
        let call = Call::ListFiles {
            file,
            recursive: self.recursive,
        };
        let mut output = Capture::default();
        instance::call(&found, &call, &[], &mut output).await?;
        let (entries, truncated) = listed(WORKSPACE, output)?;
        Ok(FileListing {
            workspace_id: self.workspace_id,
            path,
            recursive: self.recursive,
            entries,
            truncated,
        })
    }
}

/// Parses the guest's list of files below `root`. Also returns whether there are more.
pub(in super::super) fn listed(
    root: &str,
    output: Capture,
) -> Result<(Vec<ListedFile>, bool), Error> {
    let (lines, mut is_whole) = output.into_bytes();
    let mut entries = Vec::new();
    for line in lines.split_inclusive(|&byte| byte == b'\n') {
        // The capture has cut off the rest.
        if !line.ends_with(b"\n") || entries.len() == MOST_ENTRIES {
            is_whole = false;
            break;
        }
        let entry: FileEntry = serde_json::from_slice(line)
            .map_err(|error| Error::guest_output("a list of files", &error))?;
        entries.push(ListedFile::below(root, entry));
    }
    Ok((entries, !is_whole))
}
