//! *Flushes* are joined: one is under way at a time, and one more does for all who ask meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

#[derive(Debug, Default)]
pub(super) struct Flushes {
    asked: AtomicU64,
    /// How many of those who asked have what they wanted. Locked by whoever flushes.
    served: Mutex<u64>,
}

impl Flushes {
    /// Returns when a flush is over that began after this was called: `flush`, or another's. It
    /// begins after `pause`, in which others may join it.
    pub(super) async fn join(&self, pause: impl Future<Output = ()>, flush: impl AsyncFnOnce()) {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = self.served.lock().await;
        if *served >= number {
            return;
        }
        pause.await;
        let all = self.asked.load(Ordering::SeqCst);
        flush().await;
        *served = all;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn one_more_does_for_all_who_ask_meanwhile() {
        let flushes = Arc::new(Flushes::default());
        let begun = Arc::new(AtomicU64::new(0));
        let gate = Arc::new(Semaphore::new(0));
        let ask = || {
            let (flushes, begun, gate) = (flushes.clone(), begun.clone(), gate.clone());
            tokio::spawn(async move {
                let before = begun.load(Ordering::SeqCst);
                let flush = async || {
                    begun.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                };
                flushes.join(tokio::task::yield_now(), flush).await;
                let after = begun.load(Ordering::SeqCst);
                assert!(after > before, "it is not an older one");
            })
        };
        let mut asked = Vec::new();
        for _ in 0..10 {
            asked.push(ask());
            // It runs until it waits: there is one thread. The first waits for the others first.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        gate.add_permits(3);
        for one in asked {
            one.await.unwrap();
        }
        assert_eq!(begun.load(Ordering::SeqCst), 2);
        ask().await.unwrap();
        assert_eq!(begun.load(Ordering::SeqCst), 3);
    }
}
