//! `workspace kill`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::instance::{self, InstanceKind, State};
use crate::operation::{Effect, Operation};
use crate::signal::Signal;
use crate::{Context, Engine, Error};

/// Send a signal to a command in a workspace
///
/// KILL ends the command with all its processes; any other signal goes to the command's process
/// group. If the command has already ended, nothing is done.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace kill 0123456789ab 7\n  \
    pyro workspace kill 0123456789ab 7 --signal INT")]
pub struct Kill {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Number of the command, as `workspace exec` or `workspace logs` returned it
    #[arg(value_name = "N")]
    #[schemars(range(min = 1))]
    pub sequence: u64,
    /// Signal name or number
    #[arg(long, value_name = "SIGNAL", default_value_t = kill())]
    #[serde(default = "kill")]
    pub signal: String,
}

fn kill() -> String {
    "KILL".into()
}

/// The result of sending a signal.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Killed {
    /// The workspace.
    pub workspace_id: String,
    /// The number of the command.
    pub sequence: u64,
    /// The name of the signal.
    pub signal: String,
    /// Whether the signal was sent: false if the command had already ended.
    pub sent: bool,
}

impl Operation for Kill {
    const NAME: &'static str = "workspace_kill";
    const COMMAND: &'static [&'static str] = &["workspace", "kill"];
    const EFFECT: Effect = Effect::Destructive;
    type Output = Killed;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<Killed, Error> {
        let signal = Signal::parse("signal", &self.signal)?;
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        let entry = found.command(self.sequence)?;
        let runs = entry.exit.is_none() && found.state == State::Started;
        let sent = runs && instance::send_signal(&found, self.sequence, signal.number()).await?;
        Ok(Killed {
            workspace_id: self.workspace_id,
            sequence: self.sequence,
            signal: signal.name(),
            sent,
        })
    }
}
