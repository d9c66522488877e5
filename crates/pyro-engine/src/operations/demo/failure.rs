//! The *failure* of a demonstration with a model: a message that stays the same in all versions,
//! and a cause.

use pyro_chat::Error as Chat;

use super::task::EXPECTED;
use crate::error::{causes, join};
use crate::operations::vm::RunResult;
use crate::{Error, ErrorCode, ErrorKind};

/// Makes a failure: its code, its message and its cause.
fn failure(code: ErrorCode, message: impl Into<String>, cause: Option<String>) -> Error {
    Error {
        kind: ErrorKind::Failed,
        code: code.name().into(),
        message: message.into(),
        cause,
        remedy: Some("try again, or choose a larger model with --model".into()),
        retry_safe: true,
    }
}

/// The server cannot be reached.
impl From<Chat> for Error {
    fn from(error: Chat) -> Self {
        Self {
            kind: if error.is_invalid_input() {
                ErrorKind::InvalidInput
            } else {
                ErrorKind::Failed
            },
            remedy: Some(error.remedy().into()),
            cause: join(causes(&error)),
            code: error.code().into(),
            ..failure(ErrorCode::ModelFailed, error.to_string(), None)
        }
    }
}

/// The server did not reply.
pub(super) fn no_reply(error: Chat, base_url: &str) -> Error {
    let message = match &error {
        Chat::NotAReply { .. } => "Ollama response did not contain completion choices".to_owned(),
        _ => format!(
            "failed to call Ollama. Ensure that a model's server answers at {}",
            pyro_text::line(base_url)
        ),
    };
    let why = std::iter::once(error.to_string()).chain(causes(&error));
    let cause = join(why);
    Error {
        message,
        cause,
        ..Error::from(error)
    }
}

/// The model stopped before a command ran. `why` is the model's text, or the last error.
pub(super) fn nothing_ran(why: Option<String>) -> Error {
    let message = "demo did not execute a successful vm_run or vm_exec";
    failure(ErrorCode::ModelRanNothing, message, why)
}

/// The command ran, and failed.
pub(super) fn command_failed(run: &RunResult) -> Error {
    let message = "vm_exec failed; expected exit_code=0";
    failure(ErrorCode::ModelCommandFailed, message, Some(ran(run)))
}

/// A command ran, but not the requested one.
pub(super) fn not_confirmed(run: &RunResult) -> Error {
    let message = "vm_exec output did not confirm repository clone success";
    let cause = format!("expected is {EXPECTED:?}; {}", ran(run));
    failure(ErrorCode::ModelRanSomethingElse, message, Some(cause))
}

pub(super) fn rounds_exceeded(rounds: u32, why: Option<String>) -> Error {
    let message = "tool-calling loop exceeded maximum rounds";
    let cause = format!("the model still called tools after {rounds} rounds");
    failure(
        ErrorCode::ModelRoundsExceeded,
        message,
        join([cause].into_iter().chain(why)),
    )
}

fn ran(run: &RunResult) -> String {
    format!(
        "the command was {:?}, with exit code {}, and printed {:?} and, on standard error, {:?}",
        pyro_text::line(&run.command),
        run.exit_code,
        pyro_text::line(&run.printed.stdout),
        pyro_text::line(&run.printed.stderr)
    )
}
