//! `workspace shell open`

use pyro_machine::TerminalSize;
use pyro_store::random_hex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Shell, find, size};
use crate::command_options::CommandOptions;
use crate::instance::{self, InstanceKind, NewShell};
use crate::operation::{Effect, Operation};
use crate::request::{WORKSPACE, octets_parser};
use crate::{Context, Engine, Error, SecretVariables, Variables};

/// As long as the ids of workspaces: 12 characters.
const ID_BYTES: usize = 6;

/// Open a shell in a workspace: a terminal that stays, with what runs in it
///
/// It keeps its directory, its variables and its running programs from one write to the next, and
/// belongs to no client: read it, write to it, attach to it from anywhere. The prompt is `pyro$ `.
/// A workspace whose shells only wait, also in a built-in command such as `read`, is paused like any
/// other; the next write wakes it.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace shell open 0123456789ab\n  \
    pyro workspace shell open 0123456789ab --cols 200 --id-only\n  \
    pyro workspace shell write 0123456789ab 6789abcdef01 --input 'make test'\n  \
    pyro workspace shell read 0123456789ab 6789abcdef01 --plain --wait-for-idle-ms 500")]
pub struct Open {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Directory to begin in: an absolute path, or one below /workspace
    #[arg(long, value_name = "PATH", default_value_t = workspace(), value_parser = octets_parser())]
    #[serde(default = "workspace")]
    pub cwd: String,
    /// Columns of the terminal, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = cols(), allow_negative_numbers = true)]
    #[serde(default = "cols")]
    #[schemars(range(min = 1, max = 1000))]
    pub cols: i64,
    /// Rows of the terminal, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = rows(), allow_negative_numbers = true)]
    #[serde(default = "rows")]
    #[schemars(range(min = 1, max = 1000))]
    pub rows: i64,
    /// Environment variables of the shell, by name
    #[command(flatten)]
    #[serde(default)]
    pub env: Variables,
    /// Secrets of the workspace that become environment variables: names of secrets with names of
    /// variables
    #[command(flatten)]
    #[serde(default)]
    pub secret_env: SecretVariables,
    /// Who runs it: `USER` or `USER:GROUP`, names of the guest or numbers; root if not given
    #[arg(long, value_name = "USER")]
    #[serde(default)]
    pub user: Option<String>,
}

fn workspace() -> String {
    WORKSPACE.into()
}

fn cols() -> i64 {
    120
}

fn rows() -> i64 {
    30
}

impl Operation for Open {
    const NAME: &'static str = "shell_open";
    const COMMAND: &'static [&'static str] = &["workspace", "shell", "open"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    type Output = Shell;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Shell, Error> {
        let size = TerminalSize {
            columns: size("cols", self.cols)?,
            rows: size("rows", self.rows)?,
        };
        // The default directory is made anew if a command has removed it.
        let cwd = Some(self.cwd.as_str()).filter(|path| *path != WORKSPACE);
        let options =
            CommandOptions::checked(self.env, cwd, self.user)?.with_secrets(self.secret_env)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("shell_open")?;
        let shell_id = random_hex(ID_BYTES);
        let new = NewShell {
            shell_id: shell_id.clone(),
            size,
            options,
        };
        instance::open_shell(&found, new).await?;
        Ok(find(engine, &self.workspace_id, &shell_id)?.1)
    }
}
