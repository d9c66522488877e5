//! Processes of pyro that outlive this one.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Config;

/// Starts a process of pyro that outlives this one, outside of its terminal. Its instructions go
/// through standard input, because all users can read command lines. It inherits only the variables
/// that it needs: the others may be secret, and the process may live long.
pub(crate) fn run_detached(
    config: &Config,
    program: &Path,
    words: &[&str],
    description: &str,
    stdout: Stdio,
    stderr: Stdio,
) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    pyro_machine::inherit_nothing(&mut command);
    let mut child = command
        .args(words)
        .env_clear()
        .envs(config.passed_on.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn()?;
    let told = child
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(description.as_bytes()));
    if let Err(error) = told {
        // It has exited already; its output gives the better reason.
        tracing::debug!(%error, "a process was not told what to do");
    }
    Ok(child)
}

/// Waits, in the background, for a child process that may outlive this process. As long as this
/// process lives, no other can reap the child.
pub(crate) fn reap(mut child: Child) {
    let wait = move || {
        let _ = child.wait();
    };
    let waiting = std::thread::Builder::new()
        .name("reaper".into())
        .stack_size(64 * 1024)
        .spawn(wait);
    if let Err(error) = waiting {
        tracing::debug!(%error, "a process is not waited for");
    }
}
