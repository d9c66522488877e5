//! The *id* of a virtual machine: twelve lower-case hexadecimal digits.

use std::fmt::{self, Write};

use rustix::rand::{GetRandomFlags, getrandom};

/// Identifies a virtual machine.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VmId(String);

impl VmId {
    /// Returns a random id.
    pub fn random() -> Self {
        Self(random_hex(6))
    }

    /// Returns `text` as an id if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 12 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VmId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns `bytes` random bytes from the host's kernel, in hexadecimal.
///
/// # Panics
/// When the kernel has no `getrandom`, which every Linux since 3.17 has.
pub fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom(&mut buffer[..], GetRandomFlags::empty())
        .expect("random bytes are there because getrandom only ever waits for its first seed");
    buffer
        .iter()
        .fold(String::with_capacity(2 * bytes), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes whatever is written");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_twelve_hexadecimal_digits_and_differ() {
        let (one, other) = (VmId::random(), VmId::random());
        assert_eq!(VmId::parse(one.as_str()), Some(one.clone()));
        assert_ne!(one, other);
        for text in ["", "abc", "0123456789aB", "0123456789abc", "../456789abc"] {
            assert_eq!(VmId::parse(text), None, "{text}");
        }
    }
}
