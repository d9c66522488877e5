//! *Spawning* starts a command's main process.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use pyro_protocol::{Exec, Refusal, RefusalReason};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Resource, Rlimit};

use crate::account::{self, Account, DEFAULT_HOME};
use crate::group::Group;
use crate::reaper::{self, Mailbox};
use crate::{sys, terminal};

/// The value that Debian's `login` sets for root.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The most open files a command starts with, as on every Debian system. The agent's own limit is
/// higher, for its pipes.
const COMMAND_OPEN_FILES: u64 = 1024;

/// A command that was started; the agent's ends of the pipes do not block.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) pid: Pid,
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: OwnedFd,
    /// Its own pipe, unless a terminal is both outputs.
    pub(crate) stderr: Option<OwnedFd>,
}

/// The command's ends of its standard input, output and error.
type ChildStreams = [Stdio; 3];

/// Starts the command in a process group of its own, and in a control group if there is one; its
/// end will be reported to `mailbox`.
pub(crate) fn spawn(
    exec: &Exec,
    mailbox: &Arc<Mailbox>,
    group: Option<&Group>,
) -> Result<Spawned, Refusal> {
    let account = match &exec.user {
        Some(user) => Some(account::find(Path::new("/"), user)?),
        None => None,
    };
    let env = environment(exec, account.as_ref(), login_shell());
    let variable = |name| lookup(&env, name).unwrap_or_default();
    let (ours, [child_stdin, child_stdout, child_stderr]) = connect(exec).map_err(refused)?;

    // A session of its own would be better than a group, but `setsid` between fork and exec would
    // make the standard library use `fork` instead of `posix_spawn`. For the same reason the
    // working directory and the limit are set on the agent itself: under the reaper's lock, so for
    // one command at a time, and the agent uses no relative paths.
    let pid = reaper::spawn(mailbox, || {
        let _limit = LoweredLimit::new();
        let _directory = enter(exec, variable("HOME"))?;
        let name = exec.argv.first().map_or("", String::as_str);
        let program = find_program(&octets(name), &octets(variable("PATH"))).ok_or_else(|| {
            let message = format!("{}: command not found", shortened(name));
            Refusal::new(RefusalReason::NotFound, message)
        })?;
        let mut command = Command::new(program);
        command
            .arg0(octets(name))
            .args(exec.argv[1..].iter().map(|word| octets(word)))
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, octets(value))))
            .stdin(child_stdin)
            .stdout(child_stdout)
            .stderr(child_stderr);
        if exec.terminal.is_none() && account.is_none() {
            return start(&mut command, group).map_err(|error| start_failure(name, &error));
        }
        sys::before_program(
            &mut command,
            exec.terminal.is_some(),
            account.as_ref().map(|account| account.ids.clone()),
        );
        let started = if exec.terminal.is_some() {
            // The leader of a session leads a process group, too.
            start_in(&mut command, group)
        } else {
            start(&mut command, group)
        };
        started.map_err(|error| start_failure(name, &error))
    })?;
    let [stdin, stdout, stderr] = ours;
    Ok(Spawned {
        pid,
        stdin,
        stdout: stdout.expect("every command has one"),
        stderr,
    })
}

/// Returns the agent's ends of a command's standard streams, and the command's.
fn connect(exec: &Exec) -> io::Result<([Option<OwnedFd>; 3], ChildStreams)> {
    if let Some(size) = exec.terminal {
        let (ours, theirs) = terminal::open(size)?;
        let input = ours.try_clone()?;
        let streams = [theirs.try_clone()?, theirs.try_clone()?, theirs];
        return Ok(([Some(input), Some(ours), None], streams.map(Stdio::from)));
    }
    let (stdout, child_stdout) = pipe_from_child()?;
    let (stderr, child_stderr) = pipe_from_child()?;
    let (stdin, child_stdin) = if exec.stdin {
        let (read, write) = pipe_to_child()?;
        (Some(write), Stdio::from(read))
    } else {
        (None, Stdio::from(File::open("/dev/null")?))
    };
    let streams = [child_stdin, child_stdout.into(), child_stderr.into()];
    Ok(([stdin, Some(stdout), Some(stderr)], streams))
}

/// Starts a command's main process, in a process group of its own, and in a control group if there
/// is one.
pub(crate) fn start(command: &mut Command, group: Option<&Group>) -> io::Result<Pid> {
    command.process_group(0);
    start_in(command, group)
}

fn start_in(command: &mut Command, group: Option<&Group>) -> io::Result<Pid> {
    let child = match group {
        Some(group) => group.start(|| command.spawn())??,
        None => command.spawn()?,
    };
    Pid::from_raw(child.id().cast_signed()).ok_or_else(|| io::Error::other("it has no pid"))
}

/// The defaults of a login, overridden by the request.
pub(crate) fn environment<'a>(
    exec: &'a Exec,
    account: Option<&'a Account>,
    login_shell: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let name = account.map_or("root", |account| account.name.as_str());
    let shell = account.map_or("", |account| account.shell.as_str());
    // Without a terminal, programs that check this variable learn so; those that require it find it.
    let terminal = exec.terminal.map_or("dumb", |_| "xterm-256color");
    let mut env = vec![
        ("PATH", DEFAULT_PATH),
        (
            "HOME",
            account.map_or(DEFAULT_HOME, |account| &account.home),
        ),
        ("USER", name),
        ("LOGNAME", name),
        ("SHELL", if shell.is_empty() { login_shell } else { shell }),
        ("TERM", terminal),
        ("LANG", "C.UTF-8"),
    ];
    let asked = exec.env.iter();
    env.extend(asked.map(|(name, value)| (name.as_str(), value.as_str())));
    env
}

/// The value of `SHELL`: the environment's better shell.
pub(crate) fn login_shell() -> &'static str {
    if std::fs::exists("/bin/bash").unwrap_or(false) {
        "/bin/bash"
    } else {
        "/bin/sh"
    }
}

/// Returns the last value of a variable, which takes precedence.
pub(crate) fn lookup<'a>(env: &[(&'a str, &'a str)], name: &str) -> Option<&'a str> {
    let mut backwards = env.iter().rev();
    backwards.find(|entry| entry.0 == name).map(|entry| entry.1)
}

/// The bytes that a text in a message represents.
pub(crate) fn octets(text: &str) -> Cow<'_, OsStr> {
    match pyro_protocol::octets::decode(text) {
        Cow::Borrowed(bytes) => Cow::Borrowed(OsStr::from_bytes(bytes)),
        Cow::Owned(bytes) => Cow::Owned(OsString::from_vec(bytes)),
    }
}

/// Returns the first executable file `name` in `search_path`; a name with a slash is a path
/// already.
fn find_program(name: &OsStr, search_path: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(name));
    }
    if name.is_empty() {
        return None;
    }
    search_path
        .as_bytes()
        .split(|&byte| byte == b':')
        .map(|directory| {
            if directory.is_empty() {
                b"."
            } else {
                directory
            }
        })
        .map(|directory| Path::new(OsStr::from_bytes(directory)).join(name))
        .find(|program| {
            std::fs::metadata(program)
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
}

/// Changes into the command's working directory until the returned guard is dropped. A requested
/// directory must exist. A default one is recreated if it is missing, and replaced by `/` if that
/// fails.
pub(crate) fn enter<'a>(exec: &'a Exec, home: &'a str) -> Result<InDirectory<'a>, Refusal> {
    let Some(directory) = exec.cwd.as_deref() else {
        return Ok(enter_home(home));
    };
    let path = octets(directory);
    let mut entered = rustix::process::chdir(&*path);
    if exec.cwd_optional && entered == Err(Errno::NOENT) {
        entered = rustix::fs::mkdir(&*path, Mode::from_raw_mode(0o755))
            .and_then(|()| rustix::process::chdir(&*path));
    }
    match entered {
        Ok(()) => Ok(InDirectory(directory)),
        Err(_) if exec.cwd_optional => Ok(InDirectory("/")),
        Err(error) => {
            let message = format!("working directory {}: {error}", shortened(directory));
            Err(Refusal::new(RefusalReason::Refused, message))
        }
    }
}

/// Changes into the home directory, or `/` if there is none, until the returned guard is dropped.
pub(crate) fn enter_home(home: &str) -> InDirectory<'_> {
    match rustix::process::chdir(&*octets(home)) {
        Ok(()) => InDirectory(home),
        Err(_) => InDirectory("/"),
    }
}

/// On drop the agent returns to `/`, so that it keeps no directory busy.
pub(crate) struct InDirectory<'a>(pub(crate) &'a str);

impl Drop for InDirectory<'_> {
    fn drop(&mut self) {
        // `/` always exists.
        let _entered = rustix::process::chdir("/");
    }
}

/// While this lives, the agent has the limit on open files that its children inherit.
pub(crate) struct LoweredLimit(Rlimit);

impl LoweredLimit {
    pub(crate) fn new() -> Self {
        let own = rustix::process::getrlimit(Resource::Nofile);
        if own.current.is_none_or(|limit| limit > COMMAND_OPEN_FILES) {
            let current = Some(COMMAND_OPEN_FILES);
            // Lowering one's own soft limit is always permitted.
            let lowered = Rlimit { current, ..own };
            let _lowered = rustix::process::setrlimit(Resource::Nofile, lowered);
        }
        Self(own)
    }
}

impl Drop for LoweredLimit {
    fn drop(&mut self) {
        // Raising it again is permitted too, below the unchanged hard limit.
        let _raised = rustix::process::setrlimit(Resource::Nofile, self.0);
    }
}

/// Returns the agent's end, which does not block, and the child's end, which does.
pub(crate) fn pipe_from_child() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (read, write) = pipe()?;
    rustix::fs::fcntl_setfl(&read, OFlags::NONBLOCK)?;
    Ok((read, write))
}

/// Returns the reader's end, which blocks, and the agent's end, which does not.
pub(crate) fn pipe_to_child() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (read, write) = pipe()?;
    rustix::fs::fcntl_setfl(&write, OFlags::NONBLOCK)?;
    Ok((read, write))
}

/// A pipe that a command can reopen as `/dev/stdout` after it has become another user.
fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    // Both ends are one inode.
    rustix::fs::fchmod(&read, Mode::from_raw_mode(0o666))?;
    Ok((read, write))
}

fn start_failure(name: &str, error: &io::Error) -> Refusal {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => RefusalReason::NotFound,
        _ => RefusalReason::Refused,
    };
    Refusal::new(reason, format!("{}: {error}", shortened(name)))
}

fn refused(error: impl Into<io::Error>) -> Refusal {
    Refusal::new(RefusalReason::Refused, error.into().to_string())
}

/// Cuts a text of the host to a length that is readable in a message.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_variable_counts() {
        let exec = Exec {
            env: ["/a", "/b"]
                .map(|value| ("PATH".to_owned(), value.to_owned()))
                .into(),
            ..Exec::default()
        };
        let env = environment(&exec, None, "/bin/sh");
        assert_eq!(lookup(&env, "PATH"), Some("/b"));
        assert_eq!(lookup(&env, "HOME"), Some("/root"));
        assert_eq!(lookup(&env, "NOTHING"), None);
    }

    #[test]
    fn programs_are_files_that_can_be_executed() {
        let find_program = |name: &str, path: &str| find_program(name.as_ref(), path.as_ref());
        let sh = find_program("sh", "/nowhere:/etc:/usr/bin:/bin");
        assert_eq!(sh, Some(PathBuf::from("/usr/bin/sh")));
        assert_eq!(find_program("passwd", "/etc"), None);
        assert_eq!(find_program("bin", "/usr"), None);
        assert_eq!(find_program("", "/usr/bin"), None);
        assert_eq!(find_program("./x", ""), Some(PathBuf::from("./x")));
    }
}
