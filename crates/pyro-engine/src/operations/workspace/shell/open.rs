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

/// As long as workspace ids: 12 characters.
const ID_BYTES: usize = 6;

/// Open an interactive shell in a workspace, which stays open after this call
///
/// The shell keeps its directory, variables and running programs between writes, and does not
/// depend on a client: any process can read from it, write to it and attach to it. The prompt is
/// `pyro$ `. A workspace whose shells only wait, also in a built-in command such as `read`, is
/// paused like any other; the next write resumes it.
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
    /// Initial working directory: an absolute path, or one relative to /workspace
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
    /// Secrets of the workspace to pass as environment variables: the name of each secret with the
    /// name of its variable
    #[command(flatten)]
    #[serde(default)]
    pub secret_env: SecretVariables,
    /// User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
    /// the default is root
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
        // The default directory is created again if a command has removed it.
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
