//! A *time* is when a file was last modified, to the nanosecond.

use std::time::SystemTime;

const NANOSECONDS: u32 = 1_000_000_000;
/// Days from the first of March of the year 0 to 1970.
const TO_1970: i64 = 719_468;

/// Seconds since 1970, and nanoseconds past them: half a second before 1970 is -1 and 500,000,000.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

impl Time {
    pub(crate) const EPOCH: Self = Self {
        seconds: 0,
        nanoseconds: 0,
    };

    pub(crate) fn now() -> Self {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            seconds: now.as_secs().try_into().unwrap_or(i64::MAX),
            nanoseconds: now.subsec_nanos(),
        }
    }

    /// Returns the seconds at which a day begins, of the calendar that is used today.
    pub(crate) fn of_date(year: u16, month: u8, day: u8) -> i64 {
        // Years that begin in March have their additional day at the end.
        let (year, month) = match (i64::from(year), i64::from(month)) {
            (year, month @ 3..) => (year, month - 3),
            (year, month) => (year - 1, month + 9),
        };
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let days_of_months = (153 * month + 2) / 5;
        let days = 365 * year + leap_days + days_of_months + i64::from(day) - 1 - TO_1970;
        days * 86_400
    }

    /// Reads a time as pax has it: seconds as a decimal fraction, of any number of digits.
    pub(crate) fn from_decimal(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let seconds: i64 = whole.parse().ok()?;
        let nanoseconds: u32 = format!("{fraction:0<9.9}").parse().ok()?;
        Some(match (negative, nanoseconds) {
            (false, _) => Self {
                seconds,
                nanoseconds,
            },
            (true, 0) => Self {
                seconds: -seconds,
                nanoseconds: 0,
            },
            (true, _) => Self {
                seconds: -seconds - 1,
                nanoseconds: NANOSECONDS - nanoseconds,
            },
        })
    }

    /// Writes a time as pax has it.
    pub(crate) fn to_decimal(self) -> String {
        let (sign, seconds, nanoseconds) = match (self.seconds < 0, self.nanoseconds) {
            (false, nanoseconds) => ("", self.seconds, nanoseconds),
            (true, 0) => return self.seconds.to_string(),
            (true, nanoseconds) => ("-", -(self.seconds + 1), NANOSECONDS - nanoseconds),
        };
        format!("{sign}{seconds}.{nanoseconds:09}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        for ((year, month, day), days) in [
            ((1970, 1, 1), 0),
            ((1980, 1, 1), 3652),
            ((2000, 2, 29), 11016),
            ((2000, 3, 1), 11017),
            ((2100, 3, 1), 47541),
        ] {
            assert_eq!(
                Time::of_date(year, month, day),
                days * 86_400,
                "{year}-{month}-{day}"
            );
        }
    }

    #[test]
    fn decimals_are_read_and_written() {
        for (text, seconds, nanoseconds, written) in [
            ("0", 0, 0, "0.000000000"),
            ("12.5", 12, 500_000_000, "12.500000000"),
            ("12.0000000019", 12, 1, "12.000000001"),
            ("-1", -1, 0, "-1"),
            ("-1.5", -2, 500_000_000, "-1.500000000"),
            ("-0.25", -1, 750_000_000, "-0.250000000"),
        ] {
            let time = Time::from_decimal(text.as_bytes()).unwrap();
            assert_eq!((time.seconds, time.nanoseconds), (seconds, nanoseconds));
            assert_eq!(time.to_decimal(), written);
        }
        for text in [
            "",
            ".",
            "-",
            "1e3",
            "1.x",
            "9223372036854775808",
            "+1",
            "1.5.5",
        ] {
            assert_eq!(Time::from_decimal(text.as_bytes()), None, "{text}");
        }
    }
}
