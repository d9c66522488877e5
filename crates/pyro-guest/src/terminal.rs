//! A *terminal* is a pair of descriptors: the agent's side is read and written by the host, the
//! other one is the standard input, output and error of a command.

use std::os::fd::{AsFd, OwnedFd};

use pyro_protocol::TerminalSize;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// The character that ends the input of a terminal: Ctrl-D.
pub(crate) const END_OF_INPUT: u8 = 4;

/// Opens a new terminal of this size. Returns the agent's side, which does not block, and the
/// command's.
pub(crate) fn open(size: TerminalSize) -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&ours)?;
    let theirs = rustix::pty::ioctl_tiocgptpeer(&ours, flags)?;
    resize(&ours, size)?;
    let status = rustix::fs::fcntl_getfl(&ours)?;
    rustix::fs::fcntl_setfl(&ours, status | OFlags::NONBLOCK)?;
    Ok((ours, theirs))
}

/// Changes the size of a terminal; what runs in it is told by SIGWINCH.
pub(crate) fn resize(ours: impl AsFd, size: TerminalSize) -> Result<(), Errno> {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(ours, size)
}
