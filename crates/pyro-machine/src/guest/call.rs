//! Carrying out one [call](Call) in the guest, with its input and output connected.

use std::fmt;
use std::sync::Arc;

use pyro_protocol::{
    Answer, Call, DATA_CHUNK_BYTES, Frame, FrameKind, GuestMessage, HostMessage, INITIAL_WINDOW,
    TerminalSize,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::Guest;
use super::connection::{Event, Link};
use super::failure::Failure;

/// The source of a call's input and the destinations of its output.
pub struct Streams<'a> {
    /// Standard input; `/dev/null` if not set.
    pub stdin: Option<&'a mut (dyn AsyncRead + Send + Unpin)>,
    /// Standard output.
    pub stdout: &'a mut (dyn AsyncWrite + Send + Unpin),
    /// Standard error.
    pub stderr: &'a mut (dyn AsyncWrite + Send + Unpin),
    /// What is done to the command while it runs.
    pub controls: Option<&'a mut mpsc::UnboundedReceiver<Control>>,
    /// Is sent the command's process id in the guest when it runs.
    pub started: Option<oneshot::Sender<i32>>,
}

/// What can be done to a command while it runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Control {
    /// Sends a signal to its process group; SIGKILL to all that it has started.
    Signal(i32),
    /// Changes the size of its terminal.
    Resize(TerminalSize),
}

impl fmt::Debug for Streams<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Streams")
            .field("stdin", &self.stdin.is_some())
            .finish_non_exhaustive()
    }
}

impl Guest {
    /// Carries out a call to its end. If the future is dropped, the guest ends the call.
    pub(crate) async fn call(&self, call: &Call, streams: Streams<'_>) -> Result<Answer, Failure> {
        let Stream {
            number,
            mut events,
            credit,
            mut ending,
        } = self.open(&HostMessage::Call { call: call.clone() }).await?;
        let Streams {
            stdin,
            stdout,
            stderr,
            mut controls,
            started,
        } = streams;
        let outputs = Outputs {
            stdout,
            stderr,
            started,
        };
        let output = pass_output(&self.link, number, &mut events, call, outputs);
        let input = pass_input(&self.link, number, &credit, stdin);
        tokio::pin!(output, input);
        let mut input_done = false;
        loop {
            tokio::select! {
                // Pending output comes before a failure of the input.
                biased;
                result = &mut output => {
                    // Ended, unless this side could not deliver the output.
                    ending.runs = result.as_ref().is_err_and(Failure::is_ours);
                    return result;
                }
                Some(control) = next(&mut controls) => self.control(number, control).await?,
                result = &mut input, if !input_done => {
                    input_done = true;
                    result?;
                }
            }
        }
    }

    async fn control(&self, number: u32, control: Control) -> Result<(), Failure> {
        let message = match control {
            Control::Signal(signal) => HostMessage::Signal { signal },
            Control::Resize(size) => HostMessage::Resize { size },
        };
        self.link.send_control(number, &message).await
    }

    /// Opens a stream for `opening`.
    async fn open(&self, opening: &HostMessage) -> Result<Stream<'_>, Failure> {
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

/// The next control; never returns if there are none.
async fn next(controls: &mut Option<&mut mpsc::UnboundedReceiver<Control>>) -> Option<Control> {
    match controls {
        Some(arrivals) => {
            let next = arrivals.recv().await;
            if next.is_none() {
                std::future::pending::<()>().await;
            }
            next
        }
        None => std::future::pending().await,
    }
}

/// An open stream.
struct Stream<'a> {
    number: u32,
    events: mpsc::UnboundedReceiver<Event>,
    credit: Arc<Semaphore>,
    ending: Ending<'a>,
}

/// Closes a stream on drop, and ends a call that still runs there, because nothing waits for it any
/// more.
struct Ending<'a> {
    link: &'a Link,
    number: u32,
    runs: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.link.close(self.number);
        if self.runs {
            self.link.kill(self.number);
        }
    }
}

/// Where what the guest sends goes.
struct Outputs<'a> {
    stdout: &'a mut (dyn AsyncWrite + Send + Unpin),
    stderr: &'a mut (dyn AsyncWrite + Send + Unpin),
    started: Option<oneshot::Sender<i32>>,
}

/// Passes output on until the call ends. Grants credit only for output that was written.
async fn pass_output(
    link: &Link,
    number: u32,
    events: &mut mpsc::UnboundedReceiver<Event>,
    call: &Call,
    outputs: Outputs<'_>,
) -> Result<Answer, Failure> {
    let Outputs {
        stdout,
        stderr,
        started: mut report,
    } = outputs;
    let is_command = matches!(call, Call::Exec(_));
    let is_connection = matches!(call, Call::Connect { .. });
    let mut started = false;
    loop {
        let (channel, bytes) = match events.recv().await {
            Some(Event::Output { channel, bytes }) => {
                started = true;
                (channel, bytes)
            }
            Some(Event::OutputEnd { channel }) => {
                // The other direction of a connection may go on.
                if is_connection && channel == FrameKind::Stdout {
                    let ended = stdout.shutdown().await;
                    ended.map_err(|error| Failure::output(&error))?;
                }
                continue;
            }
            Some(Event::Message(GuestMessage::Started { pid })) if is_command && !started => {
                started = true;
                // It fails if nobody waits for it any more.
                let _ = report.take().map(|report| report.send(pid));
                continue;
            }
            Some(Event::Message(GuestMessage::Answered { answer }))
                if call.is_answered_by(&answer) =>
            {
                return Ok(answer);
            }
            // A command that has started must not be reported as not started.
            Some(Event::Message(GuestMessage::Refused(refusal))) if !(is_command && started) => {
                return Err(Failure::Refused(refusal));
            }
            Some(Event::Message(other)) => {
                return Err(Failure::Protocol(format!("unexpected message {other:?}")));
            }
            None => return Err(link.failure()),
        };
        let writer = if channel == FrameKind::Stderr {
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

/// Passes input on until it ends, within the guest's credit.
///
/// Fails only if reading the input fails: failures of the guest show in its output.
async fn pass_input(
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
        let frame = Frame::data(number, FrameKind::Stdin, &buffer[..length]);
        if link.send(&frame).await.is_err() || length == 0 {
            return Ok(());
        }
    }
}
