//! A *delta* makes a content from another one: it copies ranges, and contains the bytes between
//! them.

/// Makes the new content, of at most `limit` bytes.
pub(crate) fn apply(base: &[u8], delta: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let mut rest = delta;
    let (Some(base_size), Some(size)) = (number(&mut rest), number(&mut rest)) else {
        return Err(Failure::Damaged("the delta is cut"));
    };
    if base_size != base.len() {
        return Err(Failure::OtherBase);
    }
    if size > limit {
        return Err(Failure::TooLarge);
    }
    // Not reserved in advance: the announced size is not trusted, and a few bytes can copy much.
    let mut content = Vec::new();
    while let Some(operation) = byte(&mut rest) {
        let piece = match operation {
            0 => return Err(Failure::Damaged("the delta has an unknown operation")),
            1..=127 => {
                let length = usize::from(operation);
                let piece = rest.get(..length);
                rest = rest.get(length..).unwrap_or_default();
                piece
            }
            128.. => copied(operation, &mut rest)
                .and_then(|(start, length)| base.get(start..start.checked_add(length)?)),
        };
        let piece = piece.ok_or(Failure::Damaged("the delta points outside"))?;
        if piece.len() > size - content.len() {
            return Err(Failure::Damaged("the delta makes more than it says"));
        }
        content.extend(piece);
    }
    if content.len() < size {
        return Err(Failure::Damaged("the delta makes less than it says"));
    }
    Ok(content)
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    OtherBase,
    TooLarge,
    Damaged(&'static str),
}

/// The range of the base that an operation copies. Its bits say which bytes of offset and size
/// follow.
fn copied(operation: u8, rest: &mut &[u8]) -> Option<(usize, usize)> {
    let mut numbers = [0_usize; 2];
    for bit in 0..7 {
        if operation & (1 << bit) != 0 {
            let (number, shift) = if bit < 4 { (0, bit) } else { (1, bit - 4) };
            numbers[number] |= usize::from(byte(rest)?) << (8 * shift);
        }
    }
    let length = if numbers[1] == 0 { 0x10000 } else { numbers[1] };
    Some((numbers[0], length))
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0_usize;
    for shift in (0..usize::BITS - 7).step_by(7) {
        let byte = byte(rest)?;
        value |= usize::from(byte & 127) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (&first, after) = rest.split_first()?;
    *rest = after;
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_copies_and_adds_or_is_refused() {
        let base: Vec<u8> = (0..0x1_0010_u32).map(|at| at.to_le_bytes()[0]).collect();
        let made = |operations: &[u8], size: &[u8], limit| {
            apply(&base, &[b"\x90\x80\x04", size, operations].concat(), limit)
        };
        // Two bytes that follow, two from position 0x102, and 0x10000, for which there is a zero.
        let pieces = b"\x02xy\x93\x02\x01\x02\x80";
        let content = [b"xy", &base[0x102..0x104], &base[..0x10000]].concat();
        assert_eq!(made(pieces, b"\x84\x80\x04", 1 << 20), Ok(content));
        assert_eq!(made(pieces, b"\x84\x80\x04", 10), Err(Failure::TooLarge));
        let largest = b"\xff\xff\xff\xff\xff\xff\xff\x7f";
        assert_eq!(made(b"", largest, 1 << 20), Err(Failure::TooLarge));
        assert_eq!(apply(b"x", b"\x02\x00", 9), Err(Failure::OtherBase));
        for (operations, size, why) in [
            (&b"\x02x"[..], b"\x02", "the delta points outside"),
            (b"\x98\x01\x01", b"\x01", "the delta points outside"),
            (b"\x94\x01\x11", b"\x11", "the delta points outside"),
            (b"\x91", b"\x01", "the delta points outside"),
            (b"\x02xy", b"\x01", "the delta makes more than it says"),
            (b"\x01x", b"\x02", "the delta makes less than it says"),
            (b"\x00", b"\x02", "the delta has an unknown operation"),
            (b"", b"\xff", "the delta is cut"),
        ] {
            assert_eq!(made(operations, size, 99), Err(Failure::Damaged(why)));
        }
    }
}
