//! An *id* is git's name for a content: its SHA-1 as a blob, in hexadecimal.

use std::fmt::Write as _;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The id of the content of one side of a change; zeros if it does not exist.
pub(crate) fn of(content: Option<&[u8]>) -> String {
    content.map_or_else(|| "0".repeat(40), hexadecimal::<Sha1>)
}

/// Whether a full id is that of a content. Longer ids are from a repository with SHA-256.
pub(crate) fn is_of(id: &[u8], content: &[u8]) -> bool {
    let found = match id.len() {
        64 => hexadecimal::<Sha256>(content),
        _ => hexadecimal::<Sha1>(content),
    };
    id.eq_ignore_ascii_case(found.as_bytes())
}

/// Whether a full id means that there is no content.
pub(crate) fn is_nothing(id: &[u8]) -> bool {
    id.iter().all(|digit| *digit == b'0')
}

fn hexadecimal<Sum: Digest>(content: &[u8]) -> String {
    let mut sum = Sum::new();
    sum.update(format!("blob {}\0", content.len()));
    sum.update(content);
    sum.finalize().iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}
