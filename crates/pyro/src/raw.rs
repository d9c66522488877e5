//! *Raw mode* passes every key of this process's terminal on, and shows what comes back as it is. The
//! terminal is put back however this process ends, unless that is by SIGKILL.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use pyro_engine::{Terminal, TerminalSize};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How the terminal was before it was set to raw mode, while it is.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The size of a terminal that has none, or is none.
const USUAL: TerminalSize = TerminalSize {
    columns: 80,
    rows: 24,
};

/// Puts the terminal back on drop.
#[derive(Debug)]
pub(crate) struct RawMode;

impl RawMode {
    /// Sets the terminal that is standard input to raw mode, if it is one.
    pub(crate) fn enter() -> io::Result<Self> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let before = tcgetattr(&stdin)?;
            let mut raw = before.clone();
            raw.make_raw();
            *lock() = Some(before);
            // What was typed ahead stays.
            tcsetattr(&stdin, OptionalActions::Drain, &raw).inspect_err(|_| restore())?;
        }
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the terminal back, if it is in raw mode.
pub(crate) fn restore() {
    if let Some(before) = lock().take() {
        // There is nothing else to try.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
    }
}

/// Whether a line needs a carriage return for the next one to begin at the left.
pub(crate) fn is_on() -> bool {
    lock().is_some()
}

fn lock() -> std::sync::MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal for a command: as large as this one, whenever that changes. Belongs into a runtime.
pub(crate) fn terminal() -> Terminal {
    let (sender, sizes) = mpsc::unbounded_channel();
    if let Ok(mut changes) = signal(SignalKind::window_change()) {
        tokio::spawn(async move {
            while changes.recv().await.is_some() && sender.send(size()).is_ok() {}
        });
    }
    Terminal {
        size: size(),
        sizes,
    }
}

/// The size of the terminal that is one of the standard streams.
fn size() -> TerminalSize {
    let of = |stream: &dyn AsFd| {
        let size = tcgetwinsize(stream.as_fd()).ok()?;
        (size.ws_col > 0 && size.ws_row > 0).then_some(TerminalSize {
            columns: size.ws_col,
            rows: size.ws_row,
        })
    };
    let streams: [&dyn AsFd; 3] = [&io::stdout(), &io::stdin(), &io::stderr()];
    streams.into_iter().find_map(of).unwrap_or(USUAL)
}
