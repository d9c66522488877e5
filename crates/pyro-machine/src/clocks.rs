//! The *clocks* of a guest are checked when it has booted; a guest with wrong clocks is not used.
//!
//! The kernel measures the timer of its local APIC against the time-stamp counter, in a loop of a
//! tenth of a second. If the processor is taken away in that time, by a busy host or a limit, the
//! result is off by half or double, or the kernel gives the timer up. It cannot verify the result,
//! and there is no way to pass it the rate. But the host knows the rate.

use pyro_protocol::Clocks;

use crate::Accelerator;

/// QEMU's local APIC counts at 1 GHz (its clock is one nanosecond: `hw/intc/apic.c`), like KVM's
/// (`APIC_BUS_CYCLE_NS`); the kernel makes it divide by 16 (`APIC_DIVISOR`).
const APIC_HERTZ: u64 = 62_500_000;
/// In deadline mode the timer uses the time-stamp counter, which the kernel divides by 8
/// (`TSC_DIVISOR`).
const DEADLINE_DIVISOR: u64 = 8;
/// The tolerated error of a rate, in percent.
const TOLERANCE_PERCENT: u64 = 2;

/// Returns the fault in the clocks of a guest that has just booted, if there is one.
pub(crate) fn fault(clocks: &Clocks, accelerator: Accelerator, tsc_khz: u64) -> Option<String> {
    // `tsc-early` is the same counter, before the kernel has finished setting it up.
    let trusted: &[&str] = match accelerator {
        Accelerator::Kvm => &["kvm-clock", "tsc", "tsc-early"],
        Accelerator::Tcg => &["tsc", "tsc-early"],
    };
    if !trusted.contains(&clocks.source.as_str()) {
        return Some(format!("it tells the time by '{}'", clocks.source));
    }
    if clocks.ticks.is_empty() {
        return Some("it has no timer".into());
    }
    clocks
        .ticks
        .iter()
        .enumerate()
        .find_map(|(processor, tick)| {
            let right = match tick.device.as_str() {
                "lapic" => APIC_HERTZ,
                "lapic-deadline" => tsc_khz * 1000 / DEADLINE_DIVISOR,
                other => return Some(format!("processor {processor} is woken by '{other}'")),
            };
            let off = tick.hertz.abs_diff(right);
            (off.saturating_mul(100) > right * TOLERANCE_PERCENT).then(|| {
            format!(
                "the timer of processor {processor} counts at {} Hz, as the kernel believes; it is \
                 {right} Hz",
                tick.hertz
            )
        })
        })
}

#[cfg(test)]
mod tests {
    use pyro_protocol::Tick;

    use super::*;

    fn clocks(source: &str, ticks: &[(&str, u64)]) -> Clocks {
        Clocks {
            source: source.into(),
            ticks: ticks
                .iter()
                .map(|(device, hertz)| Tick {
                    device: (*device).into(),
                    hertz: *hertz,
                })
                .collect(),
        }
    }

    #[test]
    fn wrong_clocks_are_found() {
        let tsc_khz = 2_400_000;
        let fault = |accelerator, clocks: Clocks| fault(&clocks, accelerator, tsc_khz);
        for (right, accelerator, clocks) in [
            (
                true,
                Accelerator::Tcg,
                clocks("tsc", &[("lapic", 62_500_000)]),
            ),
            (
                true,
                Accelerator::Tcg,
                clocks("tsc", &[("lapic", 61_300_000)]),
            ),
            (
                false,
                Accelerator::Tcg,
                clocks("tsc", &[("lapic", 61_200_000)]),
            ),
            (
                false,
                Accelerator::Tcg,
                clocks("tsc", &[("lapic", 63_800_000)]),
            ),
            (
                false,
                Accelerator::Tcg,
                clocks("tsc", &[("lapic", u64::MAX)]),
            ),
            (false, Accelerator::Tcg, clocks("tsc", &[("<NULL>", 0)])),
            (false, Accelerator::Tcg, clocks("tsc", &[])),
            (
                false,
                Accelerator::Tcg,
                clocks("jiffies", &[("lapic", 62_500_000)]),
            ),
            (
                false,
                Accelerator::Tcg,
                clocks("tsc", &[("lapic", 62_500_000), ("lapic", 31_250_000)]),
            ),
            (
                true,
                Accelerator::Kvm,
                clocks("kvm-clock", &[("lapic-deadline", 300_000_000)]),
            ),
            (
                false,
                Accelerator::Kvm,
                clocks("kvm-clock", &[("lapic-deadline", 150_000_000)]),
            ),
        ] {
            assert_eq!(
                fault(accelerator, clocks.clone()).is_none(),
                right,
                "{clocks:?}"
            );
        }
    }
}
