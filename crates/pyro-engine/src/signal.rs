//! *Signals* that a request names.

use crate::Error;

/// The signals that have a name, by Linux's numbers on x86-64 (signal(7)).
const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// A signal for a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Signal(i32);

impl Signal {
    /// Parses a name, with or without `SIG`, in any case, or a number.
    pub(crate) fn parse(property: &str, text: &str) -> Result<Self, Error> {
        let name = text.to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        let named = NAMES.iter().find(|(known, _)| *known == name);
        let number = named.map(|(_, number)| *number).or_else(|| {
            let number = name.parse().ok()?;
            ((1..=31).contains(&number) || (34..=64).contains(&number)).then_some(number)
        });
        number.map(Self).ok_or_else(|| {
            Error::invalid(format!(
                "{property} must be the name or the number of a signal, such as TERM or 15, not '{}'",
                pyro_text::line(text)
            ))
        })
    }

    pub(crate) fn number(self) -> i32 {
        self.0
    }

    /// Its name without `SIG`; the number if it has none.
    pub(crate) fn name(self) -> String {
        let named = NAMES.iter().find(|(_, number)| *number == self.0);
        named.map_or_else(|| self.0.to_string(), |(name, _)| (*name).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        let parse = |text| Signal::parse("signal", text).map(|signal| (signal.0, signal.name()));
        for text in ["TERM", "SIGTERM", "sigterm", "15"] {
            assert_eq!(parse(text), Ok((15, "TERM".into())), "{text}");
        }
        assert_eq!(parse("34"), Ok((34, "34".into())));
        for text in ["", "0", "32", "33", "65", "-9", "NOPE", "SIG"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
