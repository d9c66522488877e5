//! *Extents* say where a file has content. What is between them are holes: zeros that take no
//! room and that nobody has to read, send or write.

use crate::content::{Content, Piece};
use crate::error::Error;

/// A piece of a file that has content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The extents of a file, in order, with something between any two.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Extents(Vec<Extent>);

const TAR_BLOCK: u64 = 512;

/// The smallest hole that is kept: a block of a file system.
const SMALLEST_HOLE: u64 = 4096;

impl Extent {
    pub(crate) fn end(self) -> u64 {
        self.offset + self.length
    }
}

impl Extents {
    /// Checks extents that somebody else wrote down for a file of this size: they may be empty or
    /// touch, but neither overlap nor go back. None if they do.
    pub(crate) fn checked(extents: impl IntoIterator<Item = Extent>, size: u64) -> Option<Self> {
        let mut checked: Vec<Extent> = Vec::new();
        let mut end = 0;
        for extent in extents {
            if extent.offset < end || extent.offset.checked_add(extent.length)? > size {
                return None;
            }
            end = extent.end();
            match checked.last_mut() {
                Some(last) if last.end() == extent.offset => last.length += extent.length,
                _ if extent.length == 0 => {}
                _ => checked.push(extent),
            }
        }
        Some(Self(checked))
    }

    pub(crate) fn as_slice(&self) -> &[Extent] {
        &self.0
    }

    /// How many bytes they have together.
    pub(crate) fn data(&self) -> u64 {
        self.0.iter().map(|extent| extent.length).sum()
    }

    /// Returns at most `most` extents that have in them what these have: the smallest holes are
    /// taken for content. Each begins, and but for the last ends, at a block of a tar file, as
    /// those of GNU tar do.
    pub(crate) fn for_stream(&self, most: usize, size: u64) -> Self {
        let mut smallest = SMALLEST_HOLE;
        loop {
            let mut merged: Vec<Extent> = Vec::new();
            for extent in &self.0 {
                let offset = extent.offset - extent.offset % TAR_BLOCK;
                let end = extent.end().next_multiple_of(TAR_BLOCK).min(size);
                match merged.last_mut() {
                    Some(last) if offset < last.end() + smallest => {
                        last.length = end - last.offset;
                    }
                    _ => merged.push(Extent {
                        offset,
                        length: end - offset,
                    }),
                }
            }
            if merged.len() <= most {
                return Self(merged);
            }
            smallest *= 2;
        }
    }
}

/// A content with its holes, made from one that has none of them.
pub(crate) struct Sparse<'a> {
    data: &'a mut dyn Content,
    extents: std::slice::Iter<'a, Extent>,
    /// What is left of the extent that is being read.
    current: Option<Extent>,
    position: u64,
    size: u64,
}

impl<'a> Sparse<'a> {
    pub(crate) fn new(data: &'a mut dyn Content, extents: &'a Extents, size: u64) -> Self {
        let mut extents = extents.0.iter();
        Self {
            data,
            current: extents.next().copied(),
            extents,
            position: 0,
            size,
        }
    }
}

impl Content for Sparse<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Error> {
        let next = self.current.map_or(self.size, |extent| extent.offset);
        if self.position < next {
            let hole = next - self.position;
            self.position = next;
            return Ok(Piece::Hole(hole));
        }
        let Some(extent) = &mut self.current else {
            return Ok(Piece::End);
        };
        let wanted = usize::try_from(extent.length).map_or(buffer.len(), |l| l.min(buffer.len()));
        let piece = self.data.read(&mut buffer[..wanted])?;
        if let Piece::Data(read) = piece {
            self.position += read as u64;
            extent.offset += read as u64;
            extent.length -= read as u64;
            if extent.length == 0 {
                self.current = self.extents.next().copied();
            }
        }
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extents(pairs: &[(u64, u64)]) -> Vec<Extent> {
        let extent = |&(offset, length)| Extent { offset, length };
        pairs.iter().map(extent).collect()
    }

    #[test]
    fn extents_are_in_order_and_inside() {
        let checked = |pairs, size| Extents::checked(extents(pairs), size);
        let one = Extents(extents(&[(0, 30)]));
        assert_eq!(checked(&[(0, 10), (10, 20), (40, 0)], 40), Some(one));
        assert_eq!(checked(&[], 0), Some(Extents::default()));
        assert_eq!(checked(&[(0, 10), (9, 1)], 40), None);
        assert_eq!(checked(&[(10, 1), (0, 1)], 40), None);
        assert_eq!(checked(&[(10, 31)], 40), None);
        assert_eq!(checked(&[(u64::MAX, 1)], 40), None);
        assert_eq!(checked(&[(1, u64::MAX)], 40), None);
    }

    #[test]
    fn the_smallest_holes_are_filled_first() {
        let all = Extents(extents(&[(0, 1), (5000, 1), (1 << 20, 1), (9 << 20, 7)]));
        let size = (9 << 20) + 7;
        let four = extents(&[(0, 512), (4608, 512), (1 << 20, 512), (9 << 20, 7)]);
        assert_eq!(all.for_stream(4, size).0, four);
        let three = extents(&[(0, 5120), (1 << 20, 512), (9 << 20, 7)]);
        assert_eq!(all.for_stream(3, size).0, three);
        assert_eq!(all.for_stream(1, size).0, extents(&[(0, size)]));
        assert_eq!(all.data(), 10);
    }
}
