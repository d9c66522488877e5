//! QEMU's *versions*: those that are supported, and those that were tested.

/// The program.
pub(crate) const PROGRAM: &str = "qemu-system-x86_64";

/// The oldest version that is supported: Debian 12's.
pub const MINIMUM_VERSION: Version = Version { major: 7, minor: 2 };

/// The versions that the tests were run with; other supported versions are used too.
pub const TRIED_VERSIONS: [Version; 2] = [
    MINIMUM_VERSION,
    Version {
        major: 10,
        minor: 0,
    },
];

/// A version's first two numbers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second.
    pub minor: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// Reads the first two numbers of `text`, such as `7.2.22 (Debian 1:7.2+dfsg-7)`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|character: char| !character.is_ascii_digit());
        let mut next = || numbers.next()?.parse().ok();
        Some(Self {
            major: next()?,
            minor: next()?,
        })
    }
}
