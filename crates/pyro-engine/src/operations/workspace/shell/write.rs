//! `workspace shell write`

use pyro_machine::octets;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Shell, find_running};
use crate::instance;
use crate::operation::{Effect, Operation};
use crate::{Context, Engine, Error};

/// The maximum number of bytes in one write.
const LIMIT_BYTES: usize = 1024 * 1024;

/// Type text into a shell, followed by Enter
///
/// Control characters act as keys: `\u0003` in JSON is Ctrl-C, `\u0004` is Ctrl-D, `\u001b` is
/// Escape. A paused workspace is resumed.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace shell write 0123456789ab 6789abcdef01 --input 'cd src && make'\n  \
    pyro workspace shell write 0123456789ab 6789abcdef01 --input y --no-newline")]
pub struct Write {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Id of the shell, as `workspace shell open` returned it
    pub shell_id: String,
    /// Text to type
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub input: String,
    /// Whether to type Enter at the end
    #[arg(long = "no-newline", action = clap::ArgAction::SetFalse)]
    #[serde(default = "yes")]
    pub append_newline: bool,
}

fn yes() -> bool {
    true
}

/// The result of a write.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ShellWritten {
    /// The shell.
    #[serde(flatten)]
    pub shell: Shell,
    /// How many characters were typed, including Enter.
    pub input_length: usize,
    /// Whether Enter was typed at the end.
    pub append_newline: bool,
}

impl Operation for Write {
    const NAME: &'static str = "shell_write";
    const COMMAND: &'static [&'static str] = &["workspace", "shell", "write"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    type Output = ShellWritten;

    async fn run(self, engine: &Engine, _context: &mut Context) -> Result<ShellWritten, Error> {
        let mut input = self.input;
        if self.append_newline {
            input.push('\n');
        }
        let bytes = octets::decode(&input);
        if bytes.len() > LIMIT_BYTES {
            return Err(Error::invalid(format!(
                "input is {} bytes long; at most {LIMIT_BYTES} are possible",
                bytes.len()
            ))
            .remedy("write long text to a file: `pyro workspace file write`"));
        }
        let (found, shell) = find_running(engine, &self.workspace_id, &self.shell_id)?;
        let mut bytes: &[u8] = &bytes;
        instance::write_to_shell(&found, &self.shell_id, &mut bytes).await?;
        Ok(ShellWritten {
            shell,
            input_length: input.chars().count(),
            append_newline: self.append_newline,
        })
    }
}
