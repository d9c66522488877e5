//! Runs the *commands* of a supervised VM. Each has a number and a log that clients may follow; a
//! command keeps running when its client disconnects.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pyro_machine::{Command, Control, Outcome, Streams, SupervisedMachine, TerminalSize};
use pyro_store::{Exit, History, HistoryEntry};
use tokio::io::{AsyncRead, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc, watch};

use super::activity::Activity;
use super::kind::InstanceKind;
use super::log::{LogRoom, LogWriter};
use super::power::Power;
use super::redacted::Redacted;
use super::time::now;
use super::vault::Vault;
use super::wire::{Reply, relay_input, write_line};
use crate::Error;
use crate::command::{exit_code, milliseconds};
use crate::command_options::CommandOptions;
use crate::off_thread::off_thread;

const SIGKILL: i32 = 9;
/// How many tokens of abandoned commands are kept. Only a command whose client is still waiting for
/// the machine can need its token, and there are fewer such clients.
const ABANDONED: usize = 256;
/// How much of a command's input is buffered for the guest.
const INPUT_BUFFER_BYTES: usize = 64 * 1024;

/// All commands of one VM.
#[derive(Debug)]
pub(super) struct Commands {
    kind: InstanceKind,
    machine: Arc<SupervisedMachine>,
    power: Arc<Power>,
    history: History,
    activity: Activity,
    vault: Arc<Vault>,
    log_room: LogRoom,
    known: Mutex<CommandTable>,
    /// The error that clients of unfinished commands and calls receive.
    last_words: OnceLock<Error>,
}

#[derive(Debug)]
struct CommandTable {
    /// The number of the newest command.
    last: u64,
    running: HashMap<u64, Arc<Running>>,
    /// The tokens of commands that their clients cancelled before the start.
    abandoned: VecDeque<String>,
}

/// A running command.
#[derive(Debug)]
struct Running {
    /// The client's name for the command until the client learns the number.
    token: Option<String>,
    grown: watch::Sender<()>,
    ended: watch::Sender<Option<Reply>>,
    kill: Notify,
    controls: mpsc::UnboundedSender<Control>,
    /// For the task that runs the command, which takes it.
    arrivals: Mutex<Option<mpsc::UnboundedReceiver<Control>>>,
}

/// A client's request to run a command.
#[derive(Debug)]
pub(super) struct CommandRequest {
    pub(super) command: String,
    /// The time limit, if there is one.
    pub(super) timeout_ms: Option<u64>,
    pub(super) token: Option<String>,
    pub(super) options: CommandOptions,
    /// The size of its terminal, if it has one.
    pub(super) terminal: Option<TerminalSize>,
}

impl CommandTable {
    /// Gives a command its number, unless it was abandoned.
    fn add(&mut self, token: Option<String>) -> Option<u64> {
        if token.as_ref().is_some_and(|token| self.forget(token)) {
            return None;
        }
        self.last += 1;
        let (controls, arrivals) = mpsc::unbounded_channel();
        let running = Running {
            token,
            grown: watch::Sender::new(()),
            ended: watch::Sender::new(None),
            kill: Notify::new(),
            controls,
            arrivals: Mutex::new(Some(arrivals)),
        };
        self.running.insert(self.last, Arc::new(running));
        Some(self.last)
    }

    /// Removes a token from the abandoned ones; returns whether it was among them.
    fn forget(&mut self, token: &str) -> bool {
        let place = self.abandoned.iter().position(|other| other == token);
        place.is_some_and(|place| self.abandoned.remove(place).is_some())
    }
}

impl Commands {
    /// Continues a history in which no command is running.
    pub(super) fn new(
        kind: InstanceKind,
        machine: Arc<SupervisedMachine>,
        power: Arc<Power>,
        history: History,
        activity: Activity,
        vault: Arc<Vault>,
    ) -> Self {
        let known = CommandTable {
            last: history.last(),
            running: HashMap::new(),
            abandoned: VecDeque::new(),
        };
        Self {
            kind,
            machine,
            power,
            log_room: LogRoom::of(history.clone()),
            history,
            activity,
            vault,
            known: Mutex::new(known),
            last_words: OnceLock::new(),
        }
    }

    /// Returns the error for a client of something that the machine did not finish: if the VM is being
    /// ended, the reason of that.
    pub(super) fn explained(&self, error: pyro_machine::Error) -> Error {
        let last_words = self.last_words.get().cloned();
        last_words.unwrap_or_else(|| error.into())
    }

    /// Sets the error that clients of unfinished commands and calls receive.
    pub(super) fn set_last_error(&self, error: Error) {
        let _ = self.last_words.set(error);
    }

    /// The size of the logs of all commands, in bytes.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log_room.taken()
    }

    /// Starts a command, which keeps running when the client disconnects, and follows it.
    pub(super) async fn exec(
        self: &Arc<Self>,
        CommandRequest {
            command,
            timeout_ms,
            token,
            options,
            terminal,
        }: CommandRequest,
        input: Option<BufReader<OwnedReadHalf>>,
        writer: &mut OwnedWriteHalf,
        under_way: watch::Receiver<()>,
    ) -> Result<Reply, Error> {
        let env = self.vault.env(&options)?;
        let argv = options.argv(command.clone())?;
        let on = self.power.on(&self.machine).await?;
        let Some(sequence) = self.known().add(token) else {
            return Ok(Reply::Done);
        };
        let default_directory = self.kind.working_directory();
        let directory = options.cwd.as_deref().or(default_directory);
        let entry = HistoryEntry {
            sequence,
            command: self.vault.redact(&command),
            cwd: directory.unwrap_or("/root").into(),
            execution_mode: "guest_vsock".into(),
            recorded_at: now(),
            exit: None,
        };
        let (history, activity) = (self.history.clone(), self.activity.clone());
        // The host's disk may be slow, and this thread serves all clients.
        let begun = off_thread(move || {
            activity.note();
            history.begin(entry)
        });
        let log = match begun.await {
            Ok(log) => log,
            Err(error) => {
                self.known().running.remove(&sequence);
                return Err(error.into());
            }
        };
        let (grown, ended) = self.subscribe(sequence).expect("it was just inserted");
        let this = Arc::clone(self);
        let command = Command {
            argv,
            cwd: directory.map(str::to_owned),
            // If a command removed the default directory, later commands still run.
            cwd_optional: options.cwd.is_none(),
            timeout: timeout_ms.map(Duration::from_millis),
            terminal,
            env,
            user: options.user,
            ..Command::default()
        };
        tokio::spawn(async move {
            this.run(log, &command, input).await;
            drop(under_way);
            // Done after the client got its answer, and before the machine may be paused.
            this.power.flush(&this.machine).await;
            drop(on);
        });
        let begun = write_line(writer, &Reply::Started { sequence }).await;
        if begun.is_err() {
            // A client that left before it knew the number cannot kill the command.
            self.end(sequence);
            return Ok(Reply::Done);
        }
        Ok(self.pass_on(grown, ended, writer).await)
    }

    /// Runs a command to its end and records the result.
    async fn run(
        &self,
        log: pyro_store::Log,
        command: &Command,
        input: Option<BufReader<OwnedReadHalf>>,
    ) {
        let sequence = log.entry().sequence;
        let Some(running) = self.known().running.get(&sequence).cloned() else {
            return;
        };
        let (outcome, dropped_bytes) = {
            let output = |file| {
                let writer = LogWriter::new(file, &running.grown, &self.log_room);
                Redacted::new(self.vault.redactor(), writer)
            };
            let (stdout, stderr) = (output(&log.stdout), output(&log.stderr));
            let (mut to_stdout, mut to_stderr) = (&stdout, &stderr);
            let (mut stdin, passing) = match input {
                Some(input) => {
                    let (reader, writer) = tokio::io::simplex(INPUT_BUFFER_BYTES);
                    (Some(reader), Some((input, writer)))
                }
                None => (None, None),
            };
            let passing = async {
                if let Some((mut from, mut to)) = passing {
                    relay_input(&mut from, &mut to).await;
                    let _ = to.shutdown().await;
                }
                std::future::pending::<()>().await;
            };
            let mut controls = lock(&running.arrivals).take();
            let streams = Streams {
                stdin: stdin
                    .as_mut()
                    .map(|input| input as &mut (dyn AsyncRead + Send + Unpin)),
                stdout: &mut to_stdout,
                stderr: &mut to_stderr,
                controls: controls.as_mut(),
                started: None,
            };
            let started = Instant::now();
            let outcome = tokio::select! {
                outcome = self.machine.run(command, streams) => outcome,
                () = passing => unreachable!("it does not return"),
                never = stdout.show_in_silence(), if command.terminal.is_some() => match never {},
                // Dropping the call makes the guest kill the command.
                () = running.kill.notified() => Ok(Outcome {
                    code: None,
                    signal: Some(SIGKILL),
                    timed_out: false,
                    oom_killed: false,
                    duration: started.elapsed(),
                }),
            };
            let (stdout, stderr) = tokio::join!(stdout.finish(), stderr.finish());
            (outcome, stdout.dropped_bytes() + stderr.dropped_bytes())
        };
        let (exit, error) = match outcome {
            Ok(outcome) => {
                let not_flushed = self.power.not_flushed();
                (exit(&outcome, dropped_bytes, not_flushed), None)
            }
            Err(error) => {
                let error = self.explained(error);
                let exit = Exit {
                    interrupted: Some(error.message.clone()),
                    dropped_bytes,
                    ..Exit::default()
                };
                (exit, Some(error))
            }
        };
        let activity = self.activity.clone();
        let ended = off_thread(move || {
            activity.note();
            log.end(exit)
        })
        .await;
        self.log_room.command_ended();
        let reply = match (error, ended) {
            (Some(error), _) => Reply::Failed(error.into()),
            (None, Ok(entry)) => Reply::Ended(entry),
            (None, Err(error)) => Reply::Failed(Error::from(error).into()),
        };
        self.known().running.remove(&sequence);
        running.ended.send_replace(Some(reply));
    }

    /// Follows a running command, or returns how it ended.
    pub(super) async fn follow(
        &self,
        sequence: u64,
        writer: &mut OwnedWriteHalf,
    ) -> Result<Reply, Error> {
        let Some((grown, ended)) = self.subscribe(sequence) else {
            return Ok(Reply::Ended(self.history.entry(sequence)?));
        };
        Ok(self.pass_on(grown, ended, writer).await)
    }

    /// Reports when a command's output grows; returns the final reply.
    async fn pass_on(
        &self,
        mut grown: watch::Receiver<()>,
        mut ended: watch::Receiver<Option<Reply>>,
        writer: &mut OwnedWriteHalf,
    ) -> Reply {
        loop {
            tokio::select! {
                biased;
                _ = ended.changed() => {
                    return ended.borrow().clone().unwrap_or(Reply::Done);
                }
                changed = grown.changed() => {
                    if changed.is_err() || write_line(writer, &Reply::Grown).await.is_err() {
                        return Reply::Done;
                    }
                }
            }
        }
    }

    /// Kills a command, if it is running.
    pub(super) fn end(&self, sequence: u64) {
        if let Some(running) = self.known().running.get(&sequence) {
            running.kill.notify_one();
        }
    }

    /// Applies a function to a command. Returns whether the command is running.
    pub(super) fn control(&self, sequence: u64, control: Control) -> bool {
        let known = self.known();
        let running = known.running.get(&sequence);
        running.is_some_and(|running| running.controls.send(control).is_ok())
    }

    /// Kills a command by its token, or prevents its start.
    pub(super) fn abandon(&self, token: String) {
        let mut known = self.known();
        let mut running = known.running.values();
        if let Some(running) = running.find(|running| running.token.as_ref() == Some(&token)) {
            return running.kill.notify_one();
        }
        if known.abandoned.len() >= ABANDONED {
            known.abandoned.pop_front();
        }
        known.abandoned.push_back(token);
    }

    fn subscribe(
        &self,
        sequence: u64,
    ) -> Option<(watch::Receiver<()>, watch::Receiver<Option<Reply>>)> {
        let known = self.known();
        let running = known.running.get(&sequence)?;
        Some((running.grown.subscribe(), running.ended.subscribe()))
    }

    fn known(&self) -> MutexGuard<'_, CommandTable> {
        lock(&self.known)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn exit(outcome: &Outcome, dropped_bytes: u64, not_flushed: Option<String>) -> Exit {
    Exit {
        exit_code: Some(exit_code(outcome)),
        duration_ms: milliseconds(outcome.duration),
        signal: outcome.signal.filter(|_| !outcome.timed_out),
        timed_out: outcome.timed_out,
        oom_killed: outcome.oom_killed,
        interrupted: None,
        dropped_bytes,
        not_flushed,
    }
}
