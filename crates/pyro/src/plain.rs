//! A *plain* writer escapes control sequences in its input.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// A writer that escapes control sequences, if enabled.
pub(crate) struct Plain<W> {
    inner: W,
    escapes: bool,
    /// Escaped output that is not written yet.
    pending: Vec<u8>,
    /// An incomplete character at the end of the input so far.
    begun: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> Plain<W> {
    pub(crate) fn new(inner: W, escapes: bool) -> Self {
        Self {
            inner,
            escapes,
            pending: Vec::new(),
            begun: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let rest = match std::str::from_utf8(&all) {
            // The next write may complete the character.
            Err(error) if error.error_len().is_none() => all.split_off(error.valid_up_to()),
            _ => Vec::new(),
        };
        let text = String::from_utf8_lossy(&all);
        self.pending.extend(pyro_text::escaped(&text).as_bytes());
        self.begun = rest;
    }

    fn poll_pending(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = Pin::new(&mut self.inner).poll_write(context, &self.pending);
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => drop(self.pending.drain(..length)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Plain<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.escapes {
            return Pin::new(&mut self.inner).poll_write(context, bytes);
        }
        ready!(self.poll_pending(context))?;
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(context))?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(context))?;
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn written(escapes: bool, parts: &[&[u8]]) -> Vec<u8> {
        let mut plain = Plain::new(Vec::new(), escapes);
        for part in parts {
            plain.write_all(part).await.unwrap();
        }
        plain.flush().await.unwrap();
        plain.inner
    }

    #[tokio::test]
    async fn what_a_terminal_obeys_is_escaped_and_nothing_else_is_changed() {
        // A character that is split between two writes, and a split control character of two bytes
        // (C1).
        let parts: &[&[u8]] = &[b"a\x1b[2J\n", b"\xc3", b"\xa4\xc2", b"\x9b", b"z"];
        assert_eq!(
            written(true, parts).await,
            "a\\u{1b}[2J\n\u{e4}\\u{9b}z".as_bytes()
        );
        assert_eq!(written(false, parts).await, parts.concat());
    }
}
