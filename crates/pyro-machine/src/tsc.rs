//! The rate of the host's time-stamp counter. Under software emulation the guest's counter is the
//! host's, and the microvm machine has no other clock for calibration: a kernel that does not get
//! the rate may hang at boot.

#![expect(unsafe_code, reason = "the counter is read by a processor instruction")]

use std::time::{Duration, Instant};

/// How long to count. Reading both clocks takes well under 1 µs, so the rate is right within a few
/// parts per million: less than the ordinary drift of the guest's clock.
const INTERVAL: Duration = Duration::from_millis(100);

/// Two readings of the counter within this time count as simultaneous.
const MOMENT: Duration = Duration::from_micros(5);
/// How often to try before the best pair of readings is used.
const LOOKS: usize = 1000;

/// Measures the rate, in kHz. Takes a tenth of a second, so callers keep the result.
pub(crate) fn measure_khz() -> u64 {
    let (start, start_count) = both_clocks();
    std::thread::sleep(INTERVAL);
    let (end, end_count) = both_clocks();
    let elapsed = end.duration_since(start);
    let khz = u128::from(end_count - start_count) * 1_000_000 / elapsed.as_nanos();
    u64::try_from(khz).expect("a counter rate fits because counters tick at a few GHz")
}

/// Reads both clocks at the same time: on a busy host the processor may be taken away in between.
fn both_clocks() -> (Instant, u64) {
    let mut best: Option<(Duration, Instant, u64)> = None;
    for _ in 0..LOOKS {
        let before = Instant::now();
        let count = counter();
        let took = before.elapsed();
        if best.is_none_or(|(least, ..)| took < least) {
            best = Some((took, before + took / 2, count));
        }
        if took < MOMENT {
            break;
        }
    }
    let (_, now, count) = best.expect("it was looked at least once");
    (now, count)
}

fn counter() -> u64 {
    // SAFETY: every x86-64 processor has RDTSC; it touches no memory.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_rate_is_plausible() {
        let khz = super::measure_khz();
        assert!((500_000..10_000_000).contains(&khz), "{khz}");
    }
}
