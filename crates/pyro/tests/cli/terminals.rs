//! Commands with a terminal: the tests control pyro through a terminal, like a person.

#![expect(unsafe_code, reason = "a process with a terminal of its own")]

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::OpenptFlags;
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill, vmms};
use crate::process::Pyro;

/// A limit, so that the test cannot hang.
const PATIENCE: Duration = Duration::from_secs(120);
const NONE: &[&str] = &[];

/// A run of pyro in a terminal.
pub(crate) struct Session {
    child: Child,
    ours: File,
    /// Kept open, so that the terminal's settings can be checked after the end.
    theirs: OwnedFd,
    before: String,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Session {
    pub(crate) fn start(pyro: Pyro, columns: u16, rows: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = rustix::pty::openpt(flags).unwrap();
        rustix::pty::unlockpt(&ours).unwrap();
        let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, flags).unwrap();
        set_size(&ours, columns, rows);
        let before = settings(&theirs);
        let mut command = pyro.into_command();
        let end = || theirs.try_clone().unwrap();
        command.stdin(end()).stdout(end()).stderr(end());
        let own_session = || {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            Ok(())
        };
        // SAFETY: it makes system calls only.
        unsafe { command.pre_exec(own_session) };
        let child = command.spawn().unwrap();
        let ours = File::from(ours);
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        let (mut from, to) = (ours.try_clone().unwrap(), Arc::clone(&seen));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match from.read(&mut buffer) {
                    Ok(0) | Err(_) => return,
                    Ok(count) => to.lock().unwrap().extend(&buffer[..count]),
                }
            }
        });
        Self {
            child,
            ours,
            theirs,
            before,
            seen,
        }
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.ours.write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// Waits until `text` is shown, and discards everything up to it.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        loop {
            {
                let mut seen = self.seen.lock().unwrap();
                let shown = String::from_utf8_lossy(&seen).into_owned();
                if let Some(place) = shown.find(text) {
                    *seen = shown.as_bytes()[place + text.len()..].to_vec();
                    return;
                }
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no {text:?} in {:?}",
                self.seen()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end; the terminal's settings must be restored.
    #[track_caller]
    pub(crate) fn end(&mut self) -> i32 {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it goes on: {:?}", self.seen());
            thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(settings(&self.theirs), self.before);
        status.code().unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        match self.child.kill() {
            Err(error) if error.kind() != ErrorKind::InvalidInput => panic!("{error}"),
            _ => drop(self.child.wait()),
        }
    }
}

fn set_size(terminal: impl std::os::fd::AsFd, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}

fn settings(terminal: &OwnedFd) -> String {
    let settings: Termios = tcgetattr(terminal.as_fd()).unwrap();
    format!("{settings:?}")
}

#[test]
fn a_shell_in_a_fresh_microvm_is_a_shell() {
    let context = TestContext::with(debian());
    let run = context.pyro(&["run", "-it", debian(), "--", "bash", "--norc"]);
    let mut session = Session::start(run, 91, 33);
    session.wait_for("# ");
    session.say("stty size; tty; echo $TERM\r");
    session.wait_for("33 91\r\n/dev/pts/0\r\nxterm-256color\r\n");

    // Ctrl-C ends the command, but not the shell or pyro.
    session.say("echo begun; sleep 1000\r");
    session.wait_for("begun\r\n");
    session.say("\x03");
    session.wait_for("^C");
    session.say("echo status $?\r");
    session.wait_for("status 130\r\n");

    // Job control works.
    session.say("sleep 1000\r");
    thread::sleep(Duration::from_millis(500));
    session.say("\x1a");
    session.wait_for("Stopped");
    session.say("kill %1; exit 5\r");
    session.say("exit 5\r");
    assert_eq!(session.end(), 5);
}

#[test]
fn a_program_is_told_of_the_terminals_new_size_and_draws_anew() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let top = workspace
        .call(&["exec", "-it"])
        .args(&["--", "top", "-d", "1000"]);
    let mut session = Session::start(top, 100, 30);
    session.wait_for("PID USER");
    thread::sleep(Duration::from_millis(500));
    session.seen.lock().unwrap().clear();
    set_size(&session.ours, 60, 12);
    // It redraws its header long before its next update.
    session.wait_for("PID USER");
    session.say("q");
    assert_eq!(session.end(), 0);

    let script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; printf .; done";
    let shell = workspace
        .call(&["exec", "-it"])
        .args(&["--", "bash", "-c", script]);
    let mut session = Session::start(shell, 100, 30);
    session.wait_for("ready");
    for (columns, rows) in [(61, 13), (200, 50), (1, 1)] {
        set_size(&session.ours, columns, rows);
        session.wait_for(&format!("{rows} {columns}\r\n"));
        // A signal that arrives while bash handles another one of the same kind is lost.
        session.wait_for(".");
    }
    session.say("\x03");
    assert_eq!(session.end(), 130);
}

/// It has a pager.
const WITH_PAGER: &str = "debian:13-agent";

#[test]
fn a_pager_fills_the_terminal_and_draws_anew_when_that_grows() {
    let context = TestContext::with(WITH_PAGER);
    let pages = ["--", "sh", "-c", "seq 1000 1999 | less"];
    let run = context.pyro(&["run", "-it", WITH_PAGER]).args(&pages);
    let mut session = Session::start(run, 40, 10);
    session.wait_for("1008\r\n");
    session.wait_for(":");
    assert!(!session.seen().contains("1009"), "{:?}", session.seen());
    set_size(&session.ours, 40, 20);
    session.wait_for("1000\r\n");
    session.wait_for("1018\r\n");
    // The next page.
    session.say(" ");
    session.wait_for("1037\r\n");
    session.say("q");
    assert_eq!(session.end(), 0);
}

#[test]
fn the_terminal_is_put_back_however_it_ends() {
    let context = TestContext::with(debian());
    let run = || context.pyro(&["run", "-it", debian(), "--", "sh", "-c", "echo ready; cat"]);

    // The guest is killed.
    let mut session = Session::start(run(), 80, 24);
    session.wait_for("ready");
    kill(vmms(&context)[0]);
    assert_eq!(session.end(), 1);
    assert!(session.seen().contains("[error]"), "{:?}", session.seen());

    // pyro gets a signal to end.
    let mut session = Session::start(run(), 80, 24);
    session.wait_for("ready");
    let pid = rustix::process::Pid::from_child(&session.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(session.end(), 143);

    // The end of the input is typed.
    let mut session = Session::start(run(), 80, 24);
    session.wait_for("ready");
    session.say("\x04");
    assert_eq!(session.end(), 0);
    context.assert_nothing_is_left();
}

#[test]
fn a_terminal_needs_none_here() {
    let context = TestContext::with(debian());
    let script = "test -t 0 && test -t 1 && stty size";
    let run = context.debian(&["-t", "--", "sh", "-c", script]);
    run.run().expect(0).out_is("24 80\r\n");
    let json = context.debian(&["-t", "--json", "--", "true"]);
    json.run().expect(2).err_has("cannot be used with");
}

#[test]
fn what_a_command_printed_in_a_terminal_is_in_the_log() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let cat = workspace.call(&["exec", "-it"]).args(&["--", "cat"]);
    let mut session = Session::start(cat, 80, 24);
    session.say("typed\r");
    session.wait_for("typed\r\ntyped\r\n");
    session.say("\x04");
    assert_eq!(session.end(), 0);
    let printed = workspace.logs()[0]["stdout"].as_str().unwrap().to_owned();
    assert!(printed.contains("typed\r\ntyped\r\n"), "{printed:?}");
}
