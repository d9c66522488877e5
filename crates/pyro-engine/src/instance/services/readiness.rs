//! Whether a service is *ready*.

use std::time::Duration;

use pyro_machine::{Answer, Call, Command, FilePath, RefusalReason, Streams, SupervisedMachine};

use super::record::{Readiness, ServiceDefinition};
use crate::instance::vault::Vault;
use crate::output::Capture;

/// How much of an answer to an HTTP request is looked at.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;
/// How long one check may take.
const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// Checks once whether a service is ready.
pub(super) async fn is_ready(
    machine: &SupervisedMachine,
    vault: &Vault,
    definition: &ServiceDefinition,
    working_directory: &str,
) -> bool {
    let Some(readiness) = &definition.readiness else {
        return true;
    };
    let check = check(machine, vault, definition, working_directory, readiness);
    tokio::time::timeout(CHECK_LIMIT, check)
        .await
        .unwrap_or(false)
}

async fn check(
    machine: &SupervisedMachine,
    vault: &Vault,
    definition: &ServiceDefinition,
    working_directory: &str,
    readiness: &Readiness,
) -> bool {
    match readiness {
        Readiness::File { path } => {
            let call = Call::ListFiles {
                file: FilePath {
                    root: "/".into(),
                    path: path.trim_start_matches('/').into(),
                },
                recursive: false,
            };
            match call_with(machine, &call, &[]).await {
                Ok(_) => true,
                // A file that cannot be listed may be there all the same.
                Err(reason) => reason == Some(RefusalReason::FileFailed),
            }
        }
        Readiness::Tcp { port, .. } => {
            let call = Call::Connect {
                port: *port,
                only_try: true,
            };
            call_with(machine, &call, &[]).await.is_ok()
        }
        Readiness::Http { port, target, .. } => {
            let call = Call::Connect {
                port: *port,
                only_try: false,
            };
            let request = format!(
                "GET {target} HTTP/1.0\r\nHost: localhost:{port}\r\nUser-Agent: pyro\r\n\
                 Connection: close\r\n\r\n"
            );
            let answer = call_with(machine, &call, request.as_bytes()).await;
            answer.is_ok_and(|answer| is_success(&answer))
        }
        Readiness::Command { command } => {
            // It was checked when the service was started.
            let Ok(argv) = definition.options.argv(command.clone()) else {
                return false;
            };
            let command = Command {
                argv,
                env: vault.env(&definition.options).unwrap_or_default(),
                cwd: Some(
                    definition
                        .options
                        .cwd
                        .clone()
                        .unwrap_or_else(|| working_directory.into()),
                ),
                cwd_optional: true,
                user: definition.options.user.clone(),
                timeout: Some(CHECK_LIMIT),
                ..Command::default()
            };
            let streams = Streams {
                stdin: None,
                stdout: &mut tokio::io::sink(),
                stderr: &mut tokio::io::sink(),
                controls: None,
                started: None,
            };
            let outcome = machine.run(&command, streams).await;
            outcome.is_ok_and(|outcome| outcome.code == Some(0))
        }
    }
}

/// Carries out a call; returns its output, or why the guest refused it.
async fn call_with(
    machine: &SupervisedMachine,
    call: &Call,
    mut input: &[u8],
) -> Result<Vec<u8>, Option<RefusalReason>> {
    let mut output = Capture::default();
    let streams = Streams {
        stdin: Some(&mut input),
        stdout: &mut output,
        stderr: &mut tokio::io::sink(),
        controls: None,
        started: None,
    };
    match machine.call(call, streams).await {
        Ok(Answer::Listed | Answer::Closed) => {
            let (mut bytes, _) = output.into_bytes();
            bytes.truncate(ANSWER_LIMIT_BYTES);
            Ok(bytes)
        }
        Err(pyro_machine::Error::Refused(refusal)) => Err(Some(refusal.reason)),
        Ok(_) | Err(_) => Err(None),
    }
}

/// Whether an answer is one of HTTP, with a status below 400.
fn is_success(answer: &[u8]) -> bool {
    let line = answer
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_ascii_whitespace();
    let is_http = words
        .next()
        .is_some_and(|version| version.starts_with("HTTP/"));
    let status = words.next().and_then(|status| status.parse::<u16>().ok());
    is_http && status.is_some_and(|status| (200..400).contains(&status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_success_below_400() {
        for fine in [
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 204\r\n",
            "HTTP/1.1 302 Found\r\nX: y",
        ] {
            assert!(is_success(fine.as_bytes()), "{fine}");
        }
        for wrong in [
            "",
            "HTTP/1.1 404 x\r\n",
            "HTTP/1.1 500",
            "SSH-2.0 200",
            "HTTP/1.1",
            "\n200",
        ] {
            assert!(!is_success(wrong.as_bytes()), "{wrong}");
        }
    }
}
