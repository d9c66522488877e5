//! A *task* is a stream with a thread of the agent, which reads the stream's input from one pipe
//! and writes its output to another, like a process. A real process would cost the start of a
//! program: under software emulation, half of the time for unpacking a small archive.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use pyro_protocol::{Answer, FrameKind, GuestMessage, Refusal};
use rustix::process::Signal;

use super::channels::{Channels, Input, Output};
use super::stream::Stream;
use crate::group::Group;
use crate::reaper::Mailbox;
use crate::spawn;
use crate::workers::Workers;

/// The result of a task.
pub(crate) type Outcome = Result<Answer, Refusal>;

/// A task whose end has not been reported to the host yet.
#[derive(Debug)]
pub(super) struct Task {
    channels: Channels,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

/// The thread's ends of the pipes.
pub(crate) struct Pipes {
    pub(crate) input: File,
    pub(crate) output: File,
}

/// Reports the outcome of a task, possibly before its clean-up.
pub(crate) struct Done {
    outcome: Arc<Mutex<Option<Outcome>>>,
    mailbox: Arc<Mailbox>,
}

impl Done {
    /// Reports the outcome. The output must be closed.
    pub(crate) fn finish(self, outcome: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.mailbox.ring();
    }
}

/// The work of a task.
pub(super) type Work = Box<dyn FnOnce(Pipes, Done) + Send>;

/// Returns work that reports its outcome itself.
pub(super) fn work(work: impl FnOnce(Pipes, Done) + Send + 'static) -> Work {
    Box::new(work)
}

/// Returns work whose outcome is its return value.
pub(super) fn simple(work: impl FnOnce(Pipes) -> Outcome + Send + 'static) -> Work {
    Box::new(|pipes, done| done.finish(work(pipes)))
}

impl Task {
    /// Runs `work` on a worker.
    ///
    /// # Errors
    /// When no pipe or thread can be created.
    pub(super) fn start(workers: &Workers, mailbox: &Arc<Mailbox>, work: Work) -> io::Result<Self> {
        let (task_input, input) = spawn::pipe_to_child()?;
        let (output, task_output) = spawn::pipe_from_child()?;
        let outcome = Arc::<Mutex<Option<Outcome>>>::default();
        let done = Done {
            outcome: Arc::clone(&outcome),
            mailbox: Arc::clone(mailbox),
        };
        let pipes = Pipes {
            input: File::from(task_input),
            output: File::from(task_output),
        };
        workers.start(move || work(pipes, done))?;
        Ok(Self {
            channels: Channels {
                input: Input::new(Some(input)),
                outputs: vec![Output::new(FrameKind::Stdout, output)],
            },
            outcome,
        })
    }
}

impl Stream for Task {
    fn channels(&self) -> &Channels {
        &self.channels
    }

    fn channels_mut(&mut self) -> &mut Channels {
        &mut self.channels
    }

    fn answer(&mut self) -> Option<GuestMessage> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if outcome.is_none() || !self.channels.are_drained() {
            return None;
        }
        outcome.take().map(|outcome| match outcome {
            Ok(answer) => GuestMessage::Answered { answer },
            Err(refusal) => GuestMessage::Refused(refusal),
        })
    }

    /// Any signal ends it, because it cannot continue without its pipes.
    fn signal(&mut self, _signal: Signal) {
        self.abort();
    }

    fn abort(&mut self) {
        self.channels.close();
    }

    fn into_leftovers(self: Box<Self>) -> (Option<Group>, Vec<OwnedFd>) {
        (None, Vec::new())
    }
}
