//! `workspace exec`

use pyro_store::HistoryEntry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::{exit_status, set_input, time_limit};
use crate::command_options::CommandOptions;
use crate::instance::{self, Instance, InstanceKind, NewCommand};
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::CommandOutput;
use crate::output::is_false;
use crate::request::{ShellCommand, half_a_minute, octets_parser};
use crate::{Context, Engine, Error, SecretVariables, Variables};

/// Run a command in a workspace
///
/// The command's output is kept in the workspace's log. Its exit code is returned: 124 if it was
/// ended at its time limit, 128 + N if signal N ended it. Many commands may run at once. Each starts
/// anew in its directory: a `cd` and variables of one do not reach the next. A command keeps running if
/// its client dies; the workspace's log shows its output.
///
/// With `detach`, the call returns the command's number at once and the command runs in the
/// background: `workspace logs` shows its output, `workspace wait` waits for its end, `workspace
/// kill` ends it.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace exec 0123456789ab -- make test\n  \
    pyro workspace exec 0123456789ab --timeout-seconds 600 --json -- sh -c 'make 2>&1 | tail'\n  \
    pyro workspace exec 0123456789ab -e CI=1 --cwd src --user www-data -- ./test.sh\n  \
    pyro workspace exec 0123456789ab --detach -- npm run build\n  \
    pyro workspace exec -it 0123456789ab -- bash\n\n\
    Output is shown as it is printed. Standard input is passed to the command unless it is a \
    terminal.")]
pub struct Exec {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Shell command to run, for example `make test`
    #[command(flatten)]
    #[serde(default)]
    pub command: ShellCommand,
    /// Environment variables of the command, by name
    #[command(flatten)]
    #[serde(default)]
    pub env: Variables,
    /// Working directory: an absolute path, or one relative to /workspace, which is the default
    #[arg(long, value_name = "PATH", value_parser = octets_parser())]
    #[serde(default)]
    pub cwd: Option<String>,
    /// User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
    /// the default is root
    #[arg(long, value_name = "USER")]
    #[serde(default)]
    pub user: Option<String>,
    /// Secrets of the workspace to pass as environment variables: the name of each secret with the
    /// name of its variable
    #[command(flatten)]
    #[serde(default)]
    pub secret_env: SecretVariables,
    /// Text for the command's standard input
    #[arg(skip)]
    #[serde(default)]
    pub stdin: Option<String>,
    /// Return the command's number at once, and run the command in the background
    #[arg(long)]
    #[serde(default)]
    pub detach: bool,
    /// Time limit of the command in seconds; the default of 30 does not apply to commands with
    /// `detach` or a terminal, which have no limit by default
    #[arg(long, default_value_t = half_a_minute(), value_name = "SECONDS", allow_negative_numbers = true)]
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1))]
    pub timeout_seconds: i64,
}

/// The result of a command.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ExecResult {
    /// The workspace it ran in.
    pub workspace_id: String,
    /// The environment.
    pub environment: String,
    /// The environment's version.
    pub environment_version: Option<String>,
    /// The command.
    pub command: String,
    /// Its output.
    #[serde(flatten)]
    pub printed: CommandOutput,
    /// Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it. Missing if
    /// it is still running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32")]
    pub exit_code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// Where it ran.
    pub execution_mode: String,
    /// Its number in the workspace's log.
    pub sequence: u64,
    /// Its working directory.
    pub cwd: String,
    /// Present if the command is still running.
    #[serde(default, skip_serializing_if = "is_false")]
    pub detached: bool,
    /// Present if the command was ended at its time limit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub timed_out: bool,
    /// Present if the command failed and the guest's kernel killed one of its processes because
    /// memory was exhausted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oom_killed: bool,
    /// Present if a signal ended the command: its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

impl Operation for Exec {
    const NAME: &'static str = "workspace_exec";
    const COMMAND: &'static [&'static str] = &["workspace", "exec"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    const TOOL_SET: ToolSet = ToolSet::Core;
    const FULL_ONLY: &'static [&'static str] = &["secret_env"];
    type Output = ExecResult;

    fn exit_status(output: &Self::Output) -> u8 {
        output.exit_code.map_or(0, exit_status)
    }

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<ExecResult, Error> {
        let unbounded = self.detach || context.terminal.is_some();
        let command = NewCommand {
            timeout: time_limit(self.timeout_seconds, unbounded)?,
            line: self.command.line()?,
            options: CommandOptions::checked(self.env, self.cwd.as_deref(), self.user)?
                .with_secrets(self.secret_env)?,
        };
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("workspace_exec")?;
        set_input(context, self.stdin.as_deref());
        if self.detach {
            let sequence = instance::exec_detached(&found, command, context).await?;
            let entry = found.history().entry(sequence)?;
            return Ok(ExecResult::of(&found, entry, CommandOutput::default()));
        }
        let (entry, printed) = instance::exec(&found, command, context).await?;
        Ok(ExecResult::of(&found, entry, printed.into()))
    }
}

impl ExecResult {
    /// The result of a command, which may still be running.
    pub(super) fn of(found: &Instance, entry: HistoryEntry, printed: CommandOutput) -> Self {
        let detached = entry.exit.is_none();
        let exit = entry.exit.unwrap_or_default();
        Self {
            workspace_id: found.id().to_owned(),
            environment: found.record.environment.clone(),
            environment_version: Some(found.record.environment_version.clone()),
            command: entry.command,
            printed,
            // An interrupted command has no exit code.
            exit_code: exit.exit_code.or((!detached).then_some(1)),
            duration_ms: exit.duration_ms,
            execution_mode: entry.execution_mode,
            sequence: entry.sequence,
            cwd: entry.cwd,
            detached,
            timed_out: exit.timed_out,
            oom_killed: exit.oom_killed,
            signal: exit.signal,
        }
    }
}
