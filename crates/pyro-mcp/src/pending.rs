//! *Newcomers* are connections on which nobody has shown the token yet. Anybody can make them, so
//! they cannot keep those out who know it: there are so many of them, for so long, and the oldest
//! makes room.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How many there may be.
const LIMIT: usize = 64;
/// How long one may take to show the token.
const PATIENCE: Duration = Duration::from_secs(3);

/// All newcomers of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingConnections(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// The oldest first.
    queue: VecDeque<(u64, CancellationToken)>,
}

/// One of them; forgotten when dropped.
#[derive(Debug)]
pub(crate) struct PendingConnection {
    all: PendingConnections,
    number: u64,
    evicted: CancellationToken,
    known: AtomicBool,
}

impl PendingConnections {
    /// Takes one in; the oldest goes if there are too many.
    pub(crate) fn admit(&self) -> PendingConnection {
        let evicted = CancellationToken::new();
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.queue.push_back((number, evicted.clone()));
        if waiting.queue.len() > LIMIT
            && let Some((_, oldest)) = waiting.queue.pop_front()
        {
            oldest.cancel();
        }
        drop(waiting);
        PendingConnection {
            all: self.clone(),
            number,
            evicted,
            known: AtomicBool::new(false),
        }
    }

    fn forget(&self, number: u64) {
        self.lock().queue.retain(|(known, _)| *known != number);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingConnection {
    /// It has shown the token, and is none any more. Returns whether it was one.
    pub(crate) fn becomes_known(&self) -> bool {
        let was_known = self.known.swap(true, Ordering::Relaxed);
        if !was_known {
            self.all.forget(self.number);
        }
        !was_known
    }

    /// Waits until it has to go; for ever, if it becomes known.
    pub(crate) async fn has_to_go(&self) {
        tokio::select! {
            () = self.evicted.cancelled() => {}
            () = tokio::time::sleep(PATIENCE) => {}
        }
        if self.known.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for PendingConnection {
    fn drop(&mut self) {
        self.all.forget(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_oldest_goes_and_who_is_known_stays() {
        let pending = PendingConnections::default();
        let known = pending.admit();
        assert!(known.becomes_known() && !known.becomes_known());
        let oldest = pending.admit();
        let others: Vec<_> = (0..LIMIT).map(|_| pending.admit()).collect();
        assert!(oldest.evicted.is_cancelled());
        assert!(!others[0].evicted.is_cancelled() && !known.evicted.is_cancelled());
        // Whose time is over, goes; who is known, does not.
        others[0].has_to_go().await;
        let stays = tokio::time::timeout(PATIENCE * 10, known.has_to_go()).await;
        assert!(stays.is_err());
        drop(others);
        assert_eq!(pending.lock().queue.len(), 0);
    }
}
