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

    /// There is no shell with this id.
    pub(crate) fn no_such_shell(id: &str, shell_id: &str) -> Self {
        let shell_id = pyro_text::line(shell_id);
        let message = format!("workspace {id} has no shell {shell_id}");
        Self::new(ErrorKind::InvalidInput, ErrorCode::NoSuchShell, message).remedy(format!(
            "`pyro workspace shell list {id}` shows its shells; `pyro workspace shell open {id}` opens one"
        ))
    }

    /// A shell runs no more.
    pub(crate) fn shell_ended(shell_id: &str) -> Self {
        let shell_id = pyro_text::line(shell_id);
        let message = format!("shell {shell_id} has ended");
        Self::new(ErrorKind::Failed, ErrorCode::ShellEnded, message).remedy(
            "its output can still be read; open another one with `pyro workspace shell open`",
        )
    }

    /// The output of a shell or a service cannot be read.
    pub(crate) fn unreadable_output(error: &std::io::Error) -> Self {
        Self::unreadable_log(std::path::Path::new("of the output"), error)
    }

    /// There are as many shells as there may be.
    pub(crate) fn too_many_shells(limit: usize) -> Self {
        let message = format!("the workspace has {limit} running shells, which is the most");
        Self::new(ErrorKind::Failed, ErrorCode::TooManyShells, message)
            .remedy("close those that are not needed: `pyro workspace shell list`, `… shell close`")
    }

    /// There is no service with this name.
    pub(crate) fn no_such_service(id: &str, name: &str) -> Self {
        let name = pyro_text::line(name);
        let message = format!("workspace {id} has no service '{name}'");
        Self::new(ErrorKind::InvalidInput, ErrorCode::NoSuchService, message).remedy(format!(
            "`pyro workspace service list {id}` shows its services"
        ))
    }

    /// A service with this name runs already.
    pub(crate) fn service_runs(name: &str) -> Self {
        let name = pyro_text::line(name);
        let message = format!("the workspace has a running service '{name}' already");
        Self::new(ErrorKind::Failed, ErrorCode::ServiceExists, message)
            .remedy("stop it first with `pyro workspace service stop`, or choose another name")
    }

    /// There are as many services as there may be.
    pub(crate) fn too_many_services(limit: usize) -> Self {
        let message = format!("the workspace has {limit} running services, which is the most");
        Self::new(ErrorKind::Failed, ErrorCode::TooManyServices, message)
            .remedy("stop those that are not needed: `pyro workspace service stop`")
    }

    /// A machine ended before it started a process.
    pub(crate) fn not_begun() -> Self {
        let message = "the machine ended before the process began";
        Self::new(ErrorKind::Failed, ErrorCode::MachineStopped, message)
            .remedy("`pyro workspace status` shows why; start the workspace again")
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
