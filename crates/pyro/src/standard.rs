//! The *standard streams* of this process. They are inherited, and may be set to `O_NONBLOCK`.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use pyro_engine::descriptor::{self, DescriptorReader, DescriptorWriter};

use crate::raw;
use crate::styles::ERROR;

/// Exit status of a program that lost the reader of its output: 128 + SIGPIPE.
pub(crate) const READER_GONE: u8 = 128 + 13;

/// Returns standard input for a command, unless it is not readable, or is a terminal and terminals
/// are not wanted.
pub(crate) fn input(terminals: bool) -> Option<DescriptorReader> {
    let stdin = io::stdin();
    if (stdin.is_terminal() && !terminals) || !descriptor::is_readable(&stdin) {
        return None;
    }
    duplicate(stdin).ok().map(DescriptorReader::from)
}

/// Standard output and error for a command.
pub(crate) fn outputs() -> io::Result<[DescriptorWriter; 2]> {
    Ok([
        duplicate(io::stdout())?.into(),
        duplicate(io::stderr())?.into(),
    ])
}

fn duplicate(stream: impl AsFd) -> io::Result<std::os::fd::OwnedFd> {
    stream.as_fd().try_clone_to_owned()
}

/// Writes a result to standard output.
pub(crate) fn print(text: &[u8]) -> io::Result<()> {
    descriptor::write_all(io::stdout(), text)
}

/// Returns `status`, unless the result could not be printed.
pub(crate) fn status(printed: io::Result<()>, status: u8) -> u8 {
    match printed {
        Ok(()) => status,
        // The reader of our output is gone and does not want the rest.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => READER_GONE,
        Err(error) => {
            to_stderr(&format!(
                "{ERROR}[error]{ERROR:#} cannot write to standard output: {error}\n  \
                 code: output_failed (what was asked for was done; only its result is lost)\n"
            ));
            1
        }
    }
}

/// Writes to standard error, with colours if enabled. Write errors are ignored: they cannot be
/// reported, and are no reason to fail.
pub(crate) fn to_stderr(text: &str) {
    let choice = anstream::AutoStream::choice(&io::stderr());
    let mut styled = anstream::AutoStream::new(Vec::new(), choice);
    if raw::is_on() {
        let _ = write!(styled, "{}", text.replace('\n', "\r\n"));
    } else {
        let _ = write!(styled, "{text}");
    }
    let _ = descriptor::write_all(io::stderr(), &styled.into_inner());
}

/// Standard error as a writer.
pub(crate) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        descriptor::write_all(io::stderr(), bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
