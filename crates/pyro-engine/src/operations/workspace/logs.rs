//! `workspace logs`

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use pyro_store::{History, HistoryEntry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::streams;
use crate::instance::{self, Instance, InstanceKind, Outputs, State};
use crate::off_thread::off_thread;
use crate::operation::{Effect, Operation, ToolSet};
use crate::output::is_false;
use crate::output::{CAPTURE_LIMIT_BYTES, Capture, CapturedOutput, CommandOutput};
use crate::request::path_text;
use crate::{Context, Engine, Error, Event, Listener};

/// Show the commands of a workspace, with their output
///
/// Logs are kept until the workspace is deleted, even if it has stopped or its time to live is
/// over. 4 GiB of output are kept; beyond that, the output of the oldest commands is removed first.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro workspace logs 0123456789ab --tail 1\n  \
    pyro workspace logs 0123456789ab --sequence 7 --follow\n  \
    pyro workspace logs 0123456789ab --sequence 7 --offset 65536 --limit 65536 --json")]
pub struct Logs {
    /// Id of the workspace, as `workspace create` returned it
    pub workspace_id: String,
    /// Show only the command with this number
    #[arg(long, value_name = "N")]
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub sequence: Option<u64>,
    /// Show only the last N commands
    #[arg(long, value_name = "N")]
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub tail: Option<u64>,
    /// Show the output of one command as it is printed, from its beginning until the command ends:
    /// of command --sequence, or of the newest one
    #[arg(long)]
    #[serde(default)]
    pub follow: bool,
    /// Skip this many bytes of each output
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    #[serde(default)]
    pub offset: u64,
    /// Show at most this many bytes of each output, and 32 MiB of all outputs: the newest first
    #[arg(long, value_name = "BYTES", default_value_t = most())]
    #[serde(default = "most")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub limit: u64,
}

/// The limit on all output in a result: enough for both streams of one command.
const TOTAL_LIMIT_BYTES: u64 = 2 * CAPTURE_LIMIT_BYTES as u64;

fn most() -> u64 {
    CAPTURE_LIMIT_BYTES as u64
}

/// The commands of a workspace.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct WorkspaceLogs {
    /// The workspace.
    pub workspace_id: String,
    /// How many commands are in this result.
    pub count: usize,
    /// The commands, the oldest first.
    pub entries: Vec<LogEntry>,
}

/// One command.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct LogEntry {
    /// Its number.
    pub sequence: u64,
    /// The command.
    pub command: String,
    /// Its working directory.
    pub cwd: String,
    /// Its exit code; null if it is running, or was interrupted.
    pub exit_code: Option<i32>,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// Where it ran.
    pub execution_mode: String,
    /// When it was started, in seconds since the Unix epoch.
    pub recorded_at: f64,
    /// The path of the file with its exact standard output.
    pub stdout_file: String,
    /// The path of the file with its exact standard error.
    pub stderr_file: String,
    /// Its output.
    #[serde(flatten)]
    pub printed: CommandOutput,
    /// Present if it has no exit code: `running`, or why it was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    /// Present if the command was ended at its time limit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub timed_out: bool,
    /// Present if the command failed and the guest's kernel killed one of its processes because
    /// memory was exhausted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oom_killed: bool,
    /// Present if output was dropped, because the command printed more than is kept, or to make
    /// room for newer commands: how many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_bytes: Option<u64>,
}

impl Operation for Logs {
    const NAME: &'static str = "workspace_logs";
    const COMMAND: &'static [&'static str] = &["workspace", "logs"];
    const EFFECT: Effect = Effect::ReadOnly;
    const TOOL_SET: ToolSet = ToolSet::Core;
    type Output = WorkspaceLogs;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<WorkspaceLogs, Error> {
        let found = engine.instance(InstanceKind::Workspace, &self.workspace_id)?;
        if self.follow && found.state == State::Started {
            let sequences = self.select(found.history().sequences())?;
            if let Some(sequence) = sequences.last() {
                let entry = follow(&found, *sequence, context).await?;
                return Ok(self.answer(vec![entry]));
            }
        }
        let listener = context.listener.clone();
        // Reading from the host's disk must not block the other calls of a server.
        off_thread(move || {
            let entries = self.read_selected(&found, &listener)?;
            Ok(self.answer(entries))
        })
        .await
    }
}

impl Logs {
    fn answer(self, entries: Vec<LogEntry>) -> WorkspaceLogs {
        WorkspaceLogs {
            workspace_id: self.workspace_id,
            count: entries.len(),
            entries,
        }
    }

    fn read_selected(&self, found: &Instance, listener: &Listener) -> Result<Vec<LogEntry>, Error> {
        let sequences = self.select(found.history().sequences())?;
        match (self.follow, sequences.as_slice()) {
            (true, [.., sequence]) => self.read(found, &[*sequence], listener),
            _ => self.read(found, &sequences, listener),
        }
    }

    /// Selects the requested commands.
    fn select(&self, mut sequences: Vec<u64>) -> Result<Vec<u64>, Error> {
        if let Some(wanted) = self.sequence {
            sequences.retain(|sequence| *sequence == wanted);
            if sequences.is_empty() {
                return Err(Error::no_such_command(&self.workspace_id, wanted));
            }
        }
        if let Some(tail) = self.tail {
            let tail = usize::try_from(tail).unwrap_or(usize::MAX);
            sequences.drain(..sequences.len().saturating_sub(tail));
        }
        Ok(sequences)
    }

    fn read(
        &self,
        found: &Instance,
        sequences: &[u64],
        listener: &Listener,
    ) -> Result<Vec<LogEntry>, Error> {
        let history: History = found.history();
        let mut entries = Vec::new();
        let mut room = TOTAL_LIMIT_BYTES;
        // Newer output is more useful.
        for sequence in sequences.iter().rev() {
            match history.entry(*sequence) {
                Ok(entry) => {
                    let stdout = self.read_part(&history.stdout(*sequence), &mut room)?;
                    let stderr = self.read_part(&history.stderr(*sequence), &mut room)?;
                    entries.push(log_entry(found, entry, [stdout, stderr]));
                }
                // A damaged entry must not hide the others.
                Err(error) => {
                    listener.report(Event::Warning(format!("{error}; it is left out")));
                }
            }
        }
        entries.reverse();
        Ok(entries)
    }

    /// Reads the requested part of an output, within the remaining limit.
    fn read_part(&self, path: &Path, room: &mut u64) -> Result<CapturedOutput, Error> {
        let mut bytes = Vec::new();
        let total = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.offset))?;
            let limit = self.limit.min(most()).min(*room);
            (&mut file).take(limit).read_to_end(&mut bytes)?;
            Ok(file.metadata()?.len())
        });
        let total = total.map_err(|error| Error::unreadable_log(path, &error))?;
        *room -= bytes.len() as u64;
        Ok(CapturedOutput::part(bytes, total))
    }
}

/// Forwards the output of a command until it ends.
async fn follow(found: &Instance, sequence: u64, context: &mut Context) -> Result<LogEntry, Error> {
    let mut captures = [Capture::default(), Capture::default()];
    let entry = {
        let (_, stdout, stderr) = streams(context, &mut captures);
        instance::follow(found, sequence, Outputs { stdout, stderr }).await?
    };
    Ok(log_entry(found, entry, captures.map(Capture::finish)))
}

fn log_entry(found: &Instance, entry: HistoryEntry, printed: [CapturedOutput; 2]) -> LogEntry {
    let history = found.history();
    let interrupted = match (&entry.exit, found.state) {
        (Some(exit), _) => exit.interrupted.clone(),
        (None, State::Started) => Some("running".into()),
        (None, _) => Some(instance::INTERRUPTED.into()),
    };
    let exit = entry.exit.unwrap_or_default();
    LogEntry {
        sequence: entry.sequence,
        command: entry.command,
        cwd: entry.cwd,
        exit_code: exit.exit_code,
        duration_ms: exit.duration_ms,
        execution_mode: entry.execution_mode,
        recorded_at: entry.recorded_at,
        stdout_file: path_text(&history.stdout(entry.sequence)),
        stderr_file: path_text(&history.stderr(entry.sequence)),
        printed: printed.into(),
        interrupted,
        timed_out: exit.timed_out,
        oom_killed: exit.oom_killed,
        dropped_bytes: (exit.dropped_bytes > 0).then_some(exit.dropped_bytes),
    }
}
