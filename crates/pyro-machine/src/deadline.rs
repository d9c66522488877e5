//! A *deadline* for work that another process does. On a busy host that process may wait for a
//! processor most of the time, and a guest that is slow only for this reason must not be treated as
//! one that hangs. So the time in which the process waits for a processor does not count.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The deadline passes in any case after this many times the limit.
const HARD_FACTOR: u32 = 10;
/// The shortest interval between two checks, even if the limit is nearly reached.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The limit has passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Passed;

/// The time by which the work of a process must be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    process: Option<u32>,
    limit: Duration,
    begun: Instant,
    /// How long the process had waited for a processor at the beginning.
    waited_before: Duration,
}

impl Deadline {
    /// Gives the process with this id `limit` of time in which it does not wait for a processor;
    /// without an id, `limit` of time.
    pub(crate) fn new(process: Option<u32>, limit: Duration) -> Self {
        Self {
            process,
            limit,
            begun: Instant::now(),
            waited_before: waited(process),
        }
    }

    /// Waits for `work`, until the limit has passed.
    pub(crate) async fn bound<T>(self, work: impl Future<Output = T>) -> Result<T, Passed> {
        tokio::select! {
            // Finished work counts, even if it is late.
            biased;
            done = work => Ok(done),
            () = self.passed() => Err(Passed),
        }
    }

    /// Waits until the limit has passed.
    pub(crate) async fn passed(self) {
        loop {
            let waited = waited(self.process).saturating_sub(self.waited_before);
            let left = left(self.limit, self.begun.elapsed(), waited);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.max(LOOK_AGAIN)).await;
        }
    }
}

/// Returns how much of `limit` is left after `elapsed`, of which the process has `waited` for a
/// processor.
fn left(limit: Duration, elapsed: Duration, waited: Duration) -> Duration {
    let counted = elapsed.saturating_sub(waited);
    let hard_limit = limit.saturating_mul(HARD_FACTOR);
    let until_hard_limit = hard_limit.saturating_sub(elapsed);
    limit.saturating_sub(counted).min(until_hard_limit)
}

/// Returns how long a process has waited for a processor since it began: the longest wait of its
/// threads. Zero if the kernel does not report it.
fn waited(process: Option<u32>) -> Duration {
    let Some(process) = process else {
        return Duration::ZERO;
    };
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let waited = threads.filter_map(|thread| waited_in(&thread.path().join("schedstat")));
    waited.max().unwrap_or_default()
}

/// The second number of `schedstat`: nanoseconds on a run queue (Documentation/scheduler/sched-stats
/// of Linux).
fn waited_in(schedstat: &Path) -> Option<Duration> {
    let text = fs::read_to_string(schedstat).ok()?;
    let nanoseconds = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn waiting_for_a_processor_does_not_count_but_ends_too() {
        let limit = seconds(60);
        assert_eq!(left(limit, seconds(20), seconds(0)), seconds(40));
        assert_eq!(left(limit, seconds(60), seconds(0)), seconds(0));
        assert_eq!(left(limit, seconds(100), seconds(70)), seconds(30));
        assert_eq!(left(limit, seconds(590), seconds(580)), seconds(10));
        assert_eq!(left(limit, seconds(600), seconds(600)), seconds(0));
        assert_eq!(left(limit, seconds(10), seconds(11)), limit);
        assert!(left(Duration::MAX, seconds(1), seconds(0)) > seconds(1));
    }

    #[test]
    fn the_kernel_says_how_long_a_process_waited() {
        let own = std::process::id();
        let schedstat = format!("/proc/{own}/task/{own}/schedstat");
        let of_main_thread = waited_in(Path::new(&schedstat)).unwrap();
        assert!(waited(Some(own)) >= of_main_thread);
        assert_eq!(waited(None), Duration::ZERO);
        assert_eq!(
            waited(Some(u32::MAX)),
            Duration::ZERO,
            "a process that is gone"
        );
    }

    /// A process that computes on the first of the processors that this one may use.
    struct Computing(std::process::Child);

    impl Computing {
        fn start(nice: &str) -> Self {
            let processors = rustix::thread::sched_getaffinity(None).unwrap();
            let first = (0..1024).find(|number| processors.is_set(*number)).unwrap();
            let compute = "while :; do :; done";
            let mut command = std::process::Command::new("taskset");
            command.args([
                "-c",
                &first.to_string(),
                "nice",
                "-n",
                nice,
                "sh",
                "-c",
                compute,
            ]);
            Self(command.spawn().expect("taskset is in util-linux"))
        }
    }

    impl Drop for Computing {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[tokio::test]
    async fn a_process_that_gets_no_processor_has_the_time_it_needs() {
        let slow = Computing::start("19");
        let _busy = Computing::start("0");
        let limit = Duration::from_millis(1500);
        let work = tokio::time::sleep(2 * limit);
        assert_eq!(
            Deadline::new(Some(slow.0.id()), limit).bound(work).await,
            Ok(())
        );
    }

    #[tokio::test]
    async fn a_process_that_does_nothing_has_no_more_than_its_limit() {
        let idle = std::process::Command::new("sleep").arg("1000").spawn();
        let idle = Computing(idle.unwrap());
        let limit = Duration::from_millis(100);
        let never = std::future::pending::<()>();
        assert_eq!(
            Deadline::new(Some(idle.0.id()), limit).bound(never).await,
            Err(Passed)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_in_time_is_returned_and_what_is_not_is_given_up() {
        // `Instant` does not follow tokio's paused clock, so only a limit of zero passes.
        let patient = Deadline::new(None, seconds(60));
        assert_eq!(patient.bound(async { 1 }).await, Ok(1));
        let impatient = Deadline::new(None, Duration::ZERO);
        let never = std::future::pending::<()>();
        assert_eq!(impatient.bound(never).await, Err(Passed));
    }
}
