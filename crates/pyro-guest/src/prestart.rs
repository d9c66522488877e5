//! *Prestarting* is starting a shell ahead of its command: see [`pyro_prestart`], the library in
//! which the shell waits.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use pyro_prestart::{Message, PLACEHOLDER, READY};
use pyro_protocol::Exec;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use crate::account::DEFAULT_HOME;
use crate::group::Group;
use crate::reaper::{self, Mailbox};
use crate::spawn::{self, LoweredLimit, Spawned};

/// How long a shell may take until it is waiting.
const START_LIMIT: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// The prefixes of variables that the dynamic linker and the C library read before the shell waits.
const READ_EARLY: [&str; 3] = ["LD_", "GLIBC_", "MALLOC_"];

/// A shell that waits for its command. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Prestarted {
    shell: Shell,
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    /// Its control group.
    pub(crate) group: Option<Group>,
    /// The value of a command's `SHELL`.
    login_shell: &'static str,
}

impl Prestarted {
    /// Starts a shell and returns when it is waiting.
    pub(crate) fn start(
        library: BorrowedFd<'_>,
        mailbox: &Arc<Mailbox>,
        group: Option<Group>,
    ) -> io::Result<Self> {
        let (stdout, child_stdout) = spawn::pipe_from_child()?;
        let (stderr, child_stderr) = spawn::pipe_from_child()?;
        let (child_stdin, stdin) = spawn::pipe_to_child()?;
        // The library has no other path. With `/proc/self`, the path would be among the entries
        // that the kernel must drop when the shell ends, which costs more.
        let (own, library) = (std::process::id(), library.as_raw_fd());
        let [program, arguments @ ..] = PLACEHOLDER.map(|word| OsStr::from_bytes(word.to_bytes()));
        let pid = reaper::spawn(mailbox, || {
            let _limit = LoweredLimit::new();
            let _directory = spawn::enter_home(DEFAULT_HOME);
            let mut command = Command::new(program);
            command
                .args(arguments)
                .env_clear()
                .env("LD_PRELOAD", format!("/proc/{own}/fd/{library}"))
                .stdin(child_stdin)
                .stdout(child_stdout)
                .stderr(child_stderr);
            spawn::start(&mut command, group.as_ref())
        })?;
        let shell = Shell(Some(pid));
        wait_for_ready(&stdout)?;
        Ok(Self {
            shell,
            stdin,
            stdout,
            stderr,
            group,
            login_shell: spawn::login_shell(),
        })
    }

    /// Makes the shell run the requested command. Kills it if it cannot run that command.
    pub(crate) fn run(mut self, exec: &Exec) -> Option<Spawned> {
        let message = message(exec, self.login_shell)?;
        // An empty pipe accepts all of it.
        let written = rustix::io::write(&self.stdin, &message).ok()?;
        if written != message.len() {
            return None;
        }
        Some(Spawned {
            pid: self.shell.0.take()?,
            stdin: Some(self.stdin).filter(|_| exec.stdin),
            stdout: self.stdout,
            stderr: Some(self.stderr),
        })
    }
}

/// The process, until it becomes a command's.
#[derive(Debug)]
struct Shell(Option<Pid>);

impl Drop for Shell {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            reaper::signal_group(pid, Signal::KILL);
        }
    }
}

/// Returns the message to a waiting shell, if it can run the command.
fn message(exec: &Exec, login_shell: &str) -> Option<Vec<u8>> {
    let [program, option, line] = &exec.argv[..] else {
        return None;
    };
    let is_shell = program.as_bytes() == PLACEHOLDER[0].to_bytes()
        && option.as_bytes() == PLACEHOLDER[1].to_bytes();
    // The shell has pipes, and is root's.
    let is_plain = exec.terminal.is_none() && exec.user.is_none();
    if !is_shell || !is_plain || line.contains('\0') {
        return None;
    }
    // The last value of a variable takes precedence.
    let env = spawn::environment(exec, None, login_shell);
    let variables: BTreeMap<&str, &str> = env.into_iter().collect();
    let mut environment = Vec::new();
    for (name, value) in &variables {
        let read_early = READ_EARLY.iter().any(|prefix| name.starts_with(prefix));
        if read_early || name.contains(['\0', '=']) || value.contains('\0') {
            return None;
        }
        environment.extend_from_slice(name.as_bytes());
        environment.push(b'=');
        environment.extend_from_slice(spawn::octets(value).as_bytes());
        environment.push(0);
    }
    let mut arguments = Vec::new();
    for word in [program, option, line] {
        arguments.extend_from_slice(spawn::octets(word).as_bytes());
        arguments.push(0);
    }
    let message = Message {
        stdin: exec.stdin,
        directory: &directory(exec, variables.get("HOME").copied())?,
        arguments: &arguments,
        environment: &environment,
    };
    message.encode()
}

/// Returns the directory to enter; empty if the shell is in it already. The agent enters it first,
/// because it can report a failure.
fn directory(exec: &Exec, home: Option<&str>) -> Option<CString> {
    if exec.cwd.is_none() && home == Some(DEFAULT_HOME) {
        return Some(CString::default());
    }
    let entered = spawn::enter(exec, home.unwrap_or_default()).ok()?;
    let directory = Path::new("/").join(spawn::octets(entered.0));
    CString::new(directory.into_os_string().into_vec()).ok()
}

fn wait_for_ready(stdout: &OwnedFd) -> io::Result<()> {
    let mut descriptors = [PollFd::new(stdout, PollFlags::IN)];
    loop {
        match rustix::event::poll(&mut descriptors, Some(&START_LIMIT)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut first = [0];
    match rustix::io::read(stdout, &mut first)? {
        1 if first == [READY] => Ok(()),
        _ => Err(io::Error::other("it does not load the library")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_for(exec: &Exec) -> Option<Vec<u8>> {
        message(exec, "/bin/bash")
    }

    fn exec_of(argv: [&str; 3]) -> Exec {
        Exec {
            argv: argv.map(str::to_owned).into(),
            ..Exec::default()
        }
    }

    #[test]
    fn only_lines_for_the_shell_are_told() {
        assert!(message_for(&exec_of(["/bin/sh", "-c", "true"])).is_some());
        for other in [
            ["/bin/bash", "-c", "true"],
            ["/bin/sh", "-e", "true"],
            ["/bin/sh", "-c", "true\0"],
            ["/bin/sh", "-c", &"x".repeat(100_000)],
        ] {
            assert!(message_for(&exec_of(other)).is_none());
        }
    }

    #[test]
    fn commands_with_a_terminal_or_a_user_are_not_its() {
        let plain = exec_of(["/bin/sh", "-c", "true"]);
        let with_terminal = Exec {
            terminal: Some(pyro_protocol::TerminalSize {
                columns: 80,
                rows: 24,
            }),
            ..plain.clone()
        };
        let with_user = Exec {
            user: Some("root".to_owned()),
            ..plain
        };
        assert!(message_for(&with_terminal).is_none() && message_for(&with_user).is_none());
    }

    #[test]
    fn what_is_read_before_the_shell_waits_cannot_be_told() {
        for (name, told) in [
            ("A", true),
            ("LD_PRELOAD", false),
            ("MALLOC_PERTURB_", false),
        ] {
            let mut exec = exec_of(["/bin/sh", "-c", "true"]);
            exec.env = vec![(name.to_owned(), "x".to_owned())];
            assert_eq!(message_for(&exec).is_some(), told, "{name}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_told_to_nobody() {
        let mut exec = exec_of(["/bin/sh", "-c", "true"]);
        exec.cwd = Some("/nowhere".to_owned());
        assert!(message_for(&exec).is_none());
    }
}
