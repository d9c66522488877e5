//! The *id* of a message that is invalid, or too long to be kept: the answer needs it. Some clients
//! write it first, others last.

use serde_json::Value;

/// Longer than any id.
const LIMIT_BYTES: usize = 8 * 1024;

/// Searches the outermost object for the member `id`. The object arrives in parts and may be
/// incomplete.
#[derive(Debug, Default)]
pub(crate) struct IdFinder {
    depth: usize,
    place: Place,
    escaped: bool,
    /// The current name, or the id, as far as it was read.
    token: Vec<u8>,
}

/// The position of the next byte.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Place {
    #[default]
    Between,
    /// In a string, which may be a name.
    Text,
    /// After the name `id`.
    Named,
    /// Before the id, within it, and after it.
    Before,
    InText,
    InOther,
    Found,
}

/// Searches for the id in one complete piece.
pub(crate) fn find_id(bytes: &[u8]) -> Value {
    let mut finder = IdFinder::default();
    finder.read(bytes);
    finder.found()
}

impl IdFinder {
    /// Reads the next part.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.place == Place::Found {
                return;
            }
            self.take(*byte);
        }
    }

    /// Returns the id, or null if there is none.
    pub(crate) fn found(self) -> Value {
        let is_one = matches!(self.place, Place::Found | Place::InOther);
        let found = serde_json::from_slice(&self.token).ok();
        found.filter(|_| is_one).unwrap_or_default()
    }

    fn take(&mut self, byte: u8) {
        match self.place {
            Place::Found => {}
            Place::Text => {
                if self.ends_text(byte) {
                    let is_name = self.depth == 1 && self.token == b"\"id\"";
                    self.place = if is_name {
                        Place::Named
                    } else {
                        Place::Between
                    };
                }
            }
            Place::InText => {
                if self.ends_text(byte) {
                    self.place = Place::Found;
                }
            }
            Place::Named | Place::Before if byte.is_ascii_whitespace() => {}
            Place::Named if byte == b':' => self.place = Place::Before,
            Place::Between | Place::Named => self.between(byte),
            Place::Before => {
                self.token.clear();
                self.keep(byte);
                self.place = match byte {
                    b'"' => Place::InText,
                    // An object or a list is no id.
                    b'{' | b'[' | b',' | b'}' => Place::Found,
                    _ => Place::InOther,
                };
            }
            Place::InOther if matches!(byte, b',' | b'}') || byte.is_ascii_whitespace() => {
                self.place = Place::Found;
            }
            Place::InOther => self.keep(byte),
        }
    }

    fn between(&mut self, byte: u8) {
        self.place = Place::Between;
        match byte {
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b'"' => {
                self.token.clear();
                self.keep(byte);
                self.place = Place::Text;
            }
            _ => {}
        }
    }

    /// Whether a string ends with this byte.
    fn ends_text(&mut self, byte: u8) -> bool {
        self.keep(byte);
        if self.escaped {
            self.escaped = false;
            return false;
        }
        self.escaped = byte == b'\\';
        byte == b'"'
    }

    fn keep(&mut self, byte: u8) {
        // A longer token is neither the name nor an id, and is invalid JSON once it is cut.
        if self.token.len() < LIMIT_BYTES {
            self.token.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_id_is_the_objects_own() {
        for (text, id) in [
            (r#"{"id":5"#, json!(5)),
            (r#"{"id" : "a\"b" , "x":"#, json!("a\"b")),
            (
                r#"{"x":{"id":1},"y":["id",{"id":2}],"z":"id","id":3}"#,
                json!(3),
            ),
            (r#"{"x":"\"id\":1","id":-2}"#, json!(-2)),
            (r#"[{"id":1}]"#, json!(null)),
            (r#"{"id":{"id":1}}"#, json!(null)),
            (r#"{"id":"never ends"#, json!(null)),
            (r#"{"method":"x","params":{"x":"\ud83d"},"id":7}"#, json!(7)),
            ("", json!(null)),
        ] {
            assert_eq!(find_id(text.as_bytes()), id, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_through(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            find_id(&bytes);
        }

        #[test]
        fn it_is_found_in_parts_and_wherever_the_rest_breaks(
            cut in 25_usize..64, part in 1_usize..9
        ) {
            let line = br#"{"jsonrpc":"2.0","id":12,"method":"x","params":{"id":3,"y":[1]}}"#;
            let mut finder = IdFinder::default();
            line[..cut].chunks(part).for_each(|part| finder.read(part));
            prop_assert_eq!(finder.found(), 12);
        }
    }
}
