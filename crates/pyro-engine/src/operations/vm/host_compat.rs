//! *Host compatibility*: runs the command on the host, without a sandbox. Used only if the caller
//! allowed it and the host cannot run guests.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use pyro_machine::{Outcome, octets};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;

use super::finished::Finished;
use crate::command::streams;
use crate::output::Capture;
use crate::{Context, Error, Event};

/// The only variable besides `HOME` that the command gets.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long output is read after the command has ended.
const REST_LIMIT: Duration = Duration::from_millis(100);

/// Runs the command in a private directory that is removed afterwards, with a clean environment
/// and without standard input.
pub(super) async fn run(
    line: &str,
    env: &BTreeMap<String, String>,
    limit: Option<Duration>,
    why: &Error,
    context: &mut Context,
) -> Result<Finished, Error> {
    context.listener.report(Event::Warning(format!(
        "no guest can be had ({}), so the command runs ON THE HOST, WITHOUT ISOLATION, because \
         host compatibility was allowed",
        why.message
    )));
    let directory = tempfile::Builder::new()
        .prefix("pyro-host-compat-")
        .tempdir()
        .map_err(|error| Error::host_compat("make a private directory", &error))?;
    let vm_id = pyro_store::VmId::random().to_string();
    context.listener.phase("run", "execute", ("vm_id", &vm_id));

    let begun = Instant::now();
    let mut child = Command::new("bash")
        .arg("-lc")
        .arg(os_text(line))
        .current_dir(directory.path())
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("HOME", directory.path())
        .envs(env.iter().map(|(name, value)| (name, os_text(value))))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| Error::host_compat("run a shell", &error))?;
    let _group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));

    let mut captures = [Capture::default(), Capture::default()];
    let (status, duration) = {
        let (_, stdout, stderr) = streams(context, &mut captures);
        let from = (child.stdout.take(), child.stderr.take());
        let pass = async {
            tokio::try_join!(pass_on(from.0, stdout), pass_on(from.1, stderr))
                .map_err(|error| pyro_machine::Error::output(&error))
        };
        let finish = async {
            // Do not wait for the end of the output: a background process may keep it open.
            tokio::pin!(pass);
            let status = tokio::select! {
                status = child.wait() => {
                    let rest = tokio::time::timeout(REST_LIMIT, pass);
                    if let Ok(passed) = rest.await {
                        passed?;
                    }
                    status
                }
                passed = &mut pass => {
                    passed?;
                    child.wait().await
                }
            };
            status.map_err(|error| Error::host_compat("wait for the command", &error))
        };
        let status = match tokio::time::timeout(limit.unwrap_or(Duration::MAX), finish).await {
            Ok(status) => Some(status?),
            Err(_) => None,
        };
        (status, begun.elapsed())
    };
    let outcome = Outcome {
        code: status.and_then(|status| status.code()),
        signal: status.and_then(|status| status.signal()),
        timed_out: status.is_none(),
        oom_killed: false,
        duration,
    };
    Ok(Finished {
        vm_id,
        outcome,
        printed: captures.map(Capture::finish),
        execution_mode: "host_compat",
    })
}

fn os_text(text: &str) -> OsString {
    OsStr::from_bytes(&octets::decode(text)).to_owned()
}

/// The command's processes, ended when dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Usually no process is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn pass_on(
    from: Option<impl AsyncRead + Unpin>,
    to: &mut (dyn AsyncWrite + Send + Unpin),
) -> std::io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
        to.flush().await?;
    }
}
