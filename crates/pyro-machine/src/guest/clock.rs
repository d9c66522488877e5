//! A guest's *wall clock* lags by the time that the message took which set it. So the guest answers
//! with its clock's reading, and is sent the time again while it lags. Nothing waits for that:
//! commands start meanwhile, and may see their clock step forward.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far the clock may lag, including the time that the answer takes.
pub(super) const TOLERANCE: Duration = Duration::from_millis(20);
/// How often the time is sent again. On a host that is too busy the clock keeps lagging.
const RETRIES: u32 = 4;

/// The state of setting a guest's clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The number of answers that are outstanding.
    awaited: u32,
    retries_left: u32,
}

impl Clock {
    /// Notes that the time was sent to the guest.
    pub(super) fn told(&mut self) {
        self.awaited += 1;
        self.retries_left = RETRIES;
    }

    /// Handles an answer: the guest's clock read `then`, and the answer arrived at `now`. Returns
    /// whether the time must be sent again; that is noted.
    pub(super) fn answered(&mut self, then: u64, now: u64) -> bool {
        let Some(left) = self.awaited.checked_sub(1) else {
            // Another process asked, before this machine was handed over or cloned.
            return false;
        };
        self.awaited = left;
        let late = Duration::from_nanos(now.saturating_sub(then));
        if left > 0 || late < TOLERANCE {
            return false;
        }
        tracing::debug!(?late, retries_left = self.retries_left, "the clock is late");
        let Some(retries_left) = self.retries_left.checked_sub(1) else {
            return false;
        };
        self.retries_left = retries_left;
        self.awaited = 1;
        true
    }
}

/// Returns the host's wall clock, in nanoseconds since the Unix epoch.
pub(super) fn unix_time_ns() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn the_time_is_told_until_it_is_right_or_no_use() {
        let mut clock = Clock::default();
        clock.told();
        assert!(clock.answered(1000 * MS, 1500 * MS));
        assert!(clock.answered(2000 * MS, 2020 * MS));
        assert!(!clock.answered(3000 * MS, 3019 * MS));
        // The next request starts with all retries again.
        clock.told();
        let again = (0..100).take_while(|_| clock.answered(0, u64::MAX)).count();
        assert_eq!(again, RETRIES as usize);
        clock.told();
        assert!(clock.answered(0, u64::MAX));
    }

    #[test]
    fn answers_that_are_not_the_last_count_for_nothing() {
        let mut clock = Clock::default();
        assert!(!clock.answered(0, u64::MAX), "nobody has asked");
        clock.told();
        clock.told();
        assert!(!clock.answered(0, u64::MAX), "it was told since");
        assert!(clock.answered(0, u64::MAX));
        // A guest's clock that is ahead is not set back.
        assert!(!clock.answered(u64::MAX, 0));
    }
}
