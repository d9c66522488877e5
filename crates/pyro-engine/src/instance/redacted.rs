//! A *redacted* output of a process in the guest: secrets are removed before anything is kept.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::sync::Notify;

use crate::redactor::Redactor;

/// How long a terminal is silent before its user sees what may be the beginning of a secret: what is
/// typed should appear, and a prompt should be whole.
const SILENCE: Duration = Duration::from_millis(200);

/// Where an output is kept.
pub(super) trait Keep {
    /// Waits until there is room for so many bytes, if there can be.
    fn poll_room(&mut self, _wanted: u64, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn keep(&mut self, bytes: &[u8]);
}

/// An output; references to it are written to.
#[derive(Debug)]
pub(super) struct Redacted<K> {
    parts: Mutex<Parts<K>>,
    /// Is told when something is kept back.
    held: Notify,
}

#[derive(Debug)]
struct Parts<K> {
    redactor: Redactor,
    keeper: K,
}

impl<K: Keep> Parts<K> {
    fn keep(&mut self, safe: &[u8]) {
        if !safe.is_empty() {
            self.keeper.keep(safe);
        }
    }
}

impl<K: Keep> Redacted<K> {
    pub(super) fn new(redactor: Redactor, keeper: K) -> Self {
        Self {
            parts: Mutex::new(Parts { redactor, keeper }),
            held: Notify::new(),
        }
    }

    /// Shows what is kept back, if it is only a little, whenever the output is silent. For terminals,
    /// whose users would wait for it.
    pub(super) async fn show_in_silence(&self) -> Infallible {
        loop {
            self.held.notified().await;
            tokio::time::sleep(SILENCE).await;
            let mut parts = self.lock();
            let little = parts.redactor.preview();
            parts.keep(&little);
        }
    }

    /// Keeps what was kept back because it could have been the beginning of a secret: no more comes.
    pub(super) async fn finish(self) -> K {
        let mut parts = self
            .parts
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let rest = parts.redactor.finish();
        let wanted = rest.len() as u64;
        poll_fn(|context| parts.keeper.poll_room(wanted, context)).await;
        parts.keep(&rest);
        parts.keeper
    }

    fn lock(&self) -> MutexGuard<'_, Parts<K>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Keep> AsyncWrite for &Redacted<K> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut parts = self.lock();
        ready!(parts.keeper.poll_room(bytes.len() as u64, context));
        let safe = parts.redactor.pass(bytes);
        parts.keep(&safe);
        if parts.redactor.keeps_back() {
            self.held.notify_one();
        }
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
    use std::sync::Arc;

    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::redactor::Forms;

    impl Keep for Vec<u8> {
        fn keep(&mut self, bytes: &[u8]) {
            self.extend_from_slice(bytes);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_prompt_that_ends_as_a_secret_begins_is_shown_and_the_secret_is_not() {
        let secrets = [("KEY".to_owned(), ": my-long-token".to_owned())];
        let forms = Arc::new(Forms::of(&secrets.into()));
        let output = Redacted::new(Redactor::new(forms), Vec::new());
        let shown = || String::from_utf8(output.lock().keeper.clone()).unwrap();
        let print = async |text: &str| (&output).write_all(text.as_bytes()).await.unwrap();
        let user = async {
            print("Name: ").await;
            assert_eq!(shown(), "Name");
            tokio::time::sleep(2 * SILENCE).await;
            assert_eq!(shown(), "Name: ");
            print("m").await;
            tokio::time::sleep(2 * SILENCE).await;
            // Too much of a secret to be shown, whoever waits.
            assert_eq!(shown(), "Name: ");
            print("y-long-token: me\r\n").await;
            assert_eq!(shown(), "Name: [REDACTED]: me\r\n");
        };
        tokio::select! {
            () = user => {}
            never = output.show_in_silence() => match never {},
        }
        print(":").await;
        assert_eq!(output.finish().await, b"Name: [REDACTED]: me\r\n:");
    }
}
