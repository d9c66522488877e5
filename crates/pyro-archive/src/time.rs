//! A *time* is when a file was last modified, to the nanosecond.

use std::time::SystemTime;

const NANOSECONDS: u32 = 1_000_000_000;

/// Seconds since 1970, and nanoseconds past them: half a second before 1970 is -1 and 500,000,000.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

impl Time {
    pub(crate) fn now() -> Self {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            seconds: now.as_secs().try_into().unwrap_or(i64::MAX),
            nanoseconds: now.subsec_nanos(),
        }
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
