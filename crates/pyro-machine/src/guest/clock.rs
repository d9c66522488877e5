//! A guest's *wall clock* is as late as the message took that set it. So the guest answers with how
//! it stands then, and is told the time again as long as it is late. Nobody waits for that: commands
//! start meanwhile, and may see their clock put forward.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How late the clock may be, with the way of the answer in it.
pub(super) const TOLERANCE: Duration = Duration::from_millis(20);
/// How often the time is told again. On a host that is too busy the clock stays late.
const RETRIES: u32 = 4;

/// What is known of a guest's clock.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Answers that are to come.
    awaited: u32,
    retries_left: u32,
}

impl Clock {
    /// Notes that the guest is told the time.
    pub(super) fn told(&mut self) {
        self.awaited += 1;
        self.retries_left = RETRIES;
    }

    /// Takes an answer, which the guest's clock has given `then` and which came here `now`. Returns
    /// whether the guest has to be told the time again; that is noted.
    pub(super) fn answered(&mut self, then: u64, now: u64) -> bool {
        let Some(left) = self.awaited.checked_sub(1) else {
            // Another host has asked, before this machine was handed over or cloned.
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
        // The next reason to tell it begins anew.
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
        // A guest whose clock goes ahead is not set back.
        assert!(!clock.answered(u64::MAX, 0));
    }
}
