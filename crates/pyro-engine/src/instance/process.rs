//! A *process* in the guest that belongs to the VM and not to a client: that of a shell or a service.

use std::sync::Arc;

use pyro_machine::{Command, Control, Outcome, Streams, SupervisedMachine};
use tokio::io::{AsyncRead, AsyncWriteExt as _, SimplexStream, WriteHalf};
use tokio::sync::{Mutex, Notify, mpsc, oneshot, watch};

use super::redacted::Redacted;
use super::text_log::TextLogWriter;
use crate::Error;

/// How much input is buffered for it.
const INPUT_BUFFER_BYTES: usize = 64 * 1024;

/// A process that was started; it may have ended.
#[derive(Debug)]
pub(super) struct Process {
    /// Its id in the guest.
    pub(super) pid: i32,
    controls: mpsc::UnboundedSender<Control>,
    kill: Arc<Notify>,
    input: Mutex<Option<WriteHalf<SimplexStream>>>,
    grown: watch::Sender<()>,
    ended: watch::Receiver<bool>,
}

/// The parameters of a process.
pub(super) struct NewProcess {
    pub(super) command: Command,
    /// Whether clients can send it input; if not, its standard input is empty.
    pub(super) has_input: bool,
    pub(super) stdout: Redacted<TextLogWriter>,
    /// Nothing if a terminal is both outputs.
    pub(super) stderr: Option<Redacted<TextLogWriter>>,
    /// What both outputs tell when they grow.
    pub(super) grown: watch::Sender<()>,
}

impl Process {
    /// Starts a process. `end` is called when it has ended, before anything else is notified; with
    /// `None` if the machine ended first.
    ///
    /// # Errors
    /// When the guest cannot start it.
    pub(super) async fn start<F: Future<Output = ()> + Send>(
        machine: Arc<SupervisedMachine>,
        new: NewProcess,
        end: impl FnOnce(Option<Outcome>) -> F + Send + 'static,
    ) -> Result<Arc<Self>, Error> {
        let NewProcess {
            command,
            has_input,
            stdout,
            stderr,
            grown,
        } = new;
        let (controls, mut arrivals) = mpsc::unbounded_channel();
        let (started, start) = oneshot::channel();
        let (ended_sender, ended) = watch::channel(false);
        let (mut reader, writer) = tokio::io::simplex(INPUT_BUFFER_BYTES);
        let kill = Arc::new(Notify::new());
        let killed = Arc::clone(&kill);
        let running = tokio::spawn(async move {
            let mut nothing = tokio::io::sink();
            let (mut to_stdout, mut to_stderr) = (&stdout, stderr.as_ref());
            let streams = Streams {
                stdin: has_input.then_some(&mut reader as &mut (dyn AsyncRead + Send + Unpin)),
                stdout: &mut to_stdout,
                stderr: match &mut to_stderr {
                    Some(stderr) => stderr,
                    None => &mut nothing,
                },
                controls: Some(&mut arrivals),
                started: Some(started),
            };
            let outcome = tokio::select! {
                outcome = machine.run(&command, streams) => outcome,
                // Dropping the call makes the guest kill it.
                () = killed.notified() => Ok(KILLED),
                never = stdout.show_in_silence(), if command.terminal.is_some() => match never {},
            };
            stdout.finish().await;
            if let Some(stderr) = stderr {
                stderr.finish().await;
            }
            match outcome {
                Err(error) if matches!(error, pyro_machine::Error::Refused(_)) => Some(error),
                outcome => {
                    end(outcome.ok()).await;
                    ended_sender.send_replace(true);
                    None
                }
            }
        });
        match start.await {
            Ok(pid) => Ok(Arc::new(Self {
                pid,
                controls,
                kill,
                input: Mutex::new(has_input.then_some(writer)),
                grown,
                ended,
            })),
            Err(_) => match running.await {
                Ok(Some(refusal)) => Err(refusal.into()),
                // The machine ended before it was started.
                _ => Err(Error::process_not_started()),
            },
        }
    }

    /// Sends input to it, waiting while it does not read. Returns whether it accepts input.
    pub(super) async fn write(&self, bytes: &[u8]) -> bool {
        let mut input = self.input.lock().await;
        let mut ended = self.ended.clone();
        let Some(writer) = input.as_mut() else {
            return false;
        };
        tokio::select! {
            written = writer.write_all(bytes) => written.is_ok(),
            _ = ended.wait_for(|ended| *ended) => false,
        }
    }

    /// Applies a function to it, if it is running.
    pub(super) fn control(&self, control: Control) {
        // This fails if it has ended.
        let _ = self.controls.send(control);
    }

    /// Kills it with all its descendants.
    pub(super) fn kill(&self) {
        self.kill.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Returns when it has ended and its end was recorded.
    pub(super) async fn ended(&self) {
        let mut ended = self.ended.clone();
        // This fails if the task is gone; the process has also ended then.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Receives a value whenever its output grows.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.grown.subscribe()
    }
}

/// The exit of a killed process.
const KILLED: Outcome = Outcome {
    code: None,
    signal: Some(9),
    timed_out: false,
    oom_killed: false,
    duration: std::time::Duration::ZERO,
};
