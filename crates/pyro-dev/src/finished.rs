//! A *finished* process: its exit status, its output, and its duration, measured from outside.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;

use crate::Error;

/// A process that ended by itself.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// From just before its start until it had ended.
    pub wall: Duration,
}

impl Finished {
    /// Runs `command` without input. Returns `None` and kills it if it does not end within `limit`.
    ///
    /// It prints into files without a name: they take any amount, and other processes that have
    /// them open are not waited for.
    ///
    /// # Errors
    /// When it cannot be started, or the files cannot be made.
    pub fn run(command: &mut Command, limit: Duration) -> io::Result<Option<Self>> {
        let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        command
            .stdin(Stdio::null())
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?);
        let begun = Instant::now();
        let mut child = command.spawn()?;
        let ended = ends_within(&child, limit);
        let wall = begun.elapsed();
        if !matches!(ended, Ok(true)) {
            child.kill()?;
            child.wait()?;
            return ended.map(|_| None);
        }
        Ok(Some(Self {
            status: child.wait()?,
            stdout: said(stdout)?,
            stderr: said(stderr)?,
            wall,
        }))
    }

    /// Returns the id of the workspace that was created, with `--json`.
    ///
    /// # Errors
    /// When it printed none.
    pub fn workspace_id(&self) -> Result<String, Error> {
        let value: Value = serde_json::from_str(&self.stdout)?;
        let id = value["workspace_id"].as_str();
        Ok(id.ok_or("a workspace has no id")?.to_owned())
    }

    /// Runs `command` likewise, and returns an error if it fails or does not end.
    ///
    /// # Errors
    /// When it cannot be started, does not end, or fails.
    pub fn success(command: &mut Command, limit: Duration) -> Result<Self, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let finished = Self::run(command, limit).map_err(|error| format!("{program}: {error}"))?;
        let Some(finished) = finished else {
            return Err(format!("{command:?} did not end within {} s", limit.as_secs()).into());
        };
        if !finished.status.success() {
            let said = finished.stderr.trim();
            return Err(format!("{program} failed ({}): {said}", finished.status).into());
        }
        Ok(finished)
    }
}

/// Waits for a child to end, without reaping it.
fn ends_within(child: &Child, limit: Duration) -> io::Result<bool> {
    let id = i32::try_from(child.id()).map_err(io::Error::other)?;
    let id = Pid::from_raw(id).ok_or(io::ErrorKind::NotFound)?;
    let process = pidfd_open(id, PidfdFlags::empty())?;
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut polled = [PollFd::new(&process, PollFlags::IN)];
        match poll(&mut polled, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn said(mut file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn what_a_process_said_is_there() {
        let mut command = shell("echo out; echo err >&2; exit 3");
        let finished = Finished::run(&mut command, Duration::from_secs(20));
        let finished = finished.unwrap().unwrap();
        assert_eq!(finished.status.code(), Some(3));
        assert_eq!((&*finished.stdout, &*finished.stderr), ("out\n", "err\n"));
    }

    #[test]
    fn what_does_not_end_is_ended() {
        let mut command = shell("exec sleep 60");
        let finished = Finished::run(&mut command, Duration::from_millis(50)).unwrap();
        assert!(finished.is_none());
    }

    #[test]
    fn much_output_is_there_as_a_whole() {
        let mut command = shell("head -c 1000000 /dev/zero | tr '\\0' x");
        let finished = Finished::run(&mut command, Duration::from_secs(20));
        assert_eq!(finished.unwrap().unwrap().stdout.len(), 1_000_000);
    }

    #[test]
    fn who_lives_on_with_the_output_is_not_waited_for() {
        let mut command = shell("sleep 5 & echo done");
        let finished = Finished::run(&mut command, Duration::from_secs(20));
        let finished = finished.unwrap().unwrap();
        assert_eq!(finished.stdout, "done\n");
        assert!(finished.wall < Duration::from_secs(4));
    }
}
