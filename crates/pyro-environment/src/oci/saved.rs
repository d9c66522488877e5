//! An image that a program of this host *saves*: `docker save` or `podman save`, which writes it on a
//! pipe. Its drop ends the program.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::process::{Child, Command};

use crate::Error;
use crate::source::Program;

/// How long the program may write nothing: it looks for the image and, in some cases, packs it.
const SILENCE: Duration = Duration::from_secs(300);
/// How long it may take to end when nobody reads any more, or there is nothing more to be read.
const END: Duration = Duration::from_secs(10);
/// How much of what it says is looked at, in bytes.
const SAID_BYTES: u64 = 4096;

pub(crate) struct Saving {
    child: Child,
    command: String,
    said: File,
    output: Option<OwnedFd>,
}

impl Saving {
    /// Starts the program.
    pub(crate) fn begin(program: Program, name: &str) -> Result<Self, Error> {
        let arguments: &[&str] = match program {
            Program::Docker => &["save", "--", name],
            // Others are compressed once more.
            Program::Podman => &["save", "--quiet", "--format", "docker-archive", "--", name],
        };
        let program = program.name();
        let command = format!("{program} save {name}");
        let failed = |source| Error::StorageProgram {
            command: command.clone(),
            problem: String::new(),
            source: Some(source),
        };
        let said = tempfile::tempfile().map_err(failed)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said.try_clone().map_err(failed)?)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let output = match child.stdout.take() {
            Some(output) => Some(output.into_owned_fd().map_err(failed)?),
            None => None,
        };
        Ok(Self {
            child,
            command,
            said,
            output,
        })
    }

    /// Returns what it writes, once, and what to call it.
    pub(crate) fn output(&mut self) -> Result<(Output, String), Error> {
        let output = self
            .output
            .take()
            .ok_or_else(|| self.failed("it was read before"))?;
        Ok((Output(File::from(output)), self.command.clone()))
    }

    /// Waits for the end of the program, which counts more than what became of its output.
    pub(crate) async fn end<T>(mut self, read: Result<T, Error>) -> Result<T, Error> {
        if let Err(error @ (Error::NoSpace { .. } | Error::CacheUnusable { .. })) = read {
            return Err(error);
        }
        let status = tokio::time::timeout(END, self.child.wait()).await;
        let Ok(status) = status else {
            return read;
        };
        let status = status.map_err(|error| self.failed(&error.to_string()))?;
        // That nobody has read on has ended it.
        if status.success() || read.is_err() && status.code().is_none() {
            return read;
        }
        let said = self.last_line();
        Err(self.failed(&format!("{status}: {said}")))
    }

    fn last_line(&mut self) -> String {
        let mut bytes = Vec::new();
        let rewound = self.said.rewind();
        let read = rewound.and_then(|()| (&self.said).take(SAID_BYTES).read_to_end(&mut bytes));
        let text = String::from_utf8_lossy(&bytes);
        match (read, text.trim().lines().last()) {
            (Ok(_), Some(line)) => line.escape_debug().to_string(),
            _ => "it said nothing".into(),
        }
    }

    fn failed(&self, problem: &str) -> Error {
        Error::StorageProgram {
            command: self.command.clone(),
            problem: format!(" ({problem})"),
            source: None,
        }
    }
}

/// What a program writes, waited for with a limit.
pub(crate) struct Output(File);

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = Timespec {
            tv_sec: SILENCE.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: 0,
        };
        let mut waited = [PollFd::new(&self.0, PollFlags::IN)];
        match poll(&mut waited, Some(&limit)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => self.0.read(buffer),
            Err(errno) => Err(errno.into()),
        }
    }
}
