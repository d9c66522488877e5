//! `vm exec`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cleanup, RunResult, status};
use crate::command::{exit_status, set_input, time_limit};
use crate::command_options::CommandOptions;
use crate::instance::{self, DeleteOnDrop, Instance, NewCommand};
use crate::operation::{Effect, Operation};
use crate::request::{ShellCommand, half_a_minute, octets_parser};
use crate::{Context, Engine, Error, Variables};

/// Run one command in a started VM, then delete the VM
///
/// The command's exit code is returned: 124 if it was ended at its time limit, 128 + N if signal N
/// ended it. For many commands in one place use a workspace.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  pyro vm exec 0123456789ab -- git --version")]
pub struct Exec {
    /// Id of the VM, as `vm create` returned it
    pub vm_id: String,
    /// Shell command to run, for example `git --version`
    #[command(flatten)]
    #[serde(default)]
    pub command: ShellCommand,
    /// Environment variables of the command, by name
    #[command(flatten)]
    #[serde(default)]
    pub env: Variables,
    /// Working directory: an absolute path; /root is the default
    #[arg(long, value_name = "PATH", value_parser = octets_parser())]
    #[serde(default)]
    pub cwd: Option<String>,
    /// User that runs the command: `USER` or `USER:GROUP`, as names in the guest or numeric ids;
    /// the default is root
    #[arg(long, value_name = "USER")]
    #[serde(default)]
    pub user: Option<String>,
    /// Text for the command's standard input
    #[arg(skip)]
    #[serde(default)]
    pub stdin: Option<String>,
    /// Time limit of the command in seconds; the default of 30 does not apply to commands with a
    /// terminal, which have no limit by default
    #[arg(long, default_value_t = half_a_minute(), value_name = "SECONDS", allow_negative_numbers = true)]
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 1))]
    pub timeout_seconds: i64,
}

impl Operation for Exec {
    const NAME: &'static str = "vm_exec";
    const COMMAND: &'static [&'static str] = &["vm", "exec"];
    const EFFECT: Effect = Effect::Destructive;
    const OPEN_WORLD: bool = true;
    type Output = RunResult;

    fn exit_status(output: &Self::Output) -> u8 {
        exit_status(output.exit_code)
    }

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<RunResult, Error> {
        let command = NewCommand {
            timeout: time_limit(self.timeout_seconds, context.terminal.is_some())?,
            line: self.command.line()?,
            options: CommandOptions::checked(self.env, self.cwd.as_deref(), self.user)?,
        };
        let line = command.line.clone();
        set_input(context, self.stdin.as_deref());
        let found: Instance = status::find(engine, &self.vm_id).await?;
        found.require_started("execution")?;
        // From here on the VM counts as used and is deleted, however the command ends.
        let used = DeleteOnDrop::new(engine, found.object.clone());
        let (entry, printed) = instance::exec(&found, command, context).await?;
        let record = found.record.clone();
        found.delete().await?;
        used.disarm();
        let exit = entry.exit.unwrap_or_default();
        Ok(RunResult {
            environment: record.environment,
            environment_version: Some(record.environment_version),
            command: line,
            printed: printed.into(),
            exit_code: exit.exit_code.unwrap_or(1),
            duration_ms: exit.duration_ms,
            execution_mode: entry.execution_mode,
            cleanup: Cleanup {
                vm_id: self.vm_id.clone(),
                deleted: true,
                reason: "post_exec_cleanup".into(),
            },
            vm_id: self.vm_id,
            timed_out: exit.timed_out,
            oom_killed: exit.oom_killed,
            signal: exit.signal,
        })
    }
}
