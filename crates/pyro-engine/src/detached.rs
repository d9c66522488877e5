//! Processes of ours that outlive this one.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Config;

/// Starts a process of ours that outlives this one, and is not of its terminal. What it is told
/// goes through its standard input: command lines are for all users of the host to see. Of our
/// environment it gets what it needs: the rest may hold secrets, and it may live long.
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
        // It has ended already, which its output says better.
        tracing::debug!(%error, "a process was not told what to do");
    }
    Ok(child)
}

/// Waits, in the background, for a process that may or may not outlive this one: as long as this
/// one lives, it is the only one who can.
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
