//! The *error* that every frontend shows: a stable code, a message, its cause, what to do next, and
//! whether the call can be repeated without risk.

mod builds;
mod changes;
mod host;
mod living;
mod ports;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Display;

use pyro_store::RecordError;
use serde::{Deserialize, Serialize};

use crate::code::ErrorCode;

/// The kind of a failure. Frontends derive their exit codes and exception classes from it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request is invalid.
    InvalidInput,
    /// The request is valid; carrying it out failed.
    Failed,
    /// The caller cancelled it.
    Cancelled,
    /// The reader of the output went away.
    OutputClosed,
}

/// Why an operation failed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The kind of the failure.
    #[serde(skip)]
    pub kind: ErrorKind,
    /// A stable name for programs: that of an [`ErrorCode`].
    pub code: Cow<'static, str>,
    /// What failed, in one line.
    #[serde(rename = "error")]
    pub message: String,
    /// The reason, as far as known: the chain of causes and the last output of what failed.
    pub cause: Option<String>,
    /// What to do next.
    pub remedy: Option<String>,
    /// Whether the call can be repeated without risk: it failed before any command was handed to
    /// a guest. If not, the outcome is unknown.
    pub retry_safe: bool,
}

impl Error {
    fn new(kind: ErrorKind, code: ErrorCode, message: impl Display) -> Self {
        Self::named(kind, code.name(), message)
    }

    /// The same, with the code of another crate's error. A test finds each in [`ErrorCode`].
    fn named(kind: ErrorKind, code: &'static str, message: impl Display) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.to_string(),
            cause: None,
            remedy: None,
            retry_safe: true,
        }
    }

    pub(crate) fn remedy(mut self, remedy: impl Display) -> Self {
        self.remedy = Some(remedy.to_string());
        self
    }

    /// A value of a request is out of its range, or otherwise invalid.
    pub fn invalid(message: impl Display) -> Self {
        Self::new(ErrorKind::InvalidInput, ErrorCode::InvalidInput, message)
    }

    /// A request does not fit the schema of its operation.
    pub(crate) fn malformed(operation: &str, error: &serde_json::Error) -> Self {
        Self::new(
            ErrorKind::InvalidInput,
            ErrorCode::InvalidInput,
            format!("invalid {operation} request: {error}"),
        )
        .remedy("send only properties of the operation's input schema")
    }

    /// The caller has no permission for the request.
    pub(crate) fn not_allowed(message: impl Display) -> Self {
        Self::new(
            ErrorKind::InvalidInput,
            ErrorCode::NotAllowedByOperator,
            message,
        )
        .remedy("send the request without it")
    }

    /// A path leads outside the directories that its caller may read.
    pub(crate) fn outside(message: impl Display) -> Self {
        Self::new(
            ErrorKind::InvalidInput,
            ErrorCode::OutsideAllowedDirectories,
            message,
        )
    }

    /// A file or directory of the host that a request names cannot be opened.
    pub(crate) fn unreadable_source(
        noun: &'static str,
        path: &std::path::Path,
        source: std::io::Error,
    ) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                pyro_archive::Error::Missing { noun, path }.into()
            }
            _ => pyro_archive::Error::Unreadable { path, source }.into(),
        }
    }

    /// A request has no command. The message uses the caller's name for it.
    pub(crate) fn no_command(message: impl Display) -> Self {
        Self::new(ErrorKind::InvalidInput, ErrorCode::CommandRequired, message)
    }

    pub(crate) fn command_required() -> Self {
        Self::no_command("command is required after `--`")
            .remedy("give one, for example: `pyro run debian:12 -- git --version`")
    }

    /// A line cannot be run without a shell, for this reason.
    pub(crate) fn command_needs_shell(line: &str, reason: &str) -> Self {
        let line = pyro_text::line(line);
        let message = format!("the image has no shell, which '{line}' needs: {reason}");
        let code = ErrorCode::CommandNeedsShell;
        Self::new(ErrorKind::InvalidInput, code, message)
            .remedy("give one program and its arguments, or use an image that has /bin/sh")
    }

    /// A shell cannot be opened.
    pub(crate) fn no_shell() -> Self {
        let message = "the image of the workspace has no shell";
        let code = ErrorCode::CommandNeedsShell;
        Self::new(ErrorKind::InvalidInput, code, message)
            .remedy("run its programs with `pyro workspace exec`, or use an image that has /bin/sh")
    }

    pub(crate) fn no_home(variable: &str) -> Self {
        let message = format!("there is no home directory, and {variable} is not set");
        Self::new(ErrorKind::InvalidInput, ErrorCode::NoHome, message)
            .remedy(format!("set HOME or {variable}"))
    }

    pub(crate) fn no_directory(
        variable: &str,
        path: &std::path::Path,
        error: &std::io::Error,
    ) -> Self {
        let message = format!(
            "{variable} is '{}', a relative path, and the current directory cannot be read: {error}",
            path.display()
        );
        Self::new(ErrorKind::InvalidInput, ErrorCode::InvalidVariable, message)
            .remedy(format!("set {variable} to an absolute path"))
    }

    pub(crate) fn bad_variable(name: &str, value: &OsStr, expected: &str) -> Self {
        let value = value.to_string_lossy();
        let message = format!("environment variable {name} is '{value}'; expected {expected}");
        Self::new(ErrorKind::InvalidInput, ErrorCode::InvalidVariable, message)
            .remedy(format!("unset {name} or correct it"))
    }

    pub(crate) fn cancelled(operation: &str) -> Self {
        let mut error = Self::new(
            ErrorKind::Cancelled,
            ErrorCode::Cancelled,
            format!("{operation} was cancelled"),
        );
        error.retry_safe = false;
        error
    }

    /// The VM has reached the end of its lifetime.
    pub(crate) fn expired(noun: &str, id: impl Display, ttl_seconds: u64) -> Self {
        let message = format!("{noun} '{id}' expired and was automatically deleted");
        let mut error = Self::new(ErrorKind::Failed, ErrorCode::VmExpired, message).remedy(
            format!("its time to live was {ttl_seconds} s; set a longer one with --ttl-seconds"),
        );
        error.retry_safe = false;
        error
    }

    /// An update of a workspace would leave it as it is.
    pub(crate) fn nothing_to_change() -> Self {
        let message = "workspace update requested no effective metadata change";
        let code = ErrorCode::NothingToChange;
        Self::new(ErrorKind::InvalidInput, code, message).remedy(
            "change the name or a label, or remove one that the workspace has; \
             `pyro workspace list` shows them",
        )
    }

    pub(crate) fn no_such(noun: &str, id: &str) -> Self {
        if id.trim().is_empty() {
            return Self::empty_id(noun);
        }
        let message = format!("{noun} '{id}' does not exist");
        Self::new(ErrorKind::InvalidInput, ErrorCode::NotFound, message)
            .remedy(format!("`pyro {noun} list` shows the existing ones"))
    }

    fn empty_id(noun: &str) -> Self {
        let message = format!("the id of the {noun} is empty");
        Self::new(ErrorKind::InvalidInput, ErrorCode::NotFound, message).remedy(format!(
            "give the id that `pyro {noun} create` returned (is a variable not set?); `pyro {noun} \
             list` shows the existing ones"
        ))
    }

    pub(crate) fn unreadable_record(noun: &str, id: &str, error: &RecordError) -> Self {
        let message = format!("{noun} '{id}' cannot be used: {error}");
        match error {
            RecordError::Newer { .. } => {
                Self::new(ErrorKind::Failed, ErrorCode::NewerFormat, message)
                    .remedy("use the version of pyro that created it, or a newer one")
            }
            RecordError::Store(_) => {
                Self::new(ErrorKind::Failed, ErrorCode::StoreUnusable, message)
                    .remedy("check the directory's owner and mode, and the free space")
            }
            _ => Self::new(ErrorKind::Failed, ErrorCode::BrokenRecord, message)
                .remedy(format!("`pyro {noun} delete {id}` removes it")),
        }
    }

    pub(crate) fn unreadable_log(path: &std::path::Path, error: &std::io::Error) -> Self {
        let message = format!("cannot read the log {}: {error}", path.display());
        Self::new(ErrorKind::Failed, ErrorCode::StoreUnusable, message)
            .remedy("check the directory's owner and mode")
    }

    /// This process lacks a resource that every call needs: open files, memory.
    pub fn resource(error: &std::io::Error) -> Self {
        let message = format!("this process has reached one of its resource limits: {error}");
        Self::new(ErrorKind::Failed, ErrorCode::ResourceLimit, message)
            .remedy("raise its limits, especially the limit on open files (`ulimit -n`)")
    }

    /// A command ended, and part of its output was dropped before its caller read it.
    pub(crate) fn output_dropped(exit: &pyro_store::Exit) -> Self {
        let code = exit.exit_code.unwrap_or(1);
        let message = format!(
            "the command ended with exit code {code}, but {} bytes of its output could not be stored \
             and are lost",
            exit.dropped_bytes
        );
        Self {
            retry_safe: false,
            ..Self::new(ErrorKind::Failed, ErrorCode::OutputDropped, message)
        }
        .remedy(
            "redirect the output to a file in the guest; 1 GiB of each output is kept, or less if the host's \
             disk is full",
        )
    }

    /// Whether writing a command's output failed.
    pub(crate) fn is_of_output(&self) -> bool {
        self.kind == ErrorKind::OutputClosed || self.code == ErrorCode::OutputFailed.name()
    }

    /// Whether the VM was started or stopped during the call.
    pub(crate) fn is_of_the_state(&self) -> bool {
        [
            ErrorCode::StoppedMeanwhile,
            ErrorCode::SupervisorGone,
            ErrorCode::WrongState,
        ]
        .iter()
        .any(|code| self.code == code.name())
    }

    /// Whether something that is no directory is on the way to a path.
    pub(crate) fn is_of_a_path(&self) -> bool {
        self.code == ErrorCode::BadPath.name()
    }

    /// The operation needs a VM in another state.
    pub(crate) fn not_started(
        noun: &str,
        id: &str,
        state: &str,
        purpose: &str,
        reason: Option<&str>,
    ) -> Self {
        let message = format!("{noun} {id} must be in 'started' state before {purpose}");
        let cause = match reason {
            Some(reason) => format!("it is in state '{state}': {reason}"),
            None => format!("it is in state '{state}'"),
        };
        Self {
            cause: Some(cause),
            ..Self::new(ErrorKind::Failed, ErrorCode::NotStarted, message)
                .remedy(format!("start it: `pyro {noun} start {id}`"))
        }
    }

    /// The operation needs a stopped VM.
    pub(crate) fn not_stopped(noun: &str, id: &str, state: &str, purpose: &str) -> Self {
        let message = format!("{noun} {id} must be in 'stopped' state before {purpose}");
        let error = Self::new(ErrorKind::Failed, ErrorCode::WrongState, message)
            .remedy(format!("stop it: `pyro {noun} stop {id}`"));
        Self {
            cause: Some(format!("it is in state '{state}'")),
            ..error
        }
    }

    pub(crate) fn cannot_start(noun: &str, id: &str, state: &str) -> Self {
        let message = format!("{noun} {id} cannot be started from state '{state}'");
        Self::new(ErrorKind::Failed, ErrorCode::WrongState, message)
            .remedy(format!("`pyro {noun} status {id}` shows its state"))
    }

    pub(crate) fn already_started(noun: &str, id: &str) -> Self {
        Self::cannot_start(noun, id, "started")
    }

    /// The VM's disk belongs to another image than the environment has now.
    pub(crate) fn environment_changed(noun: &str, id: &str, environment: &str) -> Self {
        let message = format!(
            "{noun} {id} was created with another build of {environment}, which no longer exists"
        );
        Self::new(ErrorKind::Failed, ErrorCode::EnvironmentChanged, message).remedy(format!(
            "its logs can still be read; create a new one and delete this one: `pyro {noun} delete \
             {id}`"
        ))
    }

    /// The VM was stopped or deleted in the meantime.
    pub(crate) fn stopped(noun: &str, id: &str) -> Self {
        let message = format!("{noun} {id} was stopped during the call");
        let mut error = Self::new(ErrorKind::Failed, ErrorCode::StoppedMeanwhile, message).remedy(
            format!("its log has the output; start it again: `pyro {noun} start {id}`"),
        );
        error.retry_safe = false;
        error
    }

    /// The supervisor of a VM exited in the middle of a call.
    pub(crate) fn supervisor_gone(noun: &str, id: &str) -> Self {
        let message = format!("the supervisor of {noun} {id} ended during the call");
        let mut error = Self::new(ErrorKind::Failed, ErrorCode::SupervisorGone, message).remedy(format!(
            "`pyro {noun} status {id}` shows why; its disk and logs are kept: `pyro {noun} start \
             {id}`"
        ));
        error.retry_safe = false;
        error
    }

    /// The supervisor of a VM died before the VM was ready.
    pub(crate) fn supervisor_died(noun: &str, id: &str) -> Self {
        let message = format!("the supervisor of {noun} {id} died while it was starting");
        Self::new(ErrorKind::Failed, ErrorCode::SupervisorDied, message)
            .remedy(format!("try again: `pyro {noun} start {id}`"))
    }

    /// Adds the last output of the supervisor that died.
    pub(crate) fn with_log_end(self, words: Option<String>) -> Self {
        let cause = words.map(|words| format!("its log ends with:\n{words}"));
        Self { cause, ..self }
    }

    pub(crate) fn no_supervisor(detail: &str) -> Self {
        let message = format!("the supervisor process of a VM failed: {detail}");
        Self::new(ErrorKind::Failed, ErrorCode::NoSupervisor, message)
            .remedy("check that the program `pyro` is installed and can be run")
    }

    /// An instance's disk or seed was removed.
    pub(crate) fn file_missing(noun: &str, id: &str, path: &std::path::Path) -> Self {
        let message = format!(
            "{noun} {id} cannot be started or copied: {} is missing",
            path.display()
        );
        Self::new(ErrorKind::Failed, ErrorCode::FileMissing, message).remedy(format!(
            "restore it, or delete the {noun}, whose files are lost without it: \
             `pyro {noun} delete {id}`"
        ))
    }

    /// A supervisor and its client speak different versions of the wire.
    pub(crate) fn other_version(theirs: Option<u32>, ours: u32) -> Self {
        let theirs = theirs.map_or_else(|| "none".to_owned(), |version| version.to_string());
        Self::not_understood(&format!(
            "one side speaks version {ours} of their protocol, the other {theirs}"
        ))
    }

    /// A supervisor does not understand its client's request, or speaks another version.
    pub(crate) fn not_understood(why: &dyn Display) -> Self {
        let message =
            "this VM was started by another version of pyro, which does not understand this one";
        let error = Self::new(ErrorKind::Failed, ErrorCode::OtherVersion, message).remedy(
            "use the version of pyro that started it, or stop it and start it again with this version: \
             its disk is kept, and its running commands end",
        );
        Self {
            cause: Some(why.to_string()),
            ..error
        }
    }

    /// The guest's agent sent a message that violates the protocol.
    pub(crate) fn guest_output(what: &str, detail: &dyn Display) -> Self {
        let detail = format!("{what} that cannot be parsed: {detail}");
        pyro_machine::Error::Protocol { detail }.into()
    }

    /// The host's side of a transfer failed.
    pub(crate) fn transfer(error: &dyn Display) -> Self {
        let message = format!("the files cannot be transferred: {error}");
        Self::new(ErrorKind::Failed, ErrorCode::TransferFailed, message)
            .remedy("check the free space and the owner of the directory")
    }

    /// This host cannot run guests, and running on the host was not allowed.
    pub(crate) fn guest_unavailable(self) -> Self {
        let message = format!(
            "guest boot is unavailable and host compatibility mode is disabled: {}. \
             Set allow_host_compat=True (CLI: --allow-host-compat) to opt into host execution.",
            self.message
        );
        Self { message, ..self }
    }

    /// Whether this host can never run a guest. Sizes, time limits, disk space, slots and failures
    /// of a guest do not count, because a request can cause them.
    pub(crate) fn means_no_guest(&self) -> bool {
        NO_GUEST.iter().any(|code| code.name() == self.code)
    }
}

/// The errors that mean that this host can never run a guest.
const NO_GUEST: [ErrorCode; 4] = [
    ErrorCode::QemuMissing,
    ErrorCode::QemuTooOld,
    ErrorCode::QemuUnusable,
    ErrorCode::PlatformUnsupported,
];

/// An error as it is sent from one process of pyro to another.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct WireError {
    kind: ErrorKind,
    code: String,
    message: String,
    cause: Option<String>,
    remedy: Option<String>,
    retry_safe: bool,
}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        Self {
            kind: error.kind,
            code: error.code.into_owned(),
            message: error.message,
            cause: error.cause,
            remedy: error.remedy,
            retry_safe: error.retry_safe,
        }
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self {
            kind: error.kind,
            code: error.code.into(),
            message: error.message,
            cause: error.cause,
            remedy: error.remedy,
            retry_safe: error.retry_safe,
        }
    }
}

impl From<pyro_archive::Error> for Error {
    fn from(error: pyro_archive::Error) -> Self {
        use pyro_archive::Error as Archive;
        let kind = match error {
            Archive::Missing { .. }
            | Archive::WrongKind { .. }
            | Archive::NoGitRules { .. }
            | Archive::Pattern { .. } => ErrorKind::InvalidInput,
            _ => ErrorKind::Failed,
        };
        Self {
            cause: join(causes(&error)),
            ..Self::named(kind, error.code(), &error).remedy(error.remedy())
        }
    }
}

impl From<pyro_store::Error> for Error {
    fn from(error: pyro_store::Error) -> Self {
        pyro_machine::Error::from(error).into()
    }
}

impl From<pyro_environment::Error> for Error {
    fn from(error: pyro_environment::Error) -> Self {
        let kind = match error {
            pyro_environment::Error::Unknown { .. } => ErrorKind::InvalidInput,
            _ => ErrorKind::Failed,
        };
        let output = error.output().join("\n");
        Self {
            cause: join(causes(&error).chain((!output.is_empty()).then_some(output))),
            ..Self::named(kind, error.code(), &error).remedy(error.remedy())
        }
    }
}

impl From<pyro_machine::Error> for Error {
    fn from(error: pyro_machine::Error) -> Self {
        let kind = match error {
            pyro_machine::Error::OutputClosed => ErrorKind::OutputClosed,
            _ => ErrorKind::Failed,
        };
        let said =
            |title: &str, text: &str| (!text.is_empty()).then(|| format!("{title}:\n{text}"));
        let tails = error.tails().cloned().unwrap_or_default();
        let tails = [
            said("the guest's console ends with", &tails.console),
            said("QEMU said", &tails.vmm),
        ];
        Self {
            cause: join(causes(&error).chain(tails.into_iter().flatten())),
            retry_safe: error.before_dispatch(),
            ..Self::named(kind, error.code(), &error).remedy(error.remedy())
        }
    }
}

/// The messages of an error's sources.
pub(crate) fn causes(error: &dyn std::error::Error) -> impl Iterator<Item = String> {
    std::iter::successors(error.source(), |source| source.source()).map(ToString::to_string)
}

pub(crate) fn join(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_request_can_bring_about_means_that_there_can_be_no_guest() {
        let means = |code: &&ErrorCode| Error::new(ErrorKind::Failed, **code, "").means_no_guest();
        let found: Vec<_> = ErrorCode::ALL
            .iter()
            .filter(means)
            .map(|code| code.name())
            .collect();
        let expected = [
            "platform_unsupported",
            "qemu_missing",
            "qemu_too_old",
            "qemu_unusable",
        ];
        assert_eq!(found, expected);
    }
}
