//! Running one command to its end, with its input and output connected.

use std::time::{Duration, Instant};

use pyro_protocol::{Answer, Call, Exec, Exit, PauseRule, TerminalSize, milliseconds};

use super::Guest;
use super::call::Streams;
use super::failure::Failure;
use crate::deadline::Deadline;

/// How much longer than its limit a command may take before the host gives up on the agent, which
/// should have killed it.
const AGENT_GRACE: Duration = Duration::from_secs(2);

/// A command for the guest.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment variables beside the agent's own.
    pub env: Vec<(String, String)>,
    /// Working directory; the home directory if not set.
    pub cwd: Option<String>,
    /// Whether the directory is only a default: recreated if it is missing, `/` if that fails.
    pub cwd_optional: bool,
    /// The time limit, after which the command is killed.
    pub timeout: Option<Duration>,
    /// Who runs it: `USER` or `USER:GROUP`, names or numbers; root if not set.
    pub user: Option<String>,
    /// The size of its terminal, if it has one.
    pub terminal: Option<TerminalSize>,
    /// Whether the machine may be paused while it runs.
    pub pause: PauseRule,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// Its exit status, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// Whether it exceeded its time limit.
    pub timed_out: bool,
    /// Whether it failed, and the guest's kernel killed one of its processes for lack of memory.
    pub oom_killed: bool,
    /// How long it ran.
    pub duration: Duration,
}

impl From<Exit> for Outcome {
    fn from(exit: Exit) -> Self {
        Self {
            code: exit.code,
            signal: exit.signal,
            timed_out: exit.timed_out,
            oom_killed: exit.oom_killed,
            duration: Duration::from_millis(exit.duration_ms),
        }
    }
}

impl Guest {
    /// Runs `command` to its end.
    pub(crate) async fn run(
        &self,
        command: &Command,
        streams: Streams<'_>,
    ) -> Result<Outcome, Failure> {
        let call = Call::Exec(Exec {
            argv: command.argv.clone(),
            env: command.env.clone(),
            cwd: command.cwd.clone(),
            cwd_optional: command.cwd_optional,
            timeout_ms: command.timeout.map(milliseconds),
            stdin: streams.stdin.is_some(),
            user: command.user.clone(),
            terminal: command.terminal,
            pause: command.pause,
        });
        let started = Instant::now();
        let limit = async {
            match command.timeout {
                Some(limit) => {
                    tokio::time::sleep(limit).await;
                    Deadline::new(self.vmm, AGENT_GRACE).passed().await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            answer = self.call(&call, streams) => match answer? {
                // The duration is limited to the host's wait: the guest may report any.
                Answer::Exited(exit) => Ok(Outcome {
                    duration: Duration::from_millis(exit.duration_ms).min(started.elapsed()),
                    ..Outcome::from(exit)
                }),
                other => Err(Failure::Protocol(format!("a command ended with {other:?}"))),
            },
            // The agent, or the reader of the output, hangs. The output so far was passed on.
            () = limit => Ok(Outcome {
                code: None,
                signal: None,
                timed_out: true,
                oom_killed: false,
                duration: started.elapsed(),
            }),
        }
    }
}
