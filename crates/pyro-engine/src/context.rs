//! The *context* of one call is all that differs between a terminal, an MCP client and a Python
//! caller: where news goes, where bytes come from and go to, and how the call is cancelled.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use pyro_environment::Progress;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::{Permissions, Talk};

/// News of a call under way.
#[derive(Clone, Debug)]
pub enum Event {
    /// A phase of the call began.
    Phase {
        /// The operation's word: `run`, `pull`.
        operation: &'static str,
        /// The phase's word.
        phase: &'static str,
        /// What the phase is about, such as `environment` and its name.
        subject: (&'static str, String),
    },
    /// An environment is being built.
    Building {
        /// The environment.
        environment: String,
        /// How far it is.
        progress: Progress,
    },
    /// Files are on their way into a workspace.
    Transfer {
        /// `seed` or `push`.
        what: &'static str,
        /// How many bytes were read.
        bytes: u64,
        /// How many there are, where that is known.
        total: Option<u64>,
    },
    /// A machine answers.
    Started {
        /// Its id.
        vm_id: String,
        /// What runs its guest: `kvm` or `tcg`.
        accelerator: &'static str,
        /// Where it came from, in a few words.
        origin: &'static str,
    },
    /// A step of a tour was made.
    Step {
        /// What it was about, in one word.
        what: &'static str,
        /// What there is now.
        text: String,
        /// How long it took.
        duration: std::time::Duration,
    },
    /// Something was said or done in a conversation with a model.
    Talk(Talk),
    /// Something the user should know.
    Notice(String),
    /// Something the user must not overlook.
    Warning(String),
    /// How long a step took, in the order they ended. For those who measure.
    Timing {
        /// The step.
        name: Cow<'static, str>,
        /// How long it took.
        duration: std::time::Duration,
    },
}

/// Where a command's output goes while it runs.
pub struct OutputStreams {
    /// Standard output.
    pub stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// Standard error.
    pub stderr: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Whoever wants news of a call.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(Event) + Send + Sync>);

impl Listener {
    /// Gives all news to `listen`.
    pub fn new(listen: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    /// Tells about something.
    pub fn tell(&self, event: Event) {
        (self.0)(event);
    }

    /// Tells about the beginning of a phase.
    pub(crate) fn phase(
        &self,
        operation: &'static str,
        phase: &'static str,
        subject: (&'static str, &str),
    ) {
        let subject = (subject.0, subject.1.to_owned());
        self.tell(Event::Phase {
            operation,
            phase,
            subject,
        });
    }

    /// Tells how long something took that began at `begun` and is done.
    pub(crate) fn took(&self, name: &'static str, begun: Instant) {
        self.tell(Event::Timing {
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

/// What one call has besides its request. The default has no input and hears no news; a
/// command's output is collected into the result.
#[derive(Default)]
pub struct Context {
    /// Told about news.
    pub listener: Listener,
    /// Cancels the call.
    pub cancel: CancellationToken,
    /// A command's standard input; `/dev/null` if not set.
    pub stdin: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// What the caller may have of the host.
    pub permissions: Permissions,
    /// Takes a command's output as it comes. If not set, it is collected into the result.
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
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OutputStreams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OutputStreams")
    }
}
