//! A *map* of a sparse file in a tar file says where its content belongs. GNU tar has had four
//! ways to write one, and reads them all.

use crate::error::{Error, Refusal};
use crate::header::{BLOCK, number};
use crate::pax::{MOST_EXTENTS, decimal};
use crate::sparse::{Extent, Extents};
use crate::tar_member::{Described, Form, LARGEST_FILE_BYTES};
use crate::tar_reader::TarContent;

/// In a header and in the blocks behind it that continue its map: where that is, how many extents
/// it has, and where there is a mark that another block follows.
const IN_HEADER: (usize, usize, usize) = (386, 4, 482);
const IN_BLOCK: (usize, usize, usize) = (0, 21, 504);
const REAL_SIZE: std::ops::Range<usize> = 483..495;
const NUMBER: usize = 12;

/// Returns the size of a file and its extents, and checks that the extents match the stored content
/// exactly. Reads the part of the content that belongs to the map.
pub(crate) fn checked_map(
    described: &Described,
    content: &mut TarContent<'_, '_>,
) -> Result<(u64, Extents), Error> {
    let (size, extents) = map(described, content)?;
    let extents = Extents::checked(extents, size);
    let extents = extents.filter(|extents| extents.data() == content.left);
    let extents = extents.ok_or_else(|| Error::refused(&described.name, Refusal::BadSparse))?;
    Ok((size, extents))
}

/// Returns the size of a file and its extents, unchecked. Reads the part of the content that
/// belongs to the map.
fn map(
    described: &Described,
    content: &mut TarContent<'_, '_>,
) -> Result<(u64, Vec<Extent>), Error> {
    let map = match described.form {
        Form::OldSparse => old_map(described, content)?,
        _ if described.sparse.is_broken => None,
        _ => {
            let extents = if described.sparse.map_in_content {
                map_in_content(content)?
            } else {
                Some(described.sparse.extents.clone())
            };
            described.sparse.size.zip(extents)
        }
    };
    let map = map.filter(|(size, _)| *size <= LARGEST_FILE_BYTES);
    map.ok_or_else(|| Error::refused(&described.name, Refusal::BadSparse))
}

fn old_map(
    described: &Described,
    content: &mut TarContent<'_, '_>,
) -> Result<Option<(u64, Vec<Extent>)>, Error> {
    let mut extents = Vec::new();
    let header = &described.header.0;
    let mut is_right = add(&mut extents, header, IN_HEADER).is_some();
    let mut goes_on = header[IN_HEADER.2] != 0;
    while goes_on && is_right {
        let mut block = [0; BLOCK];
        content.tar.fill(&mut block)?;
        is_right = add(&mut extents, &block, IN_BLOCK).is_some();
        goes_on = block[IN_BLOCK.2] != 0;
    }
    let size = number(&header[REAL_SIZE]).and_then(|size| size.try_into().ok());
    Ok(size.map(|size| (size, extents)).filter(|_| is_right))
}

/// Adds the extents of a block. None if one of them has no numbers.
fn add(
    extents: &mut Vec<Extent>,
    block: &[u8; BLOCK],
    (start, count, _): (usize, usize, usize),
) -> Option<()> {
    for pair in block[start..].chunks_exact(2 * NUMBER).take(count) {
        let (offset, length) = pair.split_at(NUMBER);
        // Those that are not used are empty.
        if length[0] == 0 {
            break;
        }
        if extents.len() == MOST_EXTENTS {
            return None;
        }
        extents.push(Extent {
            offset: number(offset)?.try_into().ok()?,
            length: number(length)?.try_into().ok()?,
        });
    }
    Some(())
}

/// Reads lines with one number each: how many extents there are, then where each begins and how
/// long it is. They fill whole blocks.
fn map_in_content(content: &mut TarContent<'_, '_>) -> Result<Option<Vec<Extent>>, Error> {
    let mut lines = Lines {
        content,
        block: [0; BLOCK],
        position: BLOCK,
    };
    let Some(count) = lines.next()? else {
        return Ok(None);
    };
    let mut extents = Vec::new();
    for _ in 0..count {
        let (Some(offset), Some(length)) = (lines.next()?, lines.next()?) else {
            return Ok(None);
        };
        if extents.len() == MOST_EXTENTS {
            return Ok(None);
        }
        extents.push(Extent { offset, length });
    }
    Ok(Some(extents))
}

struct Lines<'a, 'b, 'c> {
    content: &'a mut TarContent<'b, 'c>,
    block: [u8; BLOCK],
    position: usize,
}

impl Lines<'_, '_, '_> {
    /// Returns the number on the next line; none if there is none.
    fn next(&mut self) -> Result<Option<u64>, Error> {
        let mut digits = Vec::new();
        loop {
            if self.position == BLOCK {
                let Some(left) = self.content.left.checked_sub(BLOCK as u64) else {
                    return Ok(None);
                };
                self.content.tar.fill(&mut self.block)?;
                self.content.left = left;
                self.position = 0;
            }
            let byte = self.block[self.position];
            self.position += 1;
            match byte {
                b'\n' => return Ok(decimal(&digits)),
                _ if digits.len() < 20 => digits.push(byte),
                _ => return Ok(None),
            }
        }
    }
}
