//! The *clocks* that the kernel has chosen and measured during boot. It uses these measurements for
//! as long as the machine lives, and so does every clone of it.

use std::fs;

use pyro_protocol::{Clocks, Tick};

/// The name of the kernel's clock source.
const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
/// The timer of each processor, and its rate.
const TICKS: &str = "/proc/timer_list";

/// Reads the clocks. Takes milliseconds under software emulation: once in a machine's life.
pub(crate) fn read() -> Clocks {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    Clocks {
        source: text(SOURCE).trim().to_owned(),
        ticks: ticks(&text(TICKS)),
    }
}

/// Parses the devices of all processors: `Per CPU device: N`, and below that `Clock Event Device:
/// NAME`, `mult: M`, `shift: S`. The device counts M / 2^S times in a nanosecond.
fn ticks(text: &str) -> Vec<Tick> {
    let mut ticks = Vec::new();
    for block in text.split("Per CPU device:").skip(1) {
        let field = |name: &str| {
            let value = block
                .lines()
                .find_map(|line| line.trim().strip_prefix(name));
            value.map(|value| value.trim_start_matches(':').trim())
        };
        let number = |name: &str| field(name)?.parse::<u64>().ok();
        let (multiplier, shift) = (number("mult").unwrap_or(0), number("shift").unwrap_or(0));
        let counts = u128::from(multiplier) * 1_000_000_000;
        let hertz = u32::try_from(shift).map_or(0, |shift| counts.checked_shr(shift).unwrap_or(0));
        ticks.push(Tick {
            device: field("Clock Event Device").unwrap_or_default().to_owned(),
            hertz: u64::try_from(hertz).unwrap_or(u64::MAX),
        });
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_with_their_rates() {
        let text = "\
Tick Device: mode:     1
Broadcast device
Clock Event Device: <NULL>

Tick Device: mode:     1
Per CPU device: 0
Clock Event Device: lapic
 max_delta_ns:   34360087051
 mult:           268435456
 shift:          32
 mode:           3

Tick Device: mode:     0
Per CPU device: 1
Clock Event Device: <NULL>
";
        let tick = |device: &str, hertz| Tick {
            device: device.to_owned(),
            hertz,
        };
        assert_eq!(ticks(text), [tick("lapic", 62_500_000), tick("<NULL>", 0)]);
        assert_eq!(ticks(""), []);
        let odd = "Per CPU device: 0\nmult: 18446744073709551615\nshift: 900";
        assert_eq!(ticks(odd), [tick("", 0)]);
    }

    #[test]
    fn this_machine_has_clocks() {
        // Only root can read `/proc/timer_list`.
        assert_ne!(read().source, "");
    }
}
