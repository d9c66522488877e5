//! *Flushes* are combined: one runs at a time, and the next one serves all callers that arrive in
//! the meantime.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

#[derive(Debug, Default)]
pub(super) struct Flushes {
    asked: AtomicU64,
    /// How many callers were served. The flushing caller holds the lock.
    served: Mutex<u64>,
}

impl Flushes {
    /// Returns after a flush that began after this call: `flush`, or another caller's. It begins
    /// after `pause`, during which others may join it.
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
            // There is one thread, so the task runs until it waits. The first waits for others.
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
