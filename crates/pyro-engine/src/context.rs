//! The *context* of a call is all that differs between a terminal, an MCP client and a Python
//! caller: where events and output go, where input comes from, and how the call is cancelled.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use pyro_environment::Progress;
use pyro_machine::TerminalSize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Permissions, Talk};

/// An event of a call in progress.
#[derive(Clone, Debug)]
pub enum Event {
    /// A phase of the call began.
    Phase {
        /// The operation's name in the output: `run`, `pull`.
        operation: &'static str,
        /// The phase's name in the output.
        phase: &'static str,
        /// What the phase is about, such as `environment` and its name.
        subject: (&'static str, String),
    },
    /// An environment is being built.
    Building {
        /// The environment.
        environment: String,
        /// The progress of the build.
        progress: Progress,
    },
    /// Files are being transferred to a workspace.
    Transfer {
        /// `seed` or `push`.
        what: &'static str,
        /// How many bytes were read.
        bytes: u64,
        /// How many there are, where that is known.
        total: Option<u64>,
    },
    /// A machine is ready.
    Started {
        /// Its id.
        vm_id: String,
        /// The accelerator: `kvm` or `tcg`.
        accelerator: &'static str,
        /// How the machine was made, in a few words.
        origin: &'static str,
    },
    /// A step of a tour is done.
    Step {
        /// The subject, in one word.
        what: &'static str,
        /// The result of the step.
        text: String,
        /// How long it took.
        duration: std::time::Duration,
    },
    /// An event of a conversation with a model.
    Talk(Talk),
    /// Something the user should know.
    Notice(String),
    /// Something the user must not overlook.
    Warning(String),
    /// How long a step took, in the order in which the steps ended. For measurements.
    Timing {
        /// The step.
        name: Cow<'static, str>,
        /// How long it took.
        duration: std::time::Duration,
    },
}

/// The destination of a command's output while it runs.
pub struct OutputStreams {
    /// Standard output.
    pub stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// Standard error.
    pub stderr: Box<dyn AsyncWrite + Send + Unpin>,
}

/// The caller's terminal, which becomes the command's.
#[derive(Debug)]
pub struct Terminal {
    /// Its size when the call begins.
    pub size: TerminalSize,
    /// Receives each new size.
    pub sizes: mpsc::UnboundedReceiver<TerminalSize>,
}

/// The receiver of a call's events.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(Event) + Send + Sync>);

impl Listener {
    /// Passes all events to `listen`.
    pub fn new(listen: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    /// Reports an event.
    pub fn report(&self, event: Event) {
        (self.0)(event);
    }

    /// Reports the beginning of a phase.
    pub(crate) fn phase(
        &self,
        operation: &'static str,
        phase: &'static str,
        subject: (&'static str, &str),
    ) {
        let subject = (subject.0, subject.1.to_owned());
        self.report(Event::Phase {
            operation,
            phase,
            subject,
        });
    }

    /// Reports how long a step took that began at `begun` and is now done.
    pub(crate) fn took(&self, name: &'static str, begun: Instant) {
        self.report(Event::Timing {
            name: name.into(),
            duration: begun.elapsed(),
        });
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self::new(|_| {})
    }
}

/// Everything a call has besides its request. The default has no input and drops events; a
/// command's output is collected into the result.
#[derive(Default)]
pub struct Context {
    /// Receives the events.
    pub listener: Listener,
    /// Cancels the call.
    pub cancel: CancellationToken,
    /// Cancelled when the command of a call to `workspace exec` is to go on without it: the call
    /// then returns as one with `detach` does, as soon as the command has all its input.
    pub background: CancellationToken,
    /// A command's standard input; `/dev/null` if not set.
    pub stdin: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Gives the command a terminal. All its output is standard output then.
    pub terminal: Option<Terminal>,
    /// The caller's permissions on the host.
    pub permissions: Permissions,
    /// Receives a command's output as it is printed. If not set, the output is collected into the
    /// result.
    pub output: Option<OutputStreams>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Listener")
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("stdin", &self.stdin.is_some())
            .field("output", &self.output.is_some())
            .field("terminal", &self.terminal.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OutputStreams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OutputStreams")
    }
}
