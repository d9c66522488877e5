//! The *log* of a running command: what it prints goes into its files as it comes, and whoever
//! follows it is told.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::sync::watch;

/// The most that is kept of one output of one command. What comes after it is counted and
/// dropped: a guest decides how much it prints, we decide how much of the host's disk that takes.
const LIMIT_BYTES: u64 = 1024 * 1024 * 1024;

/// The most that is kept of all commands of one VM. Those that begin afterwards are run, and what
/// they print is counted and dropped.
const TOTAL_LIMIT_BYTES: u64 = 4 * LIMIT_BYTES;

/// What one more output may take in a history.
pub(super) fn room_for_logs(history: &Path) -> u64 {
    let taken = pyro_machine::allocated_bytes(history);
    TOTAL_LIMIT_BYTES.saturating_sub(taken).min(LIMIT_BYTES)
}

/// One output of a running command.
#[derive(Debug)]
pub(super) struct LogWriter<'a> {
    file: &'a File,
    grown: &'a watch::Sender<()>,
    room: u64,
    dropped: u64,
}

impl<'a> LogWriter<'a> {
    /// Keeps at most `room` bytes.
    pub(super) fn new(file: &'a File, grown: &'a watch::Sender<()>, room: u64) -> Self {
        Self {
            file,
            grown,
            room,
            dropped: 0,
        }
    }

    /// How many bytes were too many.
    pub(super) fn dropped_bytes(&self) -> u64 {
        self.dropped
    }

    fn keep(&mut self, bytes: &[u8]) {
        let kept = usize::try_from(self.room).map_or(bytes.len(), |room| room.min(bytes.len()));
        // A full disk must not end the command.
        let written = match self.file.write_all(&bytes[..kept]) {
            Ok(()) => kept,
            Err(error) => {
                tracing::warn!(%error, "output is not logged any more");
                self.room = 0;
                0
            }
        };
        self.room = self.room.saturating_sub(written as u64);
        self.dropped += (bytes.len() - written) as u64;
        self.grown.send_replace(());
    }
}

impl AsyncWrite for LogWriter<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_dropped() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(room_for_logs(directory.path()), LIMIT_BYTES);
        let file = File::create(directory.path().join("stdout")).unwrap();
        let (grown, _) = watch::channel(());
        let mut log = LogWriter::new(&file, &grown, 5);
        log.keep(b"abc");
        log.keep(b"defg");
        log.keep(b"h");
        assert_eq!(log.dropped_bytes(), 3);
        let kept = std::fs::read(directory.path().join("stdout")).unwrap();
        assert_eq!(kept, b"abcde");
    }
}
