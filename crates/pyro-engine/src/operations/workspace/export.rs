//! `workspace export`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::file::place;
use crate::export::{self, Existing, Output};
use crate::instance::InstanceKind;
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::is_zero;
use crate::request::{octets_parser, path_text};
use crate::{Context, Engine, Error};

/// Copy a file, a directory or a symbolic link out of a started workspace
///
/// The copy appears at the output path only when it is complete. Permissions, modification times
/// and links are kept; you own all files, and setuid, setgid and sticky bits are dropped. Devices,
/// pipes and sockets are left out. If the output path ends in .tar, .tar.gz, .tgz or .tar.zst, the
/// output is an archive whose members begin with the last component of the exported path; only a
/// file that has such a name itself is copied unchanged.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace export 0123456789ab dist --output ./dist\n  \
    pyro workspace export 0123456789ab report.pdf --output /tmp/report.pdf --force\n  \
    pyro workspace export 0123456789ab . --output project.tar.gz\n  \
    pyro workspace export 0123456789ab dist --output - | tar xf - -C /tmp")]
pub struct Export {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Path to copy, absolute or relative to /workspace; a symbolic link is copied as a link
    #[arg(value_parser = octets_parser())]
    pub path: String,
    /// Path of the copy on this host; its directory must exist
    #[arg(long = "output", value_name = "PATH", value_hint = clap::ValueHint::AnyPath, value_parser = octets_parser())]
    pub output_path: String,
    /// Replace an existing file or directory at the output path, with everything in it
    #[arg(long)]
    #[serde(default)]
    pub force: bool,
}

/// What was copied.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Exported {
    /// The workspace.
    pub workspace_id: String,
    /// The absolute path in the guest.
    pub workspace_path: String,
    /// The path of the copy on this host.
    pub output_path: String,
    /// `file`, `directory` or `symlink`.
    pub artifact_type: String,
    /// How many files, directories and links were copied.
    pub entry_count: u64,
    /// The total size of its files, in bytes.
    pub bytes_written: u64,
    /// Where the workspace runs.
    pub execution_mode: String,
    /// Present if there were devices, pipes or sockets, which are not copied: how many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out_count: u64,
    /// Present if files grew or shrank while they were read: how many. Each copy has the size that
    /// the file had first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changed_count: u64,
}

impl Operation for Export {
    const NAME: &'static str = "workspace_export";
    const COMMAND: &'static [&'static str] = &["workspace", "export"];
    const EFFECT: Effect = Effect::Mutating;
    const HOST_PATHS: &'static [&'static str] = &["output_path"];
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = Exported;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Exported, Error> {
        let (workspace_path, file) = place(&self.path)?;
        let existing = Existing::for_caller(self.force, &context.permissions)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("workspace_export")?;
        let (output_path, output) = match (&*self.output_path, &mut context.output) {
            ("-", Some(streams)) => ("-".to_owned(), Output::Stream(&mut streams.stdout)),
            ("-", None) => return Err(no_stream()),
            (path, _) => {
                let destination = context.permissions.open_destination("output_path", path)?;
                let path = path_text(&destination.path);
                (path, Output::Path(destination, existing))
            }
        };
        let exported = export::export(&found, file, output, &context.listener).await?;
        Ok(Exported {
            workspace_id: self.workspace_id,
            workspace_path,
            output_path,
            artifact_type: exported.artifact_type.into(),
            entry_count: exported.entry_count,
            bytes_written: exported.bytes_written,
            execution_mode: "guest_vsock".into(),
            left_out_count: exported.left_out,
            changed_count: exported.changed,
        })
    }
}

fn no_stream() -> Error {
    let message = "output_path '-' is the command line's standard output, without --json";
    let error = Error::invalid(message);
    error.remedy("name a file, such as 'x.tar'; for a file named '-', use './-'")
}
