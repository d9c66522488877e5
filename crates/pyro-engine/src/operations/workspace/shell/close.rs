//! `workspace shell close`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Shell, find};
use crate::instance;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// End a shell with all its processes
///
/// Its processes get SIGHUP, as when a terminal window is closed, and are killed if they do not end
/// then. The output can still be read. A shell that has already ended is left as it is.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro workspace shell close 0123456789ab 6789abcdef01")]
pub struct Close {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Id of the shell, as `workspace shell open` returned it
    pub shell_id: String,
}

/// A shell that is closed.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ClosedShell {
    /// The shell.
    #[serde(flatten)]
    pub shell: Shell,
    /// Always true.
    pub closed: bool,
}

impl Operation for Close {
    const NAME: &'static str = "shell_close";
    const COMMAND: &'static [&'static str] = &["workspace", "shell", "close"];
    const EFFECT: Effect = Effect::Destructive;
    const IDEMPOTENT: bool = true;
    type Output = ClosedShell;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<ClosedShell, Error> {
        let (found, shell) = find(engine, &self.workspace_id, &self.shell_id)?;
        if shell.runs() {
            instance::close_shell(&found, &self.shell_id).await?;
        }
        let (_, shell) = find(engine, &self.workspace_id, &self.shell_id)?;
        Ok(ClosedShell {
            shell,
            closed: true,
        })
    }
}
