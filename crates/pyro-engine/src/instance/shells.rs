//! The *shells* of a supervised VM: each is a terminal in which a shell runs. They belong to the VM:
//! clients come and go.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyro_machine::{Command, Control, Outcome, PauseRule, SupervisedMachine, TerminalSize};
use pyro_store::{create_private_directory, write_atomically};
use serde::{Deserialize, Serialize};
use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::activity::Activity;
use super::files::SHELLS;
use super::power::Power;
use super::process::{NewProcess, Process};
use super::text_log::{TextLog, TextLogWriter};
use super::time::now;
use super::wire::{Reply, read_piece, write_line};
use crate::Error;
use crate::command::exit_code;
use crate::command_options::CommandOptions;
use crate::off_thread::off_thread;

const RECORD: &str = "shell.json";
const OUTPUT: &str = "output";
/// A record is shorter.
const RECORD_LIMIT_BYTES: u64 = 64 * 1024;
/// The most shells of one VM that run at once.
const RUNNING: usize = 64;
/// The most shells that have ended and whose output is kept.
const ENDED: usize = 64;
/// How long to wait for a shell's first prompt.
const PROMPT_LIMIT: Duration = Duration::from_secs(10);
/// How long a shell may take to end after its terminal was closed.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The prompt, which is the same for every user and in every directory.
const PROMPT: &str = "pyro$ ";
/// The shell, with no file of the environment's that could set another prompt. Without bash, the
/// environment's own.
const SHELL: &str = "command -v bash >/dev/null && exec bash --noprofile --norc -i; exec sh -i";

/// What is recorded of a shell.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ShellRecord {
    pub(crate) shell_id: String,
    pub(crate) cwd: String,
    pub(crate) cols: u16,
    pub(crate) rows: u16,
    /// Seconds since the Unix epoch.
    pub(crate) started_at: f64,
    /// When it ended, if it has and that is known.
    #[serde(default)]
    pub(crate) ended_at: Option<f64>,
    /// Its exit code, if it has one: 128 + N if signal N ended it.
    #[serde(default)]
    pub(crate) exit_code: Option<i32>,
    /// Whether it has ended.
    #[serde(default)]
    pub(crate) has_ended: bool,
}

/// A request for a shell.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct NewShell {
    pub(crate) shell_id: String,
    pub(crate) size: TerminalSize,
    pub(crate) options: CommandOptions,
}

/// The files of the shells of one VM, for readers.
#[derive(Clone, Debug)]
pub(crate) struct ShellFiles {
    directory: PathBuf,
}

impl ShellFiles {
    pub(super) fn of(object: &Path) -> Self {
        Self {
            directory: object.join(SHELLS),
        }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(id)
    }

    /// The output of a shell.
    pub(crate) fn output(&self, id: &str) -> TextLog {
        TextLog::new(&self.path(id), OUTPUT)
    }

    /// The record of a shell; `None` if there is none with this id.
    pub(crate) fn record(&self, id: &str) -> Option<ShellRecord> {
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return None;
        }
        let path = self.path(id).join(RECORD);
        let length = path.metadata().ok()?.len();
        if length > RECORD_LIMIT_BYTES {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// All records, the oldest first.
    pub(crate) fn all(&self) -> Vec<ShellRecord> {
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut all: Vec<_> = names.filter_map(|name| self.record(&name)).collect();
        all.sort_by(|one, other| one.started_at.total_cmp(&other.started_at));
        all
    }

    fn write(&self, record: &ShellRecord) -> Result<(), Error> {
        let text =
            serde_json::to_vec(record).map_err(|error| Error::no_supervisor(&error.to_string()))?;
        let path = self.path(&record.shell_id).join(RECORD);
        Ok(write_atomically(&path, &text)?)
    }

    /// Makes the directory of a new shell, and removes those that ended longest ago.
    fn begin(&self, record: &ShellRecord) -> Result<(), Error> {
        let ended: Vec<_> = self
            .all()
            .into_iter()
            .filter(|shell| shell.has_ended)
            .collect();
        for old in &ended[..ended.len().saturating_sub(ENDED)] {
            let _ = fs::remove_dir_all(self.path(&old.shell_id));
        }
        create_private_directory(&self.directory)?;
        create_private_directory(&self.path(&record.shell_id))?;
        self.write(record)
    }

    /// Records that no shell runs: those that did ended with their machine.
    pub(super) fn close(&self) -> Result<(), Error> {
        for mut record in self.all() {
            if !record.has_ended {
                record.has_ended = true;
                self.write(&record)?;
            }
        }
        Ok(())
    }
}

/// The running shells.
#[derive(Debug)]
pub(super) struct Shells {
    machine: Arc<SupervisedMachine>,
    power: Arc<Power>,
    activity: Activity,
    files: ShellFiles,
    running: Mutex<HashMap<String, Arc<Process>>>,
    /// Held while a record is changed.
    changes: tokio::sync::Mutex<()>,
}

impl Shells {
    pub(super) fn new(
        machine: Arc<SupervisedMachine>,
        power: Arc<Power>,
        activity: Activity,
        files: ShellFiles,
    ) -> Self {
        Self {
            machine,
            power,
            activity,
            files,
            running: Mutex::default(),
            changes: tokio::sync::Mutex::default(),
        }
    }

    /// Opens a shell.
    pub(super) async fn open(
        self: &Arc<Self>,
        new: NewShell,
        working_directory: &str,
    ) -> Result<Reply, Error> {
        let id = new.shell_id.clone();
        if self.known().len() >= RUNNING {
            return Err(Error::too_many_shells(RUNNING));
        }
        let _on = self.power.on(&self.machine).await?;
        let record = ShellRecord {
            shell_id: id.clone(),
            cwd: new
                .options
                .cwd
                .clone()
                .unwrap_or_else(|| working_directory.to_owned()),
            cols: new.size.columns,
            rows: new.size.rows,
            started_at: now(),
            ended_at: None,
            exit_code: None,
            has_ended: false,
        };
        let (files, begun, activity) = (self.files.clone(), record.clone(), self.activity.clone());
        off_thread(move || {
            activity.note();
            files.begin(&begun)
        })
        .await?;
        let mut env: Vec<_> = new.options.env.into_iter().collect();
        env.insert(0, ("PS1".into(), PROMPT.into()));
        let command = Command {
            argv: vec!["/bin/sh".into(), "-c".into(), SHELL.into()],
            env,
            cwd_optional: new.options.cwd.is_none(),
            cwd: Some(record.cwd.clone()),
            user: new.options.user,
            terminal: Some(new.size),
            pause: PauseRule::WhenIdle,
            ..Command::default()
        };
        let grown = watch::Sender::new(());
        let process = NewProcess {
            command,
            has_input: true,
            stdout: TextLogWriter::new(self.files.output(&id), grown.clone()),
            stderr: None,
            grown,
        };
        let this = Arc::clone(self);
        let started = Process::start(
            Arc::clone(&self.machine),
            process,
            move |outcome| async move {
                this.ended(record, outcome).await;
            },
        )
        .await;
        match started {
            Ok(process) => {
                let mut grown = process.subscribe();
                self.known().insert(id.clone(), Arc::clone(&process));
                // It may have ended before it was known.
                if process.has_ended() {
                    self.known().remove(&id);
                }
                // What is typed before the prompt is there would be shown twice.
                let prompt = async {
                    tokio::select! {
                        _ = grown.changed() => {}
                        () = process.ended() => {}
                    }
                };
                let _ = tokio::time::timeout(PROMPT_LIMIT, prompt).await;
                Ok(Reply::Done)
            }
            Err(error) => {
                let directory = self.files.path(&id);
                let _ = off_thread(move || fs::remove_dir_all(directory)).await;
                Err(error)
            }
        }
    }

    async fn ended(&self, mut record: ShellRecord, outcome: Option<Outcome>) {
        self.known().remove(&record.shell_id);
        let _changing = self.changes.lock().await;
        let files = self.files.clone();
        let written = off_thread(move || {
            // It may have been given another size.
            if let Some(now) = files.record(&record.shell_id) {
                record = now;
            }
            record.has_ended = true;
            record.ended_at = Some(now());
            record.exit_code = outcome.as_ref().map(exit_code);
            files.write(&record)
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, "the end of a shell is not recorded");
        }
    }

    /// Passes a client's input on.
    pub(super) async fn input(
        &self,
        id: &str,
        reader: &mut BufReader<OwnedReadHalf>,
    ) -> Result<Reply, Error> {
        let process = self.find(id)?;
        while let Some(piece) = read_piece(reader).await {
            if piece.is_empty() {
                return Ok(Reply::Done);
            }
            self.activity.note();
            let _on = self.power.on(&self.machine).await?;
            if !process.write(&piece).await {
                return Err(Error::shell_ended(id));
            }
        }
        Ok(Reply::Done)
    }

    /// Sends a signal to what runs in the foreground of a shell.
    pub(super) async fn signal(&self, id: &str, signal: i32) -> Result<Reply, Error> {
        let process = self.find(id)?;
        let _on = self.power.on(&self.machine).await?;
        process.control(Control::Signal(signal));
        Ok(Reply::Done)
    }

    /// Changes the size of a shell's terminal.
    pub(super) async fn resize(&self, id: &str, size: TerminalSize) -> Result<Reply, Error> {
        let process = self.find(id)?;
        let _on = self.power.on(&self.machine).await?;
        process.control(Control::Resize(size));
        let _changing = self.changes.lock().await;
        if let Some(mut record) = self.files.record(id) {
            (record.cols, record.rows) = (size.columns, size.rows);
            let files = self.files.clone();
            off_thread(move || files.write(&record)).await?;
        }
        Ok(Reply::Done)
    }

    /// Ends a shell: first as when its window is closed, then by force.
    pub(super) async fn close(&self, id: &str) -> Result<Reply, Error> {
        let Ok(process) = self.find(id) else {
            return Ok(Reply::Done);
        };
        let _on = self.power.on(&self.machine).await?;
        process.control(Control::Signal(HANGUP));
        if tokio::time::timeout(CLOSE_LIMIT, process.ended())
            .await
            .is_err()
        {
            process.kill();
            process.ended().await;
        }
        Ok(Reply::Done)
    }

    /// Reports when a shell's output grows, until it ends.
    pub(super) async fn follow(
        &self,
        id: &str,
        writer: &mut OwnedWriteHalf,
    ) -> Result<Reply, Error> {
        let Ok(process) = self.find(id) else {
            return Ok(Reply::Done);
        };
        let mut grown = process.subscribe();
        // Output may have come since the client has looked.
        grown.mark_changed();
        loop {
            tokio::select! {
                biased;
                _ = grown.changed() => {
                    if write_line(writer, &Reply::Grown).await.is_err() {
                        return Ok(Reply::Done);
                    }
                }
                () = process.ended() => return Ok(Reply::Done),
            }
        }
    }

    fn find(&self, id: &str) -> Result<Arc<Process>, Error> {
        let process = self.known().get(id).cloned();
        process.ok_or_else(|| Error::shell_ended(id))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<Process>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The signal of a terminal that is closed.
const HANGUP: i32 = 1;
