//! A stand-in for the VMM, or for passt, that pyro starts in their place: code that has broken out of
//! a guest. It tries what such code would try, and writes down what succeeded.
//!
//! It is told what there is to be had by JSON at the end of its own file, which it can always read.
//! Its report goes into the machine's disk, or into the log of passt.

#![expect(
    unsafe_code,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::many_single_char_names,
    clippy::too_many_lines,
    reason = "lists of system calls, made as no library makes them"
)]

mod files;
mod kernel;
mod network;
mod processes;

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;

use serde_json::Value;

/// What stands before the configuration. Not in one piece here, or it would be found here.
const MARK: [&str; 2] = ["\nPROBE-", "CONFIG:"];

/// What one attempt came to: success, or an error's number.
pub(crate) type Outcome = Result<(), i32>;

/// What there is to be had.
pub(crate) struct Config(Value);

impl Config {
    fn read(program: &str) -> Option<Self> {
        let bytes = std::fs::read(program).ok()?;
        let mark = MARK.concat();
        let at = bytes
            .windows(mark.len())
            .rposition(|part| part == mark.as_bytes())?;
        serde_json::from_slice(&bytes[at + mark.len()..])
            .ok()
            .map(Self)
    }

    pub(crate) fn path(&self, name: &str) -> CString {
        CString::new(self.0[name].as_str().unwrap_or("/no/such/path")).unwrap_or_default()
    }

    pub(crate) fn number(&self, name: &str) -> i64 {
        self.0[name].as_i64().unwrap_or(-1)
    }
}

/// The result of a system call as an outcome.
pub(crate) fn outcome(result: i64) -> Outcome {
    if result >= 0 { Ok(()) } else { Err(error()) }
}

pub(crate) fn error() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Where the report goes.
enum Report {
    Disk(File, u64),
    Log(File),
}

impl Report {
    fn line(&mut self, text: &str) {
        let written = match self {
            Self::Disk(file, position) => {
                let at = *position;
                *position += text.len() as u64;
                file.write_all_at(text.as_bytes(), at)
            }
            Self::Log(file) => file.write_all(text.as_bytes()),
        };
        // There is nobody to tell.
        let _ = written;
    }
}

/// Attempts, one after the other: each in a process of its own, where there can be one.
pub(crate) struct Attempts<'a> {
    report: Report,
    pub(crate) config: &'a Config,
}

impl Attempts<'_> {
    pub(crate) fn attempt(&mut self, name: &str, attempt: impl FnOnce(&Config) -> Outcome) {
        // SAFETY: the process has one thread.
        let child = unsafe { libc::fork() };
        let result = match child {
            -1 => attempt(self.config),
            0 => {
                let code = attempt(self.config).err().map_or(0, |error| error.max(1));
                // SAFETY: ends this process, whatever it has become.
                unsafe { libc::_exit(code) }
            }
            child => {
                let mut status = 0;
                // SAFETY: waits for the child, and the pointer is valid.
                unsafe { libc::waitpid(child, &raw mut status, 0) };
                match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
                    (true, 0) => Ok(()),
                    (true, error) => Err(error),
                    (false, _) => Err(-libc::WTERMSIG(status)),
                }
            }
        };
        self.report.line(&match result {
            Ok(()) => format!("yes\t{name}\n"),
            Err(error) => format!("no\t{name}\t{error}\n"),
        });
    }
}

/// Ends with status 3, or never, as the VMM's stand-in.
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "--version") {
        let mut stdout = std::io::stdout();
        let _ = stdout.write_all(b"QEMU emulator version 7.2.22 (a stand-in)\n");
        return;
    }
    let Some(config) = Config::read(&arguments[0]) else {
        std::process::exit(4);
    };
    let disk = arguments.iter().find_map(|argument| {
        let (_, path) = argument.split_once("id=rw,")?.1.split_once("file=")?;
        Some(path.replace(",,", ","))
    });
    let report = match disk {
        Some(disk) => match File::options().write(true).open(disk) {
            Ok(file) => Report::Disk(file, 0),
            Err(_) => std::process::exit(5),
        },
        // SAFETY: standard error is open, and nobody else has it here.
        None => Report::Log(unsafe { File::from_raw_fd(2) }),
    };
    let mut attempts = Attempts {
        report,
        config: &config,
    };
    files::all(&mut attempts);
    processes::all(&mut attempts);
    network::all(&mut attempts);
    kernel::all(&mut attempts);
    attempts.report.line("END\n");
    // Until it is killed: whoever reads the report takes his time.
    std::thread::sleep(std::time::Duration::from_secs(100));
}
