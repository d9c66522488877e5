//! `workspace sync push`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::selection::{GIT_IGNORED, UNREADABLE, Wanted, fail, include};
use crate::instance::InstanceKind;
use crate::left_out::{LeftOut, TransferWarning};
use crate::operation::{Effect, Operation, ToolSet};
use crate::request::WORKSPACE;
use crate::request::{octets_parser, path_text, workspace_path};
use crate::{Context, Engine, Error, transfer};

/// Copy files into a started workspace
///
/// Either all files are copied or none: they are unpacked into a staging directory first, then
/// moved into place. Existing files that are not in the source are kept.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace sync push 0123456789ab .\n  \
    pyro workspace sync push 0123456789ab dist.tar.gz --dest /workspace/dist")]
pub struct SyncPush {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Directory, or archive (.tar, .tar.gz, .tar.zst, .tar.xz, .zip), to copy
    #[arg(value_hint = clap::ValueHint::AnyPath, value_parser = octets_parser())]
    pub source_path: String,
    /// Directory in the workspace to copy into, absolute or relative to /workspace
    #[arg(long, default_value = WORKSPACE, value_name = "PATH", value_parser = octets_parser())]
    #[serde(default = "workspace")]
    pub dest: String,
    /// Leave out files that match a pattern, in the syntax of .gitignore: `*.o`, `target/`,
    /// `/build`; the last matching pattern decides
    #[arg(long, value_name = "PATTERN")]
    #[serde(default)]
    pub exclude: Option<Vec<String>>,
    /// Leave out files that match a pattern in this file, which has one pattern on each line
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, value_parser = octets_parser())]
    #[serde(default)]
    pub exclude_from: Option<String>,
    /// Whether to copy files that git ignores, according to the .gitignore files of the directory:
    /// `include` or `exclude`
    #[arg(long, default_value_t = include(), value_name = "WHETHER", value_parser = GIT_IGNORED)]
    #[serde(default = "include")]
    #[schemars(extend("enum" = GIT_IGNORED))]
    pub git_ignored: String,
    /// What to do with files that cannot be read: `fail`, or `skip` them
    #[arg(long, default_value_t = fail(), value_name = "WHAT", value_parser = UNREADABLE)]
    #[serde(default = "fail")]
    #[schemars(extend("enum" = UNREADABLE))]
    pub unreadable: String,
}

impl SyncPush {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            exclude: self.exclude.as_deref(),
            exclude_from: self.exclude_from.as_deref(),
            git_ignored: &self.git_ignored,
            unreadable: &self.unreadable,
        }
    }
}

fn workspace() -> String {
    WORKSPACE.into()
}

/// The result of a push.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Pushed {
    /// The workspace.
    pub workspace_id: String,
    /// Where it runs.
    pub execution_mode: String,
    /// What was copied.
    pub workspace_sync: Sync,
}

/// What was copied into a workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Sync {
    /// `directory`, `tar_archive` or `zip_archive`.
    pub mode: String,
    /// The path of the source on the host.
    pub source_path: String,
    /// The path of the files in the guest.
    pub destination: String,
    /// How many files, directories and links were copied.
    pub entry_count: u64,
    /// The total size of its files, in bytes.
    pub bytes_written: u64,
    /// The files that were not copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// Warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<TransferWarning>,
}

impl Operation for SyncPush {
    const NAME: &'static str = "workspace_sync_push";
    const COMMAND: &'static [&'static str] = &["workspace", "sync", "push"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    const HOST_PATHS: &'static [&'static str] = &["source_path", "exclude_from"];
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = Pushed;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Pushed, Error> {
        let destination = workspace_path("workspace destination", &self.dest)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("workspace_sync_push")?;
        let source = context.permissions.open("source_path", &self.source_path)?;
        let source = source.select(self.wanted().selection(context)?)?;
        let mode = transfer::mode(&source).to_owned();
        let source_path = path_text(source.path());
        let report = transfer::push(source, found, &destination, &context.listener).await?;
        Ok(Pushed {
            workspace_id: self.workspace_id,
            execution_mode: "guest_vsock".into(),
            workspace_sync: Sync {
                mode,
                source_path,
                destination,
                entry_count: report.entry_count,
                bytes_written: report.bytes_written,
                left_out: LeftOut::of(&report),
                warnings: TransferWarning::all(&report),
            },
        })
    }
}
