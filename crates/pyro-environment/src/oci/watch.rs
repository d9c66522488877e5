//! To *watch* blocking work that reads much: whoever waits for it is told how far it is, and it ends
//! when nobody waits any more.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;

use crate::Error;
use crate::kernel::blocking;
use crate::progress::{Listener, Progress};

/// Who waits for the work, and where they are told how far it is.
#[derive(Clone)]
pub(crate) struct Watch {
    waiting: Weak<()>,
    sender: mpsc::UnboundedSender<u64>,
    read: Arc<AtomicU64>,
}

/// Does work on a thread of its own, and tells how much of so many bytes it has read.
pub(crate) async fn watched<T: Send + 'static>(
    phase: &'static str,
    total: Option<u64>,
    progress: Listener<'_>,
    work: impl FnOnce(&Watch) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(());
    let watch = Watch {
        waiting: Arc::downgrade(&waiting),
        sender,
        read: Arc::default(),
    };
    let work = blocking(move || work(&watch));
    tokio::pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => return outcome,
            Some(done) = receiver.recv() => progress(Progress::Bytes { phase, done, total }),
        }
    }
}

impl Watch {
    /// Counts what is read of this.
    pub(crate) fn over<R: Read>(&self, input: R) -> Watched<'_, R> {
        Watched { input, watch: self }
    }
}

/// Something that is being read.
pub(crate) struct Watched<'a, R> {
    input: R,
    watch: &'a Watch,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.watch.waiting.strong_count() == 0 {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        let count = self.input.read(buffer)?;
        let before = self.watch.read.fetch_add(count as u64, Ordering::Relaxed);
        // Whoever waited has gone in this moment.
        let _ = self.watch.sender.send(before + count as u64);
        Ok(count)
    }
}
