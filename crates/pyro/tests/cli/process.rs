//! A run of *pyro*, and its result. Each run has a time limit, after which it is killed and the
//! test fails.

#![expect(unsafe_code, reason = "a child that the kernel refuses something")]

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use serde_json::Value;

/// A limit, so that a test cannot hang. It is generous, because an environment may have to be built
/// first, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(300);

/// A run that is being prepared.
pub(crate) struct Pyro {
    command: Command,
    stdin: Input,
    nonblocking: bool,
    limit: Duration,
}

/// The standard input of a run.
enum Input {
    Nothing,
    Bytes(Vec<u8>),
    /// A pipe that stays open without data.
    Silence,
    /// A file that the test has opened.
    File(File),
}

impl Pyro {
    pub(crate) fn new(command: Command) -> Self {
        Self {
            command,
            stdin: Input::Nothing,
            nonblocking: false,
            limit: LIMIT,
        }
    }

    pub(crate) fn args(mut self, arguments: &[impl AsRef<OsStr>]) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn user(mut self, uid: u32, gid: u32) -> Self {
        self.command.uid(uid).gid(gid);
        self
    }

    /// Makes the kernel refuse these system calls, each with this error, as in containers or in
    /// kernels built without them.
    pub(crate) fn refused(mut self, calls: &[(i64, i32)]) -> Self {
        let filters: Vec<_> = calls
            .iter()
            .map(|(call, error)| {
                SeccompFilter::new(
                    [(*call, Vec::new())].into(),
                    SeccompAction::Allow,
                    SeccompAction::Errno(error.cast_unsigned()),
                    TargetArch::x86_64,
                )
            })
            .map(|filter| BpfProgram::try_from(filter.unwrap()).unwrap())
            .collect();
        let refuse = move || {
            for filter in &filters {
                seccompiler::apply_filter(filter).map_err(std::io::Error::other)?;
            }
            Ok(())
        };
        // SAFETY: it makes system calls only, unless one fails.
        unsafe { self.command.pre_exec(refuse) };
        self
    }

    /// The command, for tests that start it differently.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    pub(crate) fn directory(mut self, path: &std::path::Path) -> Self {
        self.command.current_dir(path);
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Input::Bytes(bytes.into());
        self
    }

    pub(crate) fn silent_stdin(mut self) -> Self {
        self.stdin = Input::Silence;
        self
    }

    pub(crate) fn stdin_from(mut self, file: File) -> Self {
        self.stdin = Input::File(file);
        self
    }

    /// Gives the program pipes with `O_NONBLOCK`, as parents with event loops do.
    pub(crate) fn nonblocking(mut self) -> Self {
        self.nonblocking = true;
        self
    }

    pub(crate) fn limit(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    /// Runs to the end.
    pub(crate) fn run(self) -> Finished {
        self.start().finish()
    }

    /// Starts, and reads its output as it is printed.
    pub(crate) fn start(self) -> Running {
        let mut running = self.start_unread();
        let stdout = running.child.stdout.take().unwrap();
        running.stdout = Some(Stream::read(stdout));
        running
    }

    /// Starts, and leaves its standard output to the caller.
    pub(crate) fn start_unread(mut self) -> Running {
        let (stdin, own_stdin) = match &self.stdin {
            Input::Nothing => (Stdio::null(), None),
            Input::File(file) => (file.try_clone().unwrap().into(), None),
            Input::Bytes(_) | Input::Silence => {
                let (theirs, ours) = std::io::pipe().unwrap();
                (
                    self.given(theirs),
                    Some(ChildStdin::from(OwnedFd::from(ours))),
                )
            }
        };
        let [(stdout, own_stdout), (stderr, own_stderr)] = [(); 2].map(|()| {
            let (ours, theirs) = std::io::pipe().unwrap();
            (self.given(theirs), OwnedFd::from(ours))
        });
        self.command.stdin(stdin).stdout(stdout).stderr(stderr);
        let begun = Instant::now();
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        let line: String = words.join(" ").chars().take(400).collect();
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        child.stdout = Some(own_stdout.into());
        // The command holds the child's ends of the pipes.
        drop(self.command);
        let stdin = match self.stdin {
            Input::Bytes(bytes) => {
                let mut stdin = own_stdin.unwrap();
                // A program that does not read all of the input closes the pipe.
                thread::spawn(move || drop(stdin.write_all(&bytes)));
                None
            }
            Input::Nothing | Input::Silence | Input::File(_) => own_stdin,
        };
        Running {
            stderr: Stream::read(File::from(own_stderr)),
            stdout: None,
            child,
            stdin,
            line,
            begun,
            limit: self.limit,
        }
    }
}

impl Pyro {
    /// The program's end of a pipe.
    fn given(&self, end: impl Into<OwnedFd>) -> Stdio {
        let end = end.into();
        if self.nonblocking {
            rustix::io::ioctl_fionbio(&end, true).unwrap();
        }
        end.into()
    }
}

/// A running process; killed on drop.
pub(crate) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<Stream>,
    stderr: Stream,
    line: String,
    begun: Instant,
    limit: Duration,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The unread standard output.
    pub(crate) fn take_stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Whether the run has ended. Fails after the time limit.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.check_limit("its end");
        self.child.try_wait().unwrap().is_some()
    }

    /// Writes text to the standard input.
    pub(crate) fn say(&mut self, text: &str) {
        self.say_bytes(text.as_bytes());
    }

    /// Writes bytes that need not be text.
    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
    }

    /// Ends the standard input.
    pub(crate) fn say_no_more(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn wait_for_stdout(&mut self, text: &str) {
        self.wait_for(text, |running| {
            running
                .stdout
                .as_ref()
                .map(Stream::text)
                .unwrap_or_default()
        });
    }

    /// Its standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn wait_for_stderr(&mut self, text: &str) {
        self.wait_for(text, |running| running.stderr.text());
    }

    fn wait_for(&mut self, text: &str, seen: impl Fn(&Self) -> String) {
        while !seen(self).contains(text) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{}: {status} before {text:?}: {}", self.line, self.said());
            }
            self.check_limit(text);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the run has ended and no process holds its output any more.
    pub(crate) fn finish(mut self) -> Finished {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            self.check_limit("its end");
            thread::sleep(Duration::from_millis(5));
        };
        let elapsed = self.begun.elapsed();
        let finished = |stream: &Stream| {
            stream
                .end
                .recv_timeout(Duration::from_secs(20))
                .unwrap_or_else(|_| panic!("{}: somebody still holds its output", self.line));
            stream.bytes.lock().unwrap().clone()
        };
        Finished {
            code: status
                .code()
                .unwrap_or_else(|| -status.signal().unwrap_or_default()),
            stdout: self.stdout.as_ref().map(finished).unwrap_or_default(),
            stderr: finished(&self.stderr),
            line: std::mem::take(&mut self.line),
            elapsed,
        }
    }

    fn check_limit(&mut self, what: &str) {
        if self.begun.elapsed() > self.limit {
            let _ = self.child.kill();
            let _ = self.child.wait();
            panic!(
                "{}: waited {:?} for {what}: {}",
                self.line,
                self.limit,
                self.said()
            );
        }
    }

    fn said(&self) -> String {
        let stdout = self.stdout.as_ref().map(Stream::text).unwrap_or_default();
        format!(
            "\nstdout: {}\nstderr: {}",
            shortened(&stdout),
            shortened(&self.stderr.text())
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A stream that is being read.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let (ended, end) = channel();
        let target = Arc::clone(&bytes);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                target.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
            let _ = ended.send(());
        });
        Self { bytes, end }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

/// A run that has ended.
pub(crate) struct Finished {
    /// The exit status, or the negative number of the signal that ended it.
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) elapsed: Duration,
    line: String,
}

impl Finished {
    /// Fails unless this was the exit status.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    #[track_caller]
    pub(crate) fn out_is(self, text: &str) -> Self {
        assert_eq!(self.out(), text, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn err_has(self, text: &str) -> Self {
        assert!(self.err().contains(text), "no {text:?} in {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn err_lacks(self, text: &str) -> Self {
        assert!(!self.err().contains(text), "{text:?} in {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless it is an error of pyro with this code, a remedy, and this `retry_safe`; returns
    /// the error.
    #[track_caller]
    pub(crate) fn json_error(&self, code: &str, retry_safe: bool) -> Value {
        let error = self.json();
        assert_eq!(self.code, 1, "{self:?}");
        assert_eq!(error["code"], code, "{self:?}");
        assert_eq!(error["ok"], false, "{self:?}");
        assert_eq!(error["retry_safe"], retry_safe, "{self:?}");
        assert!(error["error"].is_string(), "{self:?}");
        error
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} => {} after {:?}\nstdout: {}\nstderr: {}",
            self.line,
            self.code,
            self.elapsed,
            shortened(&self.out()),
            shortened(&self.err())
        )
    }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 3000;
    let length = text.chars().count();
    if length <= SHOWN {
        return text.to_owned();
    }
    let end: String = text.chars().skip(length - SHOWN).collect();
    format!("({length} characters) …{end}")
}
