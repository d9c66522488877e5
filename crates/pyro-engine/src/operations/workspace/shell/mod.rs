//! Shells in a workspace: terminals that do not depend on the clients that use them.

mod attach;
mod close;
mod list;
mod open;
mod read;
mod resize;
mod signal;
mod write;

pub use attach::Attach;
pub use close::{Close, ClosedShell};
pub use list::{List, Shells};
pub use open::Open;
pub use read::{Read, ShellOutput};
pub use resize::Resize;
pub use signal::{ShellSignalled, Signal};
pub use write::{ShellWritten, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::instance::{Instance, InstanceKind, ShellRecord, State};
use crate::request::within;
use crate::{Engine, Error};

const SIZES: std::ops::RangeInclusive<i64> = 1..=1000;

/// A shell.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Shell {
    /// The workspace it is in.
    pub workspace_id: String,
    /// Its id.
    pub shell_id: String,
    /// Its initial working directory.
    pub cwd: String,
    /// The columns of its terminal.
    pub cols: u16,
    /// The rows of its terminal.
    pub rows: u16,
    /// `running`, or `stopped` once it has ended.
    pub state: String,
    /// When it was opened, in seconds since the Unix epoch.
    pub started_at: f64,
    /// When it ended; null if it is running, or if it ended with its workspace.
    pub ended_at: Option<f64>,
    /// Its exit code; 128 + N if signal N ended it; null if it has none.
    pub exit_code: Option<i32>,
    /// Where it runs.
    pub execution_mode: String,
}

impl Shell {
    fn of(instance: &Instance, record: ShellRecord) -> Self {
        let runs = !record.has_ended && instance.state == State::Started;
        Self {
            workspace_id: instance.id().to_owned(),
            shell_id: record.shell_id,
            cwd: record.cwd,
            cols: record.cols,
            rows: record.rows,
            state: if runs { "running" } else { "stopped" }.into(),
            started_at: record.started_at,
            ended_at: record.ended_at,
            exit_code: record.exit_code,
            execution_mode: "guest_vsock".into(),
        }
    }

    fn runs(&self) -> bool {
        self.state == "running"
    }
}

/// Finds a shell with its workspace.
fn find(engine: &Engine, workspace_id: &str, shell_id: &str) -> Result<(Instance, Shell), Error> {
    let found = engine.instance(InstanceKind::Workspace, workspace_id)?;
    let record = found.shells().record(shell_id);
    let record = record.ok_or_else(|| Error::no_such_shell(workspace_id, shell_id))?;
    let shell = Shell::of(&found, record);
    Ok((found, shell))
}

/// Finds a running shell.
fn find_running(
    engine: &Engine,
    workspace_id: &str,
    shell_id: &str,
) -> Result<(Instance, Shell), Error> {
    let (found, shell) = find(engine, workspace_id, shell_id)?;
    if !shell.runs() {
        return Err(Error::shell_ended(shell_id));
    }
    Ok((found, shell))
}

fn size(name: &str, value: i64) -> Result<u16, Error> {
    within(name, value, &SIZES)
}
