//! `workspace wait`

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ExecResult;
use crate::command::exit_status;
use crate::instance::{self, InstanceKind, Outputs, State};
use crate::operation::{Effect, Operation};
use crate::output::CommandOutput;
use crate::request::positive_seconds;
use crate::{Context, Engine, Error};

/// Wait for the end of a command in a workspace, and return its exit code
///
/// The output is not shown: use `workspace logs`. If the wait ends at its limit, the command keeps
/// running and no exit code is returned.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace wait 0123456789ab 7\n  \
    pyro workspace wait 0123456789ab 7 --timeout-seconds 60 --json\n\n\
    Exit status: the command's own, or 124 if it still runs at the end of the wait.")]
pub struct Wait {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Number of the command, as `workspace exec` returned it
    #[arg(value_name = "N")]
    #[schemars(range(min = 1))]
    pub sequence: u64,
    /// Maximum number of seconds to wait; no limit if not given
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub timeout_seconds: Option<i64>,
}

impl Operation for Wait {
    const NAME: &'static str = "workspace_wait";
    const COMMAND: &'static [&'static str] = &["workspace", "wait"];
    const EFFECT: Effect = Effect::ReadOnly;
    type Output = ExecResult;

    fn exit_status(output: &Self::Output) -> u8 {
        exit_status(output.exit_code.unwrap_or(124))
    }

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<ExecResult, Error> {
        let limit = match self.timeout_seconds {
            Some(seconds) => positive_seconds("timeout_seconds", seconds)?,
            None => Duration::MAX,
        };
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let entry = found.command(self.sequence)?;
        if entry.exit.is_some() {
            return Ok(ExecResult::of(&found, entry, CommandOutput::default()));
        }
        if found.state != State::Started {
            return Err(Error::command_interrupted(found.id(), self.sequence));
        }
        let (mut stdout, mut stderr) = (tokio::io::sink(), tokio::io::sink());
        let outputs = Outputs {
            stdout: &mut stdout,
            stderr: &mut stderr,
        };
        let ended = instance::follow(&found, self.sequence, outputs);
        let entry = match tokio::time::timeout(limit, ended).await {
            Ok(ended) => ended?,
            Err(_) => entry,
        };
        Ok(ExecResult::of(&found, entry, CommandOutput::default()))
    }
}
