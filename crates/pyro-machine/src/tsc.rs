//! The rate of the host's time-stamp counter. Under software emulation the guest's counter is
//! the host's, and the microvm machine has no other clock to calibrate it by: a kernel that is
//! not told the rate may hang at boot.

#![expect(unsafe_code, reason = "the counter is read by a processor instruction")]

use std::time::{Duration, Instant};

/// How long to count. Reading both clocks takes well under 1 µs, so the rate is right within a
/// few parts per million: less than the guest's clock drifts by otherwise.
const INTERVAL: Duration = Duration::from_millis(100);

/// Measures the rate, in kHz. Takes a tenth of a second; keep the answer.
pub(crate) fn measure_khz() -> u64 {
    let (start, start_count) = (Instant::now(), counter());
    std::thread::sleep(INTERVAL);
    let (end_count, elapsed) = (counter(), start.elapsed());
    let khz = u128::from(end_count - start_count) * 1_000_000 / elapsed.as_nanos();
    u64::try_from(khz).expect("a counter rate fits because counters tick at a few GHz")
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
