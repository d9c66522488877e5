//! `demo`

mod arguments;
mod conversation;
mod failure;
mod ollama;
mod task;
mod tools;

pub use ollama::DemoOllama;
pub use task::ModelRun;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyro_environment::PullPolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::environment;
use crate::operation::{Effect, Operation, ToolSet};
use crate::operations::vm::{Run, RunResult};
use crate::{Context, Engine, Error, Event, Listener, Permissions};
use task::ENVIRONMENT;

const COMMAND: &str = "git --version";
/// Prints the HTTP status of a page on the Internet, or the reason why there is none. The
/// environment has neither Python nor curl, but git, whose helper can fetch a file over HTTPS and
/// verify the server.
const PROBE: &str = "url=https://example.com/
printf 'get %s /tmp/page\\n\\n' $url |
  GIT_TRACE_CURL=/tmp/trace GIT_TRACE_CURL_NO_DATA=1 timeout 20 git remote-https $url $url \
    >/dev/null 2>/tmp/errors
ended=$?
status=$(sed -n 's|.*<= Recv header: HTTP/[0-9.]* \\([0-9]*\\).*|\\1|p' /tmp/trace 2>/dev/null | tail -n 1)
[ -n \"$status\" ] && echo $status && exit
why=$(sed -n 's|.*== Info: ||p' /tmp/trace 2>/dev/null | grep -vi '^closing' | tail -n 1)
[ $ended = 124 ] && why='no answer within 20 s'
echo \"${why:-$(cat /tmp/errors)}\" >&2
exit 1";
const PROBED: &str = "ask https://example.com/ for a page";

/// Demonstrate pyro: run git in a new microVM
///
/// The result is that of `run`. On a terminal, each step is shown as it happens; otherwise, and
/// with `--json`, the result is printed as JSON.
///
/// With `--network`, a second microVM then requests https://example.com/, and the result is the
/// output of that microVM: the status of the response. If the Internet cannot be reached, the
/// result is that of the first microVM and contains the reason.
#[derive(Clone, Debug, clap::Args, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
#[command(after_help = "Examples:\n  \
    pyro demo\n  \
    pyro demo --network\n  \
    pyro demo ollama --model qwen3:8b            let a language model do it")]
pub struct Demo {
    /// Also show that a guest can reach the Internet
    #[arg(long)]
    #[serde(default)]
    pub network: bool,
}

/// The result of the demonstration.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Demonstration {
    /// The result of the command.
    #[serde(flatten)]
    pub result: RunResult,
    /// Present if the Internet was requested and cannot be reached: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_unreachable: Option<String>,
}

impl Operation for Demo {
    const NAME: &'static str = "demo";
    const COMMAND: &'static [&'static str] = &["demo"];
    const EFFECT: Effect = Effect::Mutating;
    const OPEN_WORLD: bool = true;
    const TOOL_SET: ToolSet = ToolSet::None;
    type Output = Demonstration;

    async fn run(self, engine: &Engine, context: &mut Context) -> Result<Demonstration, Error> {
        let listener = &context.listener;
        let begun = Instant::now();
        environment::ready(engine, listener, ENVIRONMENT, PullPolicy::Missing).await?;
        let packages = engine.environments.status(ENVIRONMENT)?.default_packages;
        listener.report(Event::Step {
            what: "environment",
            text: format!("{ENVIRONMENT}, with {}", packages.join(", ")),
            duration: begun.elapsed(),
        });
        let result = run(engine, listener, COMMAND, Run::new(ENVIRONMENT, COMMAND)).await?;
        let shown = |result, network_unreachable| Demonstration {
            result,
            network_unreachable,
        };
        if !self.network {
            return Ok(shown(result, None));
        }
        let probe = Run {
            network: true,
            ..Run::new(ENVIRONMENT, PROBE)
        };
        match run(engine, listener, PROBED, probe).await {
            Ok(probed) if probed.exit_code == 0 => Ok(shown(probed, None)),
            Ok(probed) => Ok(shown(result, Some(unreachable(&probed)))),
            Err(error) if NO_NETWORK.contains(&&*error.code) => {
                Ok(shown(result, Some(error.message)))
            }
            Err(error) => Err(error),
        }
    }
}

/// The codes of errors for which a guest cannot have a network.
const NO_NETWORK: [&str; 2] = ["network_unavailable", "passt_missing"];

fn unreachable(probed: &RunResult) -> String {
    let said = probed.printed.stderr.trim();
    let said = if said.is_empty() { "no answer" } else { said };
    format!(
        "https://example.com/ did not answer: {}",
        pyro_text::line(said)
    )
}

/// Runs a command and reports its steps as a tour. The command has no access to the host.
async fn run(
    engine: &Engine,
    listener: &Listener,
    command: &str,
    run: Run,
) -> Result<RunResult, Error> {
    let (network, vcpus, mib) = (run.network, run.vcpu_count, run.mem_mib);
    let cleanup = Arc::<Mutex<Duration>>::default();
    let (told, outer, begun) = (Arc::clone(&cleanup), listener.clone(), Instant::now());
    let listen = move |event| match event {
        // The tour has its own messages for the phases.
        Event::Phase { .. } => {}
        Event::Started {
            vm_id,
            accelerator,
            origin,
        } => {
            let network = if network { "a network" } else { "no network" };
            let how = match accelerator {
                "kvm" => "the hardware runs it (KVM)",
                _ => "software emulates it (TCG)",
            };
            outer.report(Event::Step {
                what: "microVM",
                text: format!("{vm_id}: {vcpus} vCPU, {mib} MiB, {network}; {how}; {origin}"),
                duration: begun.elapsed(),
            });
        }
        event => {
            if let Event::Timing { name, duration } = &event
                && name == "teardown"
            {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = *duration;
            }
            outer.report(event);
        }
    };
    let mut context = Context {
        listener: Listener::new(listen),
        permissions: Permissions {
            host_compat: false,
            ..Permissions::default()
        },
        ..Context::default()
    };
    let result = Operation::run(run, engine, &mut context).await?;
    let printed = format!("{}{}", result.printed.stdout, result.printed.stderr);
    listener.report(Event::Step {
        what: "command",
        text: format!(
            "{command}: {} (exit code {})",
            pyro_text::line(printed.trim()),
            result.exit_code
        ),
        duration: Duration::from_millis(result.duration_ms),
    });
    listener.report(Event::Step {
        what: "cleanup",
        text: format!("{} is gone, with all that was written in it", result.vm_id),
        duration: *cleanup.lock().unwrap_or_else(PoisonError::into_inner),
    });
    Ok(result)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::process::Command;

    use super::*;

    /// Runs the probe on the host, for another URL; returns its output and its success.
    fn probe(url: &str) -> Option<(String, String, bool)> {
        let has_git = Command::new("git").arg("remote-http").output();
        let is_new = has_git.is_ok_and(|output| output.status.code() == Some(1));
        if !is_new {
            return None;
        }
        let place = tempfile::tempdir().unwrap();
        let script = PROBE
            .replace("https://example.com/", url)
            .replace("remote-https", "remote-http")
            .replace("/tmp", place.path().to_str().unwrap());
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Some((stdout, stderr, output.status.success()))
    }

    #[test]
    fn the_probe_prints_a_status_or_says_why_there_is_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let answer = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).unwrap();
        });
        let Some(answered) = probe(&url) else { return };
        answering.join().unwrap();
        assert_eq!(answered, ("204\n".into(), String::new(), true));
        let (stdout, stderr, success) = probe(&url).unwrap();
        assert_eq!((&*stdout, success), ("", false));
        assert!(stderr.contains("127.0.0.1"), "{stderr}");
    }
}
