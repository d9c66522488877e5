//! *Chunks* represent a file with holes in an image: a map has the position of each chunk, and
//! marks the chunks that consist of holes only. So a hole takes no space in the image and no time
//! to read.

use std::io::{Seek, Write};

use crate::blocks::Blocks;
use crate::content::{Content, Piece};
use crate::erofs::BLOCK;
use crate::error::Error;
use crate::sparse::Extents;

/// Smaller holes are written as zeros, which an image leaves out of its file.
const SMALLEST_HOLES: u64 = 1 << 20;
/// The largest number of chunks of one file, and of all files together. Each takes four bytes in
/// the image, and in memory until the image is finished.
const MOST: u64 = 1 << 16;
const MOST_OF_ALL: u64 = 1 << 24;
/// The size of the largest chunk in blocks, as a power of two.
const MOST_BITS: u8 = 31;
const NOWHERE: u32 = u32::MAX;
const BUFFER: usize = 256 * 1024;

/// The map of a file.
#[derive(Debug)]
pub(crate) struct Chunks {
    /// Blocks in a chunk, as a power of two.
    pub(crate) bits: u8,
    /// The first block of each.
    blocks: Box<[u32]>,
}

/// How many more chunks there may be.
#[derive(Debug)]
pub(crate) struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(MOST_OF_ALL)
    }
}

impl Chunks {
    pub(crate) fn encoded_size(&self) -> u64 {
        4 * self.blocks.len() as u64
    }

    /// Returns the first block of each chunk that has content, and the number of blocks in a chunk.
    pub(crate) fn used(&self) -> impl Iterator<Item = (u64, u64)> {
        let somewhere = self.blocks.iter().filter(|block| **block != NOWHERE);
        somewhere.map(|block| (u64::from(*block), 1 << self.bits))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.blocks
            .iter()
            .flat_map(|block| block.to_le_bytes())
            .collect()
    }
}

/// Whether the holes of a file are large enough for a map.
pub(crate) fn are_worth_it(size: u64, extents: Option<&Extents>) -> bool {
    extents.is_some_and(|extents| size - extents.data() >= SMALLEST_HOLES)
}

/// Writes the content of a file, without its holes.
pub(crate) fn write<W: Write + Seek>(
    blocks: &mut Blocks<W>,
    content: &mut dyn Content,
    size: u64,
    budget: &mut Budget,
) -> Result<Chunks, Error> {
    let bits = bits(size, budget);
    let length = (BLOCK as u64) << bits;
    let count = size.div_ceil(length);
    budget.0 = budget.0.saturating_sub(count);
    let count = usize::try_from(count).expect("there are at most MOST");
    let mut map = vec![NOWHERE; count].into_boxed_slice();
    // The start of the current chunk, in the file and in the image.
    let mut current: Option<(u64, u64)> = None;
    let mut position = 0;
    let mut buffer = vec![0; BUFFER];
    loop {
        let mut data = match content.read(&mut buffer)? {
            Piece::End => break,
            Piece::Hole(hole) => {
                position += hole;
                continue;
            }
            Piece::Data(read) => &buffer[..read],
        };
        while !data.is_empty() {
            let start = position - position % length;
            let (_, place) = match current {
                Some(current) if current.0 == start => current,
                before => {
                    finish(blocks, before, length, size)?;
                    let index = usize::try_from(start / length).expect("it is less than count");
                    map[index] = blocks.next()?;
                    *current.insert((start, blocks.position()))
                }
            };
            blocks.pad_to(place + (position - start))?;
            let left = usize::try_from(start + length - position).unwrap_or(usize::MAX);
            let (now, later) = data.split_at(data.len().min(left));
            blocks.write(now)?;
            position += now.len() as u64;
            data = later;
        }
    }
    finish(blocks, current, length, size)?;
    Ok(Chunks { bits, blocks: map })
}

/// Fills a chunk with zeros up to its end; the last chunk up to the end of its last block.
fn finish<W: Write + Seek>(
    blocks: &mut Blocks<W>,
    chunk: Option<(u64, u64)>,
    length: u64,
    size: u64,
) -> Result<(), Error> {
    let Some((start, place)) = chunk else {
        return Ok(());
    };
    let used = length.min(size - start).next_multiple_of(BLOCK as u64);
    blocks.pad_to(place + used)
}

/// Returns the smallest size of chunks with which there are not too many of them.
fn bits(size: u64, budget: &Budget) -> u8 {
    let most = (budget.0 / 64).clamp(1, MOST);
    let fits = |bits: &u8| size.div_ceil((BLOCK as u64) << bits) <= most;
    (0..MOST_BITS).find(fits).unwrap_or(MOST_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_as_small_as_there_may_be_many() {
        let all = Budget::default();
        assert_eq!(bits(1 << 20, &all), 0);
        assert_eq!(bits(256 << 20, &all), 0);
        assert_eq!(bits((256 << 20) + 1, &all), 1);
        assert_eq!(bits(20 << 30, &all), 7);
        assert_eq!(bits(1 << 44, &all), 16);
        assert_eq!(bits(1 << 44, &Budget(0)), MOST_BITS);
        assert_eq!(bits(1 << 30, &Budget(0)), 18);
    }
}
