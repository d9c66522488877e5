//! *Pending connections* have not shown the token yet. Anyone can open them, so they must not
//! exclude clients that know the token: their number and duration are limited, and the oldest is
//! closed to make room.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The limit on their number.
const LIMIT: usize = 64;
/// How long a client may take to show the token.
const PATIENCE: Duration = Duration::from_secs(3);

/// All pending connections of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingConnections(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// The oldest first.
    queue: VecDeque<(u64, CancellationToken)>,
}

/// A pending connection; removed on drop.
#[derive(Debug)]
pub(crate) struct PendingConnection {
    all: PendingConnections,
    number: u64,
    evicted: CancellationToken,
    known: AtomicBool,
}

impl PendingConnections {
    /// Admits a connection; closes the oldest if there are too many.
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
    /// Removes the connection, because it has shown the token. Returns whether it was pending.
    pub(crate) fn becomes_known(&self) -> bool {
        let was_known = self.known.swap(true, Ordering::Relaxed);
        if !was_known {
            self.all.forget(self.number);
        }
        !was_known
    }

    /// Waits until the connection must be closed; for ever, if it has shown the token.
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
        // The connection over its time must close; the one with the token need not.
        others[0].has_to_go().await;
        let stays = tokio::time::timeout(PATIENCE * 10, known.has_to_go()).await;
        assert!(stays.is_err());
        drop(others);
        assert_eq!(pending.lock().queue.len(), 0);
    }
}
