//! `workspace shell resize`

use pyro_machine::TerminalSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Shell, find, find_running, size};
use crate::instance;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// Change the size of a shell's terminal
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace shell resize 0123456789ab 6789abcdef01 --cols 200 --rows 50")]
pub struct Resize {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Id of the shell, as `workspace shell open` returned it
    pub shell_id: String,
    /// Columns of the terminal, 1 to 1000
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[schemars(range(min = 1, max = 1000))]
    pub cols: i64,
    /// Rows of the terminal, 1 to 1000
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[schemars(range(min = 1, max = 1000))]
    pub rows: i64,
}

impl Operation for Resize {
    const NAME: &'static str = "shell_resize";
    const COMMAND: &'static [&'static str] = &["workspace", "shell", "resize"];
    const EFFECT: Effect = Effect::Mutating;
    const IDEMPOTENT: bool = true;
    type Output = Shell;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Shell, Error> {
        let size = TerminalSize {
            columns: size("cols", self.cols)?,
            rows: size("rows", self.rows)?,
        };
        let (found, _) = find_running(engine, &self.workspace_id, &self.shell_id)?;
        instance::resize_shell(&found, &self.shell_id, size).await?;
        Ok(find(engine, &self.workspace_id, &self.shell_id)?.1)
    }
}
