//! A *header* is the block of 512 bytes in front of a member of a tar file. There are as many
//! dialects as there were programs; this is what they have in common, and how their differences
//! are told apart.

use crate::time::Time;

pub(crate) const BLOCK: usize = 512;

/// The positions of fields, in all dialects.
const NAME: std::ops::Range<usize> = 0..100;
const MODE: std::ops::Range<usize> = 100..108;
const USER: std::ops::Range<usize> = 108..116;
const GROUP: std::ops::Range<usize> = 116..124;
const SIZE: std::ops::Range<usize> = 124..136;
const MODIFIED: std::ops::Range<usize> = 136..148;
const SUM: std::ops::Range<usize> = 148..156;
const KIND: usize = 156;
const TARGET: std::ops::Range<usize> = 157..257;
const MAGIC: std::ops::Range<usize> = 257..263;
const MAJOR: std::ops::Range<usize> = 329..337;
const MINOR: std::ops::Range<usize> = 337..345;
const PREFIX: std::ops::Range<usize> = 345..500;
/// In the dialect of star two times are behind the prefix, and a second magic at the end.
const STAR_PREFIX: std::ops::Range<usize> = 345..476;
const STAR_MAGIC: std::ops::Range<usize> = 508..512;

#[derive(Clone)]
pub(crate) struct Header(pub(crate) [u8; BLOCK]);

impl Header {
    pub(crate) fn is_zeros(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Whether its sum is right. Some old programs added up signed bytes.
    pub(crate) fn is_one(&self) -> bool {
        // The field itself counts as spaces.
        let others = || self.0[..SUM.start].iter().chain(&self.0[SUM.end..]);
        let spaces = 8 * i64::from(b' ');
        let unsigned = spaces + others().map(|byte| i64::from(*byte)).sum::<i64>();
        let signed = spaces
            + others()
                .map(|byte| i64::from(byte.cast_signed()))
                .sum::<i64>();
        let found = leading_number(&self.0[SUM]);
        found.is_some_and(|found| found == unsigned || found == signed)
    }

    pub(crate) fn kind(&self) -> u8 {
        self.0[KIND]
    }

    /// Returns the name in the header, which an extension in front of it may replace.
    pub(crate) fn name(&self) -> Vec<u8> {
        let name = text(&self.0[NAME]);
        let prefix = match &self.0[MAGIC] {
            // GNU has times where others have the beginning of the name.
            b"ustar " => &[],
            magic if magic.starts_with(b"ustar") => {
                let is_star = &self.0[STAR_MAGIC] == b"tar\0";
                text(&self.0[if is_star { STAR_PREFIX } else { PREFIX }])
            }
            _ => &[],
        };
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub(crate) fn target(&self) -> &[u8] {
        text(&self.0[TARGET])
    }

    /// Returns the size. None if it is not a number: then the position of the next member is
    /// unknown.
    pub(crate) fn size(&self) -> Option<u64> {
        number(&self.0[SIZE]).and_then(|size| size.try_into().ok())
    }

    /// Returns the permissions; none if the field is empty or not a number.
    pub(crate) fn mode(&self) -> Option<u32> {
        let mode = leading_number(&self.0[MODE])?;
        u32::try_from(mode & 0o7777).ok()
    }

    /// Returns the numbers of the user and the group; none where the field is not a number.
    pub(crate) fn owner(&self) -> (Option<i64>, Option<i64>) {
        (number(&self.0[USER]), number(&self.0[GROUP]))
    }

    /// Returns the major and minor number of a device; none where the field is not a number.
    pub(crate) fn device(&self) -> (Option<i64>, Option<i64>) {
        (number(&self.0[MAJOR]), number(&self.0[MINOR]))
    }

    /// Returns the time; the epoch if the field is empty or not a number.
    pub(crate) fn modified(&self) -> Time {
        Time {
            seconds: leading_number(&self.0[MODIFIED]).unwrap_or_default(),
            nanoseconds: 0,
        }
    }
}

/// Returns the bytes of a field up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// Reads a number: octal digits with spaces or NULs around them, or, if the highest bit is set, a
/// number of two's complement without that bit. An empty field is 0.
pub(crate) fn number(field: &[u8]) -> Option<i64> {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        return binary(field);
    }
    let field = field.trim_ascii_start();
    let digits = field.iter().take_while(|byte| is_octal(**byte)).count();
    let rest = &field[digits..];
    // What is behind the end of the number does not matter; it has to have one.
    if !matches!(rest.first(), None | Some(b' ' | 0)) {
        return None;
    }
    octal(&field[..digits])
}

/// Reads the number at the beginning of a field, with a sign if it has one. None if there is none.
fn leading_number(field: &[u8]) -> Option<i64> {
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        return binary(field);
    }
    let start = field.iter().position(|byte| !matches!(byte, b' ' | 0))?;
    let (negative, digits) = match field[start..].strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, &field[start..]),
    };
    let count = digits.iter().take_while(|byte| is_octal(**byte)).count();
    if count == 0 {
        return None;
    }
    let number = octal(&digits[..count])?;
    Some(if negative { -number } else { number })
}

fn is_octal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'7')
}

fn octal(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |number, digit| {
        number.checked_mul(8)?.checked_add((digit - b'0').into())
    })
}

fn binary(field: &[u8]) -> Option<i64> {
    // The first byte has seven bits, the highest of which is the sign.
    let first = i64::from((field[0] << 1).cast_signed() >> 1);
    field[1..].iter().try_fold(first, |number, byte| {
        number.checked_mul(256)?.checked_add((*byte).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary() {
        for (field, strict, lenient) in [
            (&b"0000644\0"[..], Some(0o644), Some(0o644)),
            (b"   644 \0", Some(0o644), Some(0o644)),
            (b"644\0garb", Some(0o644), Some(0o644)),
            (b"00000000644 ", Some(0o644), Some(0o644)),
            (
                b"777777777777",
                Some(0o777_777_777_777),
                Some(0o777_777_777_777),
            ),
            (b"", Some(0), None),
            (b"\0\0\0\0", Some(0), None),
            (b"    ", Some(0), None),
            (b"64x\0", None, Some(0o64)),
            (b"888\0", None, None),
            (b"-1\0", None, Some(-1)),
            (b"\x80\0\0\x01", Some(1), Some(1)),
            (b"\x80\xff\xff", Some(65535), Some(65535)),
            (b"\xff\xff\xff\xfe", Some(-2), Some(-2)),
            (b"\x80\x80\0\0\0\0\0\0\0\0\0\0", None, None),
            (b"\xff\x7f\0\0\0\0\0\0\0\0\0\0", None, None),
        ] {
            assert_eq!(number(field), strict, "{field:?}");
            assert_eq!(leading_number(field), lenient, "{field:?}");
        }
    }
}
