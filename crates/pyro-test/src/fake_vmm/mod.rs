//! The *fake VMM*: QEMU's arguments, QEMU's control protocol, and the real agent behind the port of
//! a guest's.
//!
//! Its guest is a process tree in namespaces of its own, whose root is a directory beside the private
//! disk, `disk.files`, so that files stay as they would on the disk. `disk.files/ended-in-order` is
//! there if the guest was shut down in order when it ended last.

mod arguments;
mod guest;
mod monitor;
mod port;
mod processes;
mod state;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use crate::SOCKET;
use crate::director::{Action, Question};
use arguments::Arguments;
use monitor::Monitor;
use port::Port;

/// What QEMU says to `--version`. From 10.0 on nothing has to be preloaded into it.
const VERSION: &str = "QEMU emulator version 10.0.2 (fake)";

/// Lives a VMM's life, as the arguments of this process say.
pub fn main() -> ! {
    let words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "--version") {
        println!("{VERSION}");
        std::process::exit(0);
    }
    let arguments = Arguments::parse(&words);
    // Before there are other threads, which a process cannot take along.
    let (guest, port) = guest::start(&arguments);
    let guest = Arc::new(guest);
    let director = Arc::new(Asking::new(&words[0], arguments.disk.clone()));
    let port = Port::new(arguments.agent, port, Arc::clone(&director));
    let monitor = Monitor::new(&arguments, &guest, &port, director);
    port.start();
    if !arguments.incoming {
        port.let_run();
    }
    monitor.start();
    let status = guest.wait();
    port.finish();
    std::process::exit(status);
}

/// Asks the test what to do.
#[derive(Debug)]
struct Asking {
    socket: Option<PathBuf>,
    disk: PathBuf,
}

impl Asking {
    fn new(program: &std::ffi::OsStr, disk: PathBuf) -> Self {
        let socket = PathBuf::from(program).with_file_name(SOCKET);
        Self {
            socket: socket.exists().then_some(socket),
            disk,
        }
    }

    /// Asks what to do at `point`, and waits for the answer. Ends this process if that is it.
    fn ask(&self, point: &str) -> Action {
        let action = self.answer(point).unwrap_or(Action::Go);
        if let Action::Exit(status) = action {
            std::process::exit(status);
        }
        action
    }

    fn answer(&self, point: &str) -> Option<Action> {
        let socket = UnixStream::connect(self.socket.as_ref()?).ok()?;
        let question = Question {
            disk: self.disk.clone(),
            point: point.to_owned(),
        };
        let text = serde_json::to_string(&question).unwrap();
        writeln!(&socket, "{text}").ok()?;
        let mut line = String::new();
        BufReader::new(&socket).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }
}
