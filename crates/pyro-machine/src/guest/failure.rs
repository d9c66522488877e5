//! A *failure* of the guest's connection, and the error that it causes for the machine's user.

use pyro_protocol::Refusal;

use crate::Error;
use crate::vmm::qemu::QmpError;

/// Why the guest does not answer, or not correctly.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// The connection has ended, and the machine with it.
    Closed,
    /// The guest violated the protocol.
    Protocol(String),
    /// The agent did not carry out a call.
    Refused(Refusal),
    /// The agent cannot set the machine up.
    Setup(String),
    /// QEMU's control connection reports a failure.
    Control(String),
    /// The reader of the output is gone, on the host.
    OutputClosed,
    /// The output cannot be written to its destination.
    OutputFailed(String),
    /// The input cannot be read.
    Input(String),
    /// The guest's clocks are wrong.
    Clocks(String),
}

impl From<QmpError> for Failure {
    fn from(error: QmpError) -> Self {
        Self::Control(error.to_string())
    }
}

impl Failure {
    pub(super) fn output(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::OutputFailed(error.to_string()),
        }
    }

    /// Whether the host's side failed, while the guest and its command are well.
    pub(super) fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::OutputClosed | Self::OutputFailed(_) | Self::Input(_)
        )
    }
}

/// The error for a running command; `None` if the machine is gone.
pub(crate) fn run_error(failure: Failure) -> Option<Error> {
    Some(match failure {
        Failure::Refused(refusal) => Error::Refused(refusal),
        Failure::OutputClosed => Error::OutputClosed,
        Failure::OutputFailed(message) => Error::OutputFailed { message },
        Failure::Input(message) => Error::InputFailed { message },
        Failure::Protocol(detail) => Error::Protocol { detail },
        Failure::Closed | Failure::Setup(_) | Failure::Control(_) | Failure::Clocks(_) => {
            return None;
        }
    })
}
