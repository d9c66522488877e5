//! `workspace exec`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::exit_status;
use crate::instance::{self, InstanceKind};
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::CommandOutput;
use crate::output::is_false;
use crate::request::{ShellCommand, half_a_minute, positive_seconds};
use crate::{Context, Engine, Error};

/// Run a command in a workspace, in /workspace
///
/// Its output is kept in the workspace's log; its exit code is returned: 124 if it was ended at its
/// time limit, 128 + N if signal N ended it. Many commands may run at once. One whose caller dies
/// goes on; the workspace's log shows it.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace exec 0123456789ab -- make test\n  \
    pyro workspace exec 0123456789ab --timeout-seconds 600 --json -- sh -c 'make 2>&1 | tail'\n\n\
    Output is passed on as it comes. Standard input is passed to the command unless it is a \
    terminal.")]
pub struct Exec {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Shell command to run, for example `make test`
    #[command(flatten)]
    #[serde(default)]
    pub command: ShellCommand,
    /// Seconds after which the command is ended
    #[arg(long, default_value_t = half_a_minute(), value_name = "SECONDS", allow_negative_numbers = true)]
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1))]
    pub timeout_seconds: i64,
}

/// What came of a command.
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
    /// What it printed.
    #[serde(flatten)]
    pub printed: CommandOutput,
    /// Its exit code; 124 if it was ended at its time limit, 128 + N if signal N ended it.
    pub exit_code: i32,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// Where it ran.
    pub execution_mode: String,
    /// Its number in the workspace's log.
    pub sequence: u64,
    /// Its working directory.
    pub cwd: String,
    /// Present if the command was ended at its time limit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub timed_out: bool,
    /// Present if the command did not end well, and the guest's kernel killed a process of it
    /// because the memory was used up.
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
    type Output = ExecResult;

    fn exit_status(output: &Self::Output) -> u8 {
        exit_status(output.exit_code)
    }

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<ExecResult, Error> {
        let timeout = positive_seconds("timeout_seconds", self.timeout_seconds)?;
        let line = self.command.line()?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        found.require_started("workspace_exec")?;
        let (entry, printed) = instance::exec(&found, &line, timeout, context).await?;
        let exit = entry.exit.unwrap_or_default();
        Ok(ExecResult {
            workspace_id: self.workspace_id,
            environment: found.record.environment,
            environment_version: Some(found.record.environment_version),
            command: line,
            printed: printed.into(),
            exit_code: exit.exit_code.unwrap_or(1),
            duration_ms: exit.duration_ms,
            execution_mode: entry.execution_mode,
            sequence: entry.sequence,
            cwd: entry.cwd,
            timed_out: exit.timed_out,
            oom_killed: exit.oom_killed,
            signal: exit.signal,
        })
    }
}
