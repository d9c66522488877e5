//! The *error* that every face shows: a stable code, a message, its cause, what to do next, and
//! whether the same call may be made again without doing anything twice.

use std::ffi::OsStr;
use std::fmt::Display;

use serde::Serialize;

/// What kind of failure it is. Faces derive their exit codes and exception classes from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The request cannot be meant.
    InvalidInput,
    /// The request is sound; carrying it out failed.
    Failed,
    /// The caller cancelled it.
    Cancelled,
    /// Whoever reads the output went away.
    OutputClosed,
}

/// Why an operation did not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind of failure it is.
    #[serde(skip)]
    pub kind: Kind,
    /// A stable name for programs.
    pub code: &'static str,
    /// What failed, in one line.
    #[serde(rename = "error")]
    pub message: String,
    /// Why, as far as known: the chain of causes and the last words of what failed.
    pub cause: Option<String>,
    /// What to do next.
    pub remedy: Option<String>,
    /// Whether the call can be repeated without risk: it failed before any command was handed to
    /// a guest. If not, the outcome is unknown.
    pub retry_safe: bool,
}

impl Error {
    fn new(kind: Kind, code: &'static str, message: impl Display) -> Self {
        Self {
            kind,
            code,
            message: message.to_string(),
            cause: None,
            remedy: None,
            retry_safe: true,
        }
    }

    fn remedy(mut self, remedy: impl Display) -> Self {
        self.remedy = Some(remedy.to_string());
        self
    }

    /// A value of a request is out of its range, or otherwise unusable.
    pub(crate) fn invalid(message: impl Display) -> Self {
        Self::new(Kind::InvalidInput, "invalid_input", message)
    }

    /// A request is not of its operation's shape.
    pub(crate) fn malformed(operation: &str, error: &serde_json::Error) -> Self {
        Self::new(
            Kind::InvalidInput,
            "invalid_input",
            format!("invalid {operation} request: {error}"),
        )
        .remedy("send the properties of the operation's input schema, and no others")
    }

    pub(crate) fn command_required() -> Self {
        Self::new(
            Kind::InvalidInput,
            "command_required",
            "command is required after `--`",
        )
        .remedy("for example: pyro run debian:12 -- git --version")
    }

    pub(crate) fn no_home(variable: &str) -> Self {
        let message = format!("there is no home directory, and {variable} is not set");
        Self::new(Kind::InvalidInput, "no_home", message).remedy(format!("set HOME or {variable}"))
    }

    pub(crate) fn bad_variable(name: &str, value: &OsStr, expected: &str) -> Self {
        let value = value.to_string_lossy();
        let message = format!("environment variable {name} is '{value}'; expected {expected}");
        Self::new(Kind::InvalidInput, "invalid_variable", message)
            .remedy(format!("unset {name} or correct it"))
    }

    pub(crate) fn cancelled(operation: &str) -> Self {
        let mut error = Self::new(
            Kind::Cancelled,
            "cancelled",
            format!("{operation} was cancelled"),
        );
        error.retry_safe = false;
        error
    }

    pub(crate) fn expired(vm_id: &impl Display, ttl_seconds: u64) -> Self {
        let message = format!("vm '{vm_id}' expired and was automatically deleted");
        let mut error = Self::new(Kind::Failed, "vm_expired", message).remedy(format!(
            "its time to live was {ttl_seconds} s; ask for more with --ttl-seconds"
        ));
        error.retry_safe = false;
        error
    }

    /// There is no guest, and running on the host was not allowed.
    pub(crate) fn guest_unavailable(self) -> Self {
        let message = format!(
            "guest boot is unavailable and host compatibility mode is disabled: {}. \
             Set allow_host_compat=True (CLI: --allow-host-compat) to opt into host execution.",
            self.message
        );
        Self { message, ..self }
    }

    /// Running on the host failed.
    pub(crate) fn host_compat(action: &str, error: &std::io::Error) -> Self {
        Self::new(
            Kind::Failed,
            "host_compat_failed",
            format!("cannot {action} on the host: {error}"),
        )
        .remedy("run `pyro doctor` to find out why there is no guest")
    }

    /// Whether it means that no guest can be had, as opposed to a request that is wrong, a guest
    /// that failed while it worked, or one that could be had without a network.
    pub(crate) fn means_no_guest(&self) -> bool {
        let only_a_network = matches!(self.code, "passt_missing" | "network_unavailable");
        self.kind == Kind::Failed && self.retry_safe && !only_a_network
    }
}

impl From<pyro_environment::Error> for Error {
    fn from(error: pyro_environment::Error) -> Self {
        let kind = match error {
            pyro_environment::Error::Unknown { .. } => Kind::InvalidInput,
            _ => Kind::Failed,
        };
        let output = error.output().join("\n");
        Self {
            cause: join(causes(&error).chain((!output.is_empty()).then_some(output))),
            ..Self::new(kind, error.code(), &error).remedy(error.remedy())
        }
    }
}

impl From<pyro_machine::Error> for Error {
    fn from(error: pyro_machine::Error) -> Self {
        let kind = match error {
            pyro_machine::Error::OutputClosed => Kind::OutputClosed,
            _ => Kind::Failed,
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
            ..Self::new(kind, error.code(), &error).remedy(error.remedy())
        }
    }
}

/// The messages of an error's sources.
fn causes(error: &dyn std::error::Error) -> impl Iterator<Item = String> {
    std::iter::successors(error.source(), |source| source.source()).map(ToString::to_string)
}

fn join(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}
