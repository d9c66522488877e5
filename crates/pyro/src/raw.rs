//! *Raw mode* of this process's terminal forwards every key, and shows output unchanged. The terminal
//! is restored however this process ends, except by SIGKILL.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use pyro_engine::{Terminal, TerminalSize};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The settings of the terminal before raw mode, while it is in raw mode.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The default size, for terminals without one.
const USUAL: TerminalSize = TerminalSize {
    columns: 80,
    rows: 24,
};

/// Restores the terminal on drop.
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
            // Input that was typed ahead is kept.
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

/// Restores the terminal, if it is in raw mode.
pub(crate) fn restore() {
    if let Some(before) = lock().take() {
        // A failure cannot be handled.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
    }
}

/// Whether lines need a carriage return, because the terminal is in raw mode.
pub(crate) fn is_on() -> bool {
    lock().is_some()
}

fn lock() -> std::sync::MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal for a command, with the current size of this one. Must be called in a runtime.
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
