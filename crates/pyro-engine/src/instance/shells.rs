//! The *shells* of a supervised VM: each is a terminal in which a shell runs. They belong to the VM,
//! and are independent of clients.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyro_machine::{Command, Control, Outcome, PauseRule, SupervisedMachine, TerminalSize};
use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::activity::Activity;
use super::power::Power;
use super::process::{NewProcess, Process};
use super::redacted::Redacted;
use super::shell_record::{NewShell, ShellFiles, ShellRecord};
use super::text_log::TextLogWriter;
use super::time::now;
use super::vault::Vault;
use super::wire::{Reply, read_piece, write_line};
use crate::Error;
use crate::command::exit_code;
use crate::off_thread::off_thread;

/// The maximum number of running shells of one VM.
const RUNNING: usize = 64;
/// How long to wait for a shell's first prompt.
const PROMPT_LIMIT: Duration = Duration::from_secs(10);
/// How long a shell may take to end after its terminal was closed.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The prompt, which is the same for every user and in every directory.
const PROMPT: &str = "pyro$ ";
/// The shell, started without the environment's start-up files, which could set another prompt.
/// Without bash, the environment's `sh`.
const SHELL: &str = "command -v bash >/dev/null && exec bash --noprofile --norc -i; exec sh -i";

/// The running shells.
#[derive(Debug)]
pub(super) struct Shells {
    machine: Arc<SupervisedMachine>,
    power: Arc<Power>,
    activity: Activity,
    files: ShellFiles,
    vault: Arc<Vault>,
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
        vault: Arc<Vault>,
    ) -> Self {
        Self {
            machine,
            power,
            activity,
            files,
            vault,
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
        if new.options.without_shell {
            return Err(Error::no_shell());
        }
        let mut env = self.vault.env(&new.options)?;
        {
            let mut known = self.known();
            known.retain(|_, process| !process.has_ended());
            if known.len() >= RUNNING {
                return Err(Error::too_many_shells(RUNNING));
            }
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
            stdout: Redacted::new(
                self.vault.redactor(),
                TextLogWriter::new(self.files.output(&id), grown.clone()),
            ),
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
                // Text that is typed before the prompt appears would be echoed twice.
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

    /// Records the end of a shell. Its process stays known: whoever closes the shell at the same time
    /// waits for the record.
    async fn ended(&self, mut record: ShellRecord, outcome: Option<Outcome>) {
        let _changing = self.changes.lock().await;
        let files = self.files.clone();
        let written = off_thread(move || {
            // Its size may have been changed.
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

    /// Forwards a client's input.
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

    /// Sends a signal to the foreground process group of a shell.
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

    /// Ends a shell: first by closing its terminal, then by force.
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
        // Output may have arrived since the client's last read.
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
