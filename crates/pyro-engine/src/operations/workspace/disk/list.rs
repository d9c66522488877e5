//! `workspace disk list`

use pyro_machine::Call;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::place;
use crate::instance::{Beside, InstanceKind, Reader};
use crate::operation::{Effect, Operation};
use crate::operations::workspace::file::{FileListing, listed};
use crate::output::Capture;
use crate::request::{WORKSPACE, octets_parser};
use crate::{Context, Engine, Error};

/// List files on the disk of a stopped workspace
///
/// The path may be anywhere in the root file system, not only in /workspace. No program of the
/// workspace runs: a temporary microVM without a network reads a copy of the disk. Symbolic links
/// are listed and not followed, unless the path itself is one.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace disk list 0123456789ab\n  \
    pyro workspace disk list 0123456789ab /etc --recursive --json")]
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

impl Operation for List {
    const NAME: &'static str = "workspace_disk_list";
    const COMMAND: &'static [&'static str] = &["workspace", "disk", "list"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = FileListing;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<FileListing, Error> {
        let (path, file) = place(&self.path)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let reader = Reader::start(
            engine,
            &found,
            Self::NAME,
            Beside::Nothing,
            &context.listener,
        )
        .await?;
        let call = Call::ListFiles {
            file,
            recursive: self.recursive,
        };
        let mut output = Capture::default();
        reader.call(&call, &mut output).await?;
        let (entries, truncated) = listed("", output)?;
        Ok(FileListing {
            workspace_id: self.workspace_id,
            path,
            recursive: self.recursive,
            entries,
            truncated,
        })
    }
}
