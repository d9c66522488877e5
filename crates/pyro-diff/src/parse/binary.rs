//! A *binary hunk* is a content or a delta, compressed with deflate, in git's base 85. The second one
//! is for the reverse direction; only its syntax is checked.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::lines::without_end;
use super::parser::Parser;
use crate::binary::DIGITS;
use crate::error::{ParseError, Problem};
use crate::patch::Body;

/// The value of each byte as a digit; 85 for an invalid one.
const VALUES: [u8; 256] = {
    let mut values = [85; 256];
    let mut value = 0;
    while value < 85 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// Whether a line says that binary files differ without containing them.
pub(super) fn announces_binary_difference(line: &[u8]) -> bool {
    line.starts_with(b"Binary files ") && without_end(line).ends_with(b" differ")
}

impl<'a> Parser<'a> {
    pub(super) fn binary(&mut self) -> Result<Body<'a>, ParseError> {
        self.lines.next();
        self.hunk = Some(1);
        let Some((is_delta, size)) = self.binary_header()? else {
            return Err(self.error(Problem::Binary("neither 'literal' nor 'delta' follows")));
        };
        let line = self.lines.number();
        if size > self.remaining {
            let limit = self.limit;
            return Err(self.error_at(line, Problem::TooLarge { limit }));
        }
        let deflated = self.binary_lines()?;
        let content =
            inflate(&deflated, size).map_err(|why| self.error_at(line, Problem::Binary(why)))?;
        self.remaining -= size;
        self.hunk = Some(2);
        if self.binary_header()?.is_some() {
            self.binary_lines()?;
        }
        self.hunk = None;
        Ok(if is_delta {
            Body::Delta(content)
        } else {
            Body::Literal(content)
        })
    }

    /// Whether it is a delta, and its decompressed size.
    fn binary_header(&mut self) -> Result<Option<(bool, usize)>, ParseError> {
        let line = without_end(self.lines.peek().unwrap_or_default());
        let (is_delta, digits) =
            match (line.strip_prefix(b"literal "), line.strip_prefix(b"delta ")) {
                (Some(digits), _) => (false, digits),
                (_, Some(digits)) => (true, digits),
                _ => return Ok(None),
            };
        let size = str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok());
        let size = size.ok_or_else(|| self.error(Problem::Binary("its size is no number")))?;
        self.lines.next();
        Ok(Some((is_delta, size)))
    }

    fn binary_lines(&mut self) -> Result<Vec<u8>, ParseError> {
        let mut bytes = Vec::new();
        loop {
            let line = self.lines.peek().ok_or_else(|| self.error(Problem::Cut))?;
            if line == b"\n" {
                self.lines.next();
                return Ok(bytes);
            }
            decode_line(without_end(line), &mut bytes)
                .ok_or_else(|| self.error(Problem::Binary("a line is no base 85")))?;
            self.lines.next();
        }
    }
}

fn decode_line(line: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let (&first, digits) = line.split_first()?;
    let length = match first {
        b'A'..=b'Z' => usize::from(first - b'A') + 1,
        b'a'..=b'z' => usize::from(first - b'a') + 27,
        _ => return None,
    };
    if digits.len() != length.div_ceil(4) * 5 {
        return None;
    }
    let end = bytes.len() + length;
    for group in digits.chunks(5) {
        let value = group.iter().try_fold(0_u32, |value, digit| {
            let digit = Some(VALUES[usize::from(*digit)]).filter(|digit| *digit < 85)?;
            value.checked_mul(85)?.checked_add(u32::from(digit))
        })?;
        bytes.extend(value.to_be_bytes());
    }
    bytes.truncate(end);
    Some(())
}

fn inflate(deflated: &[u8], size: usize) -> Result<Vec<u8>, &'static str> {
    // Not reserved in advance: the announced size is not trusted.
    let mut content = Vec::new();
    let limit = u64::try_from(size).unwrap_or(u64::MAX).saturating_add(1);
    ZlibDecoder::new(deflated)
        .take(limit)
        .read_to_end(&mut content)
        .map_err(|_| "it cannot be inflated")?;
    if content.len() != size {
        return Err("it does not have the size that it says");
    }
    Ok(content)
}
