//! Errors about the processes in a workspace: commands, shells, services.

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

    /// A shell has ended.
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

    /// The limit on running shells is reached.
    pub(crate) fn too_many_shells(limit: usize) -> Self {
        let message = format!("the workspace has {limit} running shells, which is the limit");
        Self::new(ErrorKind::Failed, ErrorCode::TooManyShells, message).remedy(
            "close shells that are not needed: `pyro workspace shell list`, `… shell close`",
        )
    }

    /// There is no service with this name.
    pub(crate) fn no_such_service(id: &str, name: &str) -> Self {
        let name = pyro_text::line(name);
        let message = format!("workspace {id} has no service '{name}'");
        Self::new(ErrorKind::InvalidInput, ErrorCode::NoSuchService, message).remedy(format!(
            "`pyro workspace service list {id}` shows its services"
        ))
    }

    /// A service with this name is already running.
    pub(crate) fn service_runs(name: &str) -> Self {
        let name = pyro_text::line(name);
        let message = format!("service '{name}' is already running in the workspace");
        Self::new(ErrorKind::Failed, ErrorCode::ServiceExists, message)
            .remedy("stop it first with `pyro workspace service stop`, or choose another name")
    }

    /// The limit on running services is reached.
    pub(crate) fn too_many_services(limit: usize) -> Self {
        let message = format!("the workspace has {limit} running services, which is the limit");
        Self::new(ErrorKind::Failed, ErrorCode::TooManyServices, message)
            .remedy("stop services that are not needed: `pyro workspace service stop`")
    }

    /// The workspace has no secret with this name now.
    pub(crate) fn no_such_secret(name: &str, known: &[&str]) -> Self {
        let known = match known {
            [] => "it has none".to_owned(),
            known => format!("it has {}", known.join(", ")),
        };
        let name = pyro_text::line(name);
        let message = format!("the workspace has no secret {name} now; {known}");
        Self::new(ErrorKind::InvalidInput, ErrorCode::NoSuchSecret, message).remedy(
            "secrets are kept in memory only: give them with `pyro workspace create --secret NAME=VALUE`, \
             and again with `pyro workspace start --secret NAME=VALUE` after a stop",
        )
    }

    /// A machine ended before it started a process.
    pub(crate) fn process_not_started() -> Self {
        let message = "the machine ended before the process started";
        Self::new(ErrorKind::Failed, ErrorCode::MachineStopped, message)
            .remedy("`pyro workspace status` shows why; start the workspace again")
    }

    /// A command was interrupted, so it has no exit code.
    pub(crate) fn command_interrupted(id: &str, sequence: u64) -> Self {
        let message = format!(
            "command {sequence} of workspace {id} was interrupted, because the workspace ended while it \
             ran; it has no exit code"
        );
        Self::new(ErrorKind::Failed, ErrorCode::CommandInterrupted, message).remedy(format!(
            "start the workspace (`pyro workspace start {id}`), and run the command again if running it \
             twice is safe"
        ))
    }
}
