//! The *log* of a running command: what it prints goes into its files as it comes, and whoever
//! follows it is told.

use std::fs::File;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::sync::watch;

/// The most that is kept of one output of one command. What comes after it is counted and
/// dropped: a guest decides how much it prints, we decide how much of the host's disk that takes.
const LIMIT_BYTES: u64 = 1024 * 1024 * 1024;

/// One output of a running command.
#[derive(Debug)]
pub(super) struct LogWriter<'a> {
    file: &'a File,
    grown: &'a watch::Sender<()>,
    room: u64,
    dropped: u64,
}

impl<'a> LogWriter<'a> {
    pub(super) fn new(file: &'a File, grown: &'a watch::Sender<()>) -> Self {
        Self {
            file,
            grown,
            room: LIMIT_BYTES,
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
