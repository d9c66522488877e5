//! Errors about commands on the host itself.

use super::{Error, ErrorKind};
use crate::code::ErrorCode;

impl Error {
    /// A person was asked whether a command may run on the host, and did not allow it.
    #[must_use]
    pub fn host_declined() -> Self {
        Self::new(
            ErrorKind::Failed,
            ErrorCode::HostCompatDeclined,
            "the user did not allow to run this on the host",
        )
        .remedy("leave out allow_host_compat: the command then runs in a microVM, or not at all")
    }

    /// Running on the host failed.
    pub(crate) fn host_compat(action: &str, error: &std::io::Error) -> Self {
        Self::new(
            ErrorKind::Failed,
            ErrorCode::HostCompatFailed,
            format!("cannot {action} on the host: {error}"),
        )
        .remedy("run `pyro doctor` to find out why this host cannot run guests")
    }
}
