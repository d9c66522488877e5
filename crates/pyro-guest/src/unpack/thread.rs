//! An unpacking's *thread* takes the archive through a pipe, as a command takes its input. A
//! process would cost a program's start: under software emulation that is half of what a small
//! archive takes.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use pyro_protocol::GuestMessage;

use super::{Totals, run};
use crate::command::Input;
use crate::error::Error;
use crate::spawn;
use crate::workers::Workers;

/// The most that is told of an error. It may quote a path.
const MAX_MESSAGE_CHARACTERS: usize = 5000;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Order {
    /// The root of the file system that commands see.
    pub(crate) root: PathBuf,
    /// An absolute path below it.
    pub(crate) destination: String,
}

/// Begins to unpack what is put into the returned input. How it ended is told to `done`, as soon
/// as that is known.
pub(crate) fn start(
    workers: &Workers,
    order: Order,
    done: impl FnOnce(GuestMessage) + Send + 'static,
) -> io::Result<Input> {
    let (archive, input) = spawn::pipe_to_child()?;
    workers.start(move || {
        let archive = File::from(archive);
        match run(&order.root, &order.destination, archive, &mut |_| {}) {
            Ok(unpacked) => {
                let Totals { entries, bytes } = unpacked.totals;
                done(GuestMessage::Unpacked { entries, bytes });
                unpacked.clean_up();
            }
            Err(error) => done(refusal(&error)),
        }
    })?;
    Ok(Input::new(Some(input)))
}

fn refusal(error: &Error) -> GuestMessage {
    let message = error.to_string();
    GuestMessage::NotUnpacked {
        message: message.chars().take(MAX_MESSAGE_CHARACTERS).collect(),
    }
}
