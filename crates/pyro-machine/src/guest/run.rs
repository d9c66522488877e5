//! Running one command to its end, with its input and output connected.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyro_protocol::{
    DATA_CHUNK_BYTES, Exit, Frame, GuestMessage, HostMessage, INITIAL_WINDOW, Kind,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};

use super::connection::{Event, Link};
use super::{Failure, Guest};
use crate::deadline::Deadline;

/// How much longer than its limit a command may take before the host gives up on the agent,
/// which should have ended it.
const AGENT_GRACE: Duration = Duration::from_secs(2);

/// A command for the guest.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment variables beside the agent's own.
    pub env: Vec<(String, String)>,
    /// Working directory; the home directory if not set.
    pub cwd: Option<String>,
    /// Whether that is only a default: made anew if it is missing, `/` if it cannot be had.
    pub cwd_optional: bool,
    /// When the command is ended.
    pub timeout: Option<Duration>,
}

/// Where a command's input comes from and its output goes to.
pub struct Streams<'a> {
    /// Standard input; `/dev/null` if not set.
    pub stdin: Option<&'a mut (dyn AsyncRead + Send + Unpin)>,
    /// Standard output.
    pub stdout: &'a mut (dyn AsyncWrite + Send + Unpin),
    /// Standard error.
    pub stderr: &'a mut (dyn AsyncWrite + Send + Unpin),
}

impl fmt::Debug for Streams<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Streams")
            .field("stdin", &self.stdin.is_some())
            .finish_non_exhaustive()
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// Its exit status, if it exited.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Whether it was ended at its time limit.
    pub timed_out: bool,
    /// Whether it did not end well, and the guest's kernel has killed a process of it because
    /// there was no memory left.
    pub oom_killed: bool,
    /// How long it ran.
    pub duration: Duration,
}

impl From<Exit> for Outcome {
    fn from(exit: Exit) -> Self {
        Self {
            code: exit.code,
            signal: exit.signal,
            timed_out: exit.timed_out,
            oom_killed: exit.oom_killed,
            duration: Duration::from_millis(exit.duration_ms),
        }
    }
}

impl Guest {
    /// Runs `command` to its end.
    pub(crate) async fn run(
        &self,
        command: &Command,
        streams: Streams<'_>,
    ) -> Result<Outcome, Failure> {
        let opening = HostMessage::Exec {
            argv: command.argv.clone(),
            env: command.env.clone(),
            cwd: command.cwd.clone(),
            cwd_optional: command.cwd_optional,
            timeout_ms: command
                .timeout
                .map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
            stdin: streams.stdin.is_some(),
        };
        let started = Instant::now();
        let Stream {
            number,
            mut events,
            credit,
            mut ending,
        } = self.open(&opening).await?;
        let Streams {
            stdin,
            stdout,
            stderr,
        } = streams;
        let output = pass_output(&self.link, number, &mut events, stdout, stderr);
        let input = pass_input(&self.link, number, &credit, stdin);
        let limit = async {
            match command.timeout {
                Some(limit) => {
                    tokio::time::sleep(limit).await;
                    Deadline::new(self.vmm, AGENT_GRACE).passed().await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::pin!(output, input, limit);
        let mut input_done = false;
        loop {
            tokio::select! {
                // What it printed last is worth more than an input that it did not need.
                biased;
                result = &mut output => {
                    // Either it has ended, or what it says gets nowhere.
                    ending.runs = result.as_ref().is_err_and(Failure::is_ours);
                    // No command of a guest ran longer than its host waited.
                    break result.map(Outcome::from).map(|outcome| Outcome {
                        duration: outcome.duration.min(started.elapsed()),
                        ..outcome
                    });
                }
                result = &mut input, if !input_done => {
                    input_done = true;
                    result?;
                }
                // The agent, or whoever reads our output, hangs. What came so far was passed on.
                () = &mut limit => break Ok(Outcome {
                    code: None,
                    signal: None,
                    timed_out: true,
                    oom_killed: false,
                    duration: started.elapsed(),
                }),
            }
        }
    }

    /// Opens a stream of which `opening` says what it is for.
    pub(super) async fn open(&self, opening: &HostMessage) -> Result<Stream<'_>, Failure> {
        let number = self.link.next_stream();
        let events = self.link.open(number, INITIAL_WINDOW);
        let mut ending = Ending {
            link: &self.link,
            number,
            runs: false,
        };
        let credit = self
            .link
            .stdin_credit(number)
            .ok_or_else(|| self.link.failure())?;
        self.link.send_control(number, opening).await?;
        ending.runs = true;
        Ok(Stream {
            number,
            events,
            credit,
            ending,
        })
    }
}

/// An open stream.
pub(super) struct Stream<'a> {
    pub(super) number: u32,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    pub(super) credit: Arc<Semaphore>,
    pub(super) ending: Ending<'a>,
}

/// Closes a stream when it is dropped, and ends what still runs there: whoever waited for it does
/// not wait any more.
pub(super) struct Ending<'a> {
    link: &'a Link,
    number: u32,
    pub(super) runs: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.link.close(self.number);
        if self.runs {
            self.link.kill(self.number);
        }
    }
}

/// Passes output on until the command ends. Credit is given only for what was written.
async fn pass_output<'a>(
    link: &Link,
    number: u32,
    events: &mut mpsc::UnboundedReceiver<Event>,
    stdout: &'a mut (dyn AsyncWrite + Send + Unpin),
    stderr: &'a mut (dyn AsyncWrite + Send + Unpin),
) -> Result<Exit, Failure> {
    let mut started = false;
    loop {
        let (channel, bytes) = match events.recv().await {
            Some(Event::Output { channel, bytes }) => {
                started = true;
                (channel, bytes)
            }
            Some(Event::Message(GuestMessage::Started { .. })) if !started => {
                started = true;
                continue;
            }
            Some(Event::Message(GuestMessage::Exited(exit))) => return Ok(exit),
            // Of a command that has started nobody is made to believe that it has not.
            Some(Event::Message(GuestMessage::ExecFailed { message, .. })) if !started => {
                return Err(Failure::NotStarted(message));
            }
            Some(Event::Message(other)) => {
                return Err(Failure::Protocol(format!("unexpected message {other:?}")));
            }
            None => return Err(link.failure()),
        };
        let writer = if channel == Kind::Stderr {
            &mut *stderr
        } else {
            &mut *stdout
        };
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        written.await.map_err(|error| Failure::output(&error))?;
        link.grant(number, channel, bytes.len()).await?;
    }
}

/// Passes input on until it ends, as the guest grants credit.
///
/// Fails only when the input does: what becomes of the guest is for whoever hears from it.
pub(super) async fn pass_input(
    link: &Link,
    number: u32,
    credit: &Semaphore,
    stdin: Option<&mut (dyn AsyncRead + Send + Unpin)>,
) -> Result<(), Failure> {
    let Some(stdin) = stdin else { return Ok(()) };
    let mut buffer = vec![0; DATA_CHUNK_BYTES];
    loop {
        let Ok(first) = credit.acquire().await else {
            return Ok(());
        };
        first.forget();
        let mut granted = 1;
        let more = credit.available_permits().min(buffer.len() - granted);
        if let Ok(permits) = credit.try_acquire_many(u32::try_from(more).unwrap_or(0)) {
            permits.forget();
            granted += more;
        }
        let read = stdin.read(&mut buffer[..granted]).await;
        let length = read.map_err(|error| Failure::Input(error.to_string()))?;
        credit.add_permits(granted - length);
        let frame = Frame::data(number, Kind::Stdin, &buffer[..length]);
        if link.send(&frame).await.is_err() || length == 0 {
            return Ok(());
        }
    }
}
