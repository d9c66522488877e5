//! *Octets* as text: names and command lines are bytes on Linux, and JSON has text only.
//!
//! UTF-8 stays as it is. Each byte B that is not part of UTF-8 becomes the character U+10FF00 + B,
//! in a plane for private use. If a text contains such characters itself, their bytes are encoded
//! in the same way, so that no text has two meanings.

use std::borrow::Cow;

const BASE: u32 = 0x10_FF00;
/// The bytes that may occur outside of UTF-8.
const BYTES: std::ops::RangeInclusive<u32> = 0x80..=0xFF;

/// Returns the text that represents these bytes.
pub fn encode(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.contains(is_ours)
    {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_ours(character) {
                let mut buffer = [0; 4];
                text.extend(character.encode_utf8(&mut buffer).bytes().map(ours));
            } else {
                text.push(character);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(ours));
    }
    Cow::Owned(text)
}

/// Returns the bytes that a text represents. Every text represents some.
pub fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(is_ours) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut buffer = [0; 4];
    for character in text.chars() {
        match byte(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// A path in JSON, for `#[serde(with)]`.
pub mod path {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes a path.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::encode(path.as_os_str().as_bytes()))
    }

    /// Reads a path.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(OsStr::from_bytes(&super::decode(&text)).into())
    }
}

/// A path in JSON that may be missing, for `#[serde(with)]`.
pub mod optional_path {
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize, Serialize)]
    #[serde(transparent)]
    struct Named(#[serde(with = "super::path")] PathBuf);

    /// Writes a path, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        path.clone().map(Named).serialize(serializer)
    }

    /// Reads a path, or null.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        let named = Option::<Named>::deserialize(deserializer)?;
        Ok(named.map(|Named(path)| path))
    }
}

fn ours(byte: u8) -> char {
    char::from_u32(BASE + u32::from(byte)).expect("the highest is U+10FFFF, which is a character")
}

fn byte(character: char) -> Option<u8> {
    let offset = u32::from(character).checked_sub(BASE)?;
    u8::try_from(offset)
        .ok()
        .filter(|_| BYTES.contains(&offset))
}

fn is_ours(character: char) -> bool {
    byte(character).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_stays_and_other_bytes_are_told() {
        assert_eq!(encode("a\u{fc}\n".as_bytes()), "a\u{fc}\n");
        assert_eq!(encode(b"a\xffb\xc3"), "a\u{10ffff}b\u{10ffc3}");
        assert_eq!(decode("a\u{10ffff}b"), &b"a\xffb"[..]);
        // A text that looks like an encoded one is distinguished from it.
        let odd = "\u{10ff80}";
        assert_ne!(encode(odd.as_bytes()), odd);
        assert_eq!(decode(&encode(odd.as_bytes())), odd.as_bytes());
    }

    proptest! {
        #[test]
        fn all_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let text = encode(&bytes);
            prop_assert_eq!(&*decode(&text), &*bytes);
        }

        #[test]
        fn characters_of_ours_come_back(text in "[a\u{10ff7f}-\u{10ffff}]{0,10}") {
            let told = encode(text.as_bytes());
            prop_assert_eq!(&*decode(&told), text.as_bytes());
        }
    }
}
