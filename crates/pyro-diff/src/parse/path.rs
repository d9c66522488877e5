//! A *path* in a header. It has a prefix to remove, and is untrusted.

use super::parser::Parser;
use crate::error::{ParseError, Problem, shown};
use crate::name::unquoted;

/// The maximum length of a path in Linux.
const PATH_BYTES: usize = 4095;

/// The maximum number of components of a path. Each parent of each path is checked.
const PATH_PARTS: usize = 256;

/// A name in a line of a header.
pub(super) enum Name {
    /// `/dev/null`: the file does not exist.
    Nothing,
    Path(Vec<u8>),
}

impl Parser<'_> {
    /// Returns the name at the beginning of a text, and the rest. A tab ends an unquoted name.
    pub(super) fn name<'t>(&self, text: &'t [u8]) -> Result<(Name, &'t [u8]), ParseError> {
        let (name, rest) = if text.starts_with(b"\"") {
            unquoted(text).ok_or_else(|| self.error(Problem::Quotes))?
        } else {
            let end = text.iter().position(|byte| *byte == b'\t');
            let (name, rest) = text.split_at(end.unwrap_or(text.len()));
            (name.to_vec(), rest)
        };
        let is_nothing = name == b"/dev/null" && !text.starts_with(b"\"");
        let name = if is_nothing {
            Name::Nothing
        } else {
            Name::Path(name)
        };
        Ok((name, rest))
    }

    /// Removes leading components, and checks the remaining path.
    pub(super) fn stripped(&self, name: &[u8], strip: usize) -> Result<Vec<u8>, ParseError> {
        if name.starts_with(b"/") {
            return Err(self.bad_path(name, "it is absolute"));
        }
        let path = without_parts(name, strip).unwrap_or_default();
        if path.is_empty() {
            return Err(self.error(Problem::NoName { strip }));
        }
        self.check_path(path)?;
        Ok(path.to_vec())
    }

    fn check_path(&self, path: &[u8]) -> Result<(), ParseError> {
        let why = if path.starts_with(b"/") {
            "it is absolute"
        } else if path.contains(&0) {
            "it has a NUL"
        } else if path.len() > PATH_BYTES {
            "it is longer than 4095 bytes"
        } else if path.split(|byte| *byte == b'/').count() > PATH_PARTS {
            "it has more than 256 parts"
        } else {
            let bad = path
                .split(|byte| *byte == b'/')
                .find_map(|part| match part {
                    b"" => Some("it has an empty part"),
                    b"." => Some("it has a part '.'"),
                    b".." => Some("it has a part '..'"),
                    _ => None,
                });
            match bad {
                Some(why) => why,
                None => return Ok(()),
            }
        };
        Err(self.bad_path(path, why))
    }

    fn bad_path(&self, path: &[u8], why: &'static str) -> ParseError {
        let path = shown(&path[..path.len().min(PATH_BYTES)]);
        self.error(Problem::Path { path, why })
    }
}

/// Returns a name without this many leading components.
pub(super) fn without_parts(name: &[u8], strip: usize) -> Option<&[u8]> {
    let mut rest = name;
    for _ in 0..strip {
        let slash = rest.iter().position(|byte| *byte == b'/')?;
        rest = &rest[slash + 1..];
    }
    Some(rest)
}
