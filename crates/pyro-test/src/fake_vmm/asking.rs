//! The fake VMM's questions to the test.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::SOCKET;
use crate::director::{Action, Question};

/// Asks the test for actions.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) socket: Option<PathBuf>,
    disk: PathBuf,
}

impl Asking {
    pub(super) fn new(program: &std::ffi::OsStr, disk: PathBuf) -> Self {
        let socket = PathBuf::from(program).with_file_name(SOCKET);
        Self {
            socket: socket.exists().then_some(socket),
            disk,
        }
    }

    /// Asks for the action at `point`, and waits for the answer. Exits if that is the action.
    pub(super) fn ask(&self, point: &str) -> Action {
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
