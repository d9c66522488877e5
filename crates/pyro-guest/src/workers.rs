//! The *workers* are threads for long work. The first one already waits in the template: under
//! software emulation the start of a thread costs a quarter of the time for unpacking a small
//! archive.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Enough for this work; buffers are on the heap.
const STACK_BYTES: usize = 256 * 1024;

/// How long the last jobs may take. One may wait for a lock that a command holds.
const END_LIMIT: Duration = Duration::from_secs(2);

type Job = Box<dyn FnOnce() + Send>;

/// There are as many threads as there were ever concurrent jobs.
pub(crate) struct Workers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Never more than the number of idle threads.
    jobs: VecDeque<Job>,
    idle: usize,
    threads: usize,
    closed: bool,
}

impl Workers {
    /// Starts the first one.
    pub(crate) fn new() -> io::Result<Self> {
        let workers = Self(Arc::default());
        workers.add(&mut workers.0.lock())?;
        Ok(workers)
    }

    /// Runs `job` at once, on a worker.
    ///
    /// # Errors
    /// When it needs another thread, and none can be started.
    pub(crate) fn start(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.idle == state.jobs.len() {
            self.add(&mut state)?;
        }
        state.jobs.push_back(Box::new(job));
        self.0.changed.notify_one();
        Ok(())
    }

    fn add(&self, state: &mut State) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        std::thread::Builder::new()
            .name("worker".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || shared.work())?;
        state.idle += 1;
        state.threads += 1;
        Ok(())
    }
}

impl Drop for Workers {
    /// Waits, for a limited time, until all jobs are done, and lets the threads end.
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        self.0.changed.notify_all();
        let busy = |state: &mut State| state.threads > 0;
        drop(self.0.changed.wait_timeout_while(state, END_LIMIT, busy));
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.idle -= 1;
                drop(state);
                job();
                state = self.lock();
                state.idle += 1;
            } else if state.closed {
                state.threads -= 1;
                self.changed.notify_all();
                return;
            } else {
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// A panic ends the agent and with it the machine, so a poisoned lock protects no broken state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Workers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::mpsc;
    use std::thread::ThreadId;

    use super::*;

    #[test]
    fn jobs_do_not_wait_for_each_other_and_threads_are_used_again() {
        let workers = Workers::new().unwrap();
        let mut threads = BTreeSet::new();
        for round in 0..3 {
            let (go, gone) = (Arc::new(std::sync::Barrier::new(5)), mpsc::channel());
            for _ in 0..4 {
                let (go, gone) = (Arc::clone(&go), gone.0.clone());
                let job = move || {
                    go.wait();
                    gone.send(format!("{:?}", thread_id())).unwrap();
                };
                workers.start(job).unwrap();
            }
            // All four run at the same time.
            go.wait();
            threads.extend(gone.1.iter().take(4));
            while workers.0.lock().idle < 4 {
                std::thread::yield_now();
            }
            assert_eq!(threads.len(), 4, "round {round}");
        }
    }

    fn thread_id() -> ThreadId {
        std::thread::current().id()
    }

    #[test]
    fn the_end_waits_for_every_job() {
        let (done, is_done) = mpsc::channel();
        let workers = Workers::new().unwrap();
        for _ in 0..3 {
            let done = done.clone();
            let job = move || {
                std::thread::sleep(Duration::from_millis(50));
                done.send(()).unwrap();
            };
            workers.start(job).unwrap();
        }
        drop((workers, done));
        assert_eq!(is_done.try_iter().count(), 3);
    }
}
