//! `workspace shell signal`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Shell, find_running};
use crate::instance;
use crate::operation::{Effect, Operation};
use crate::signal::Signal as Number;
use crate::{Context, Engine, Error};

/// The signals that the contract names.
const SIGNALS: [&str; 4] = ["HUP", "INT", "TERM", "KILL"];

/// Send a signal to the programs in a shell
///
/// The signal goes to the program in the foreground, as with Ctrl-C; KILL ends the shell with all its
/// processes.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace shell signal 0123456789ab 6789abcdef01\n  \
    pyro workspace shell signal 0123456789ab 6789abcdef01 --signal TERM")]
pub struct Signal {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Id of the shell, as `workspace shell open` returned it
    pub shell_id: String,
    /// Signal to send
    #[arg(long = "signal", value_name = "SIGNAL", default_value_t = interrupt(), value_parser = SIGNALS)]
    #[serde(default = "interrupt")]
    #[schemars(extend("enum" = SIGNALS))]
    pub signal_name: String,
}

fn interrupt() -> String {
    "INT".into()
}

/// The result of sending a signal.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ShellSignalled {
    /// The shell.
    #[serde(flatten)]
    pub shell: Shell,
    /// The signal.
    pub signal: String,
}

impl Operation for Signal {
    const NAME: &'static str = "shell_signal";
    const COMMAND: &'static [&'static str] = &["workspace", "shell", "signal"];
    const EFFECT: Effect = Effect::Destructive;
    type Output = ShellSignalled;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<ShellSignalled, Error> {
        let signal = Number::parse("signal_name", &self.signal_name)?;
        if !SIGNALS.contains(&signal.name().as_str()) {
            let all = SIGNALS.join(", ");
            return Err(Error::invalid(format!("signal_name must be one of {all}")));
        }
        let (found, shell) = find_running(engine, &self.workspace_id, &self.shell_id)?;
        instance::signal_shell(&found, &self.shell_id, signal.number()).await?;
        Ok(ShellSignalled {
            shell,
            signal: signal.name(),
        })
    }
}
