//! Errors about what lives in a workspace: commands, shells, services.

use super::{Error, ErrorKind};
use crate::code::ErrorCode;

impl Error {
    /// There is no command with this number.
    pub(crate) fn no_such_command(id: &str, sequence: u64) -> Self {
        let message = format!("workspace {id} has no command with the number {sequence}");
        Self::new(ErrorKind::InvalidInput, ErrorCode::NoSuchCommand, message).remedy(format!(
            "`pyro workspace logs {id}` shows the commands with their numbers"
        ))
    }

    /// A command has no end, and runs no more.
    pub(crate) fn command_interrupted(id: &str, sequence: u64) -> Self {
        let message = format!(
            "command {sequence} of workspace {id} was interrupted, because the workspace ended while it \
             ran; it has no exit code"
        );
        Self::new(ErrorKind::Failed, ErrorCode::CommandInterrupted, message).remedy(format!(
            "start the workspace (`pyro workspace start {id}`), and run the command again if it may run \
             twice"
        ))
    }
}
