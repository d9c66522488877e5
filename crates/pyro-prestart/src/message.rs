//! The *message* tells a waiting shell what it is to be.

use core::ffi::CStr;

/// The longest message; it fits into a pipe that nobody reads.
pub const MAX_MESSAGE_BYTES: usize = 60 * 1024;

/// The most variables.
pub(crate) const MAX_VARIABLES: usize = 1024;

/// The length of the whole message, and whether there is a standard input: each a `u32` in the
/// machine's own order.
pub(crate) const HEADER_BYTES: usize = 8;

/// What a shell would have been started with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// Whether it has a standard input of its own; otherwise that is `/dev/null`.
    pub stdin: bool,
    /// The working directory; the shell's own if it is empty.
    pub directory: &'a CStr,
    /// Program, option and line: three strings, each with its zero.
    pub arguments: &'a [u8],
    /// The variables as `NAME=VALUE`, each with its zero.
    pub environment: &'a [u8],
}

impl<'a> Message<'a> {
    /// Returns what is sent to the shell, unless it is too much for that.
    #[cfg(not(pyro_prestart_library))]
    pub fn encode(&self) -> Option<Vec<u8>> {
        let parts = [
            self.directory.to_bytes_with_nul(),
            self.arguments,
            self.environment,
        ];
        let length = HEADER_BYTES + parts.iter().map(|part| part.len()).sum::<usize>();
        if length > MAX_MESSAGE_BYTES || strings(self.environment).count() > MAX_VARIABLES {
            return None;
        }
        let mut bytes = Vec::with_capacity(length);
        bytes.extend(u32::try_from(length).ok()?.to_ne_bytes());
        bytes.extend(u32::from(self.stdin).to_ne_bytes());
        bytes.extend(parts.iter().copied().flatten());
        Some(bytes)
    }

    /// Reads what was sent.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (stdin, rest) = rest.split_first_chunk()?;
        if u32::from_ne_bytes(*length) as usize != bytes.len() {
            return None;
        }
        let (directory, rest) = split_string(rest)?;
        let mut environment = rest;
        for _ in 0..3 {
            (_, environment) = split_string(environment)?;
        }
        let arguments = rest.get(..rest.len() - environment.len())?;
        if environment.last().is_some_and(|&last| last != 0)
            || strings(environment).count() > MAX_VARIABLES
        {
            return None;
        }
        Some(Self {
            stdin: u32::from_ne_bytes(*stdin) != 0,
            directory,
            arguments,
            environment,
        })
    }
}

/// Returns the strings that follow each other, each with its zero.
pub(crate) fn strings(mut bytes: &[u8]) -> impl Iterator<Item = &CStr> {
    core::iter::from_fn(move || {
        let (first, rest) = split_string(bytes)?;
        bytes = rest;
        Some(first)
    })
}

fn split_string(bytes: &[u8]) -> Option<(&CStr, &[u8])> {
    let first = CStr::from_bytes_until_nul(bytes).ok()?;
    Some((first, bytes.get(first.to_bytes_with_nul().len()..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(1u8..=255, 0..40)
    }

    fn joined(texts: &[Vec<u8>]) -> Vec<u8> {
        texts
            .iter()
            .flat_map(|text| text.iter().copied().chain([0]))
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_arrives(
            stdin: bool,
            directory in text(),
            arguments in proptest::collection::vec(text(), 3),
            environment in proptest::collection::vec(text(), 0..50),
        ) {
            let directory = joined(&[directory]);
            let (arguments, environment) = (joined(&arguments), joined(&environment));
            let message = Message {
                stdin,
                directory: CStr::from_bytes_with_nul(&directory).unwrap(),
                arguments: &arguments,
                environment: &environment,
            };
            let bytes = message.encode().unwrap();
            prop_assert_eq!(Message::parse(&bytes), Some(message));
            for cut in 0..bytes.len() {
                prop_assert_eq!(Message::parse(&bytes[..cut]), None);
            }
        }

        #[test]
        fn what_is_taken_is_what_was_sent(
            stdin in 0u32..=1,
            rest in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..60),
        ) {
            let length = u32::try_from(HEADER_BYTES + rest.len()).unwrap();
            let header = [length, stdin].map(u32::to_ne_bytes).concat();
            let bytes = [&header[..], &rest].concat();
            // Whatever is not is refused.
            if let Some(message) = Message::parse(&bytes) {
                prop_assert_eq!(message.encode(), Some(bytes.clone()));
            }
        }
    }

    #[test]
    fn what_is_too_much_is_not_sent() {
        let message = |arguments, environment| Message {
            stdin: false,
            directory: c"/",
            arguments,
            environment,
        };
        let (long, many) = (vec![b'x'; MAX_MESSAGE_BYTES], vec![0; MAX_VARIABLES + 1]);
        assert!(message(&long, b"").encode().is_none());
        assert!(message(b"\0\0\0", &many).encode().is_none());
        assert!(message(b"\0\0\0", &many[1..]).encode().is_some());
    }
}
