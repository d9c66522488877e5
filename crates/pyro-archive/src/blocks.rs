//! An image consists of *blocks*. They are written in order, many at a time. Buffers that contain
//! only zeros are not written, so that the file has holes there.

use std::io::{self, Seek, SeekFrom, Write};

use crate::content::{Content, Piece};
use crate::erofs::{BLOCK, SUPERBLOCK_OFFSET, Superblock};
use crate::error::Error;

/// How much is written at a time. A multiple of a block.
const BUFFER: usize = 1 << 20;

/// Writes blocks in order, many at a time.
pub(crate) struct Blocks<W> {
    output: W,
    buffer: Vec<u8>,
    /// How much of the buffer is used.
    filled: usize,
    /// Bytes of the output before the buffer.
    flushed: u64,
}

impl<W: Write + Seek> Blocks<W> {
    pub(crate) fn after_superblock(mut output: W) -> Result<Self, Error> {
        let flushed = BLOCK as u64;
        output.seek(SeekFrom::Start(flushed)).map_err(fault)?;
        Ok(Self {
            output,
            buffer: vec![0; BUFFER],
            filled: 0,
            flushed,
        })
    }

    pub(crate) fn position(&self) -> u64 {
        self.flushed + self.filled as u64
    }

    /// Returns the number of the next block. The block before it must be full.
    pub(crate) fn next(&self) -> Result<u32, Error> {
        u32::try_from(self.position() / BLOCK as u64).map_err(|_| Error::TooLarge)
    }

    /// Writes a file's content and fills its last block.
    pub(crate) fn copy(&mut self, content: &mut dyn Content) -> Result<(), Error> {
        loop {
            if self.filled == BUFFER {
                self.flush()?;
            }
            match content.read(&mut self.buffer[self.filled..])? {
                Piece::End => break,
                Piece::Data(read) => self.filled += read,
                Piece::Hole(length) => self.skip(length)?,
            }
        }
        self.pad_block()
    }

    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.filled == BUFFER {
                self.flush()?;
            }
            let fitting = bytes.len().min(BUFFER - self.filled);
            self.buffer[self.filled..self.filled + fitting].copy_from_slice(&bytes[..fitting]);
            self.filled += fitting;
            bytes = &bytes[fitting..];
        }
        Ok(())
    }

    pub(crate) fn pad_block(&mut self) -> Result<(), Error> {
        self.pad_to(self.position().next_multiple_of(BLOCK as u64))
    }

    /// Writes zeros up to a position.
    pub(crate) fn pad_to(&mut self, position: u64) -> Result<(), Error> {
        self.skip(position - self.position())
    }

    /// Writes zeros, or skips over them if there are many.
    fn skip(&mut self, length: u64) -> Result<(), Error> {
        let room = BUFFER - self.filled;
        if let Some(length) = usize::try_from(length)
            .ok()
            .filter(|length| *length <= room)
        {
            self.buffer[self.filled..self.filled + length].fill(0);
            self.filled += length;
            return Ok(());
        }
        self.flush()?;
        let by = i64::try_from(length).map_err(|_| Error::TooLarge)?;
        self.output.seek(SeekFrom::Current(by)).map_err(fault)?;
        self.flushed += length;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        // This also refuses a file of zeros that is longer than an image can be.
        self.next()?;
        let bytes = &self.buffer[..self.filled];
        let zeros = [0; BLOCK];
        if bytes
            .chunks(BLOCK)
            .all(|chunk| *chunk == zeros[..chunk.len()])
        {
            let skipped = i64::try_from(self.filled).expect("a buffer is small");
            self.output
                .seek(SeekFrom::Current(skipped))
                .map_err(fault)?;
        } else {
            self.output.write_all(bytes).map_err(fault)?;
        }
        self.flushed += self.filled as u64;
        self.filled = 0;
        Ok(())
    }

    /// Writes the rest of the buffer, even if it is zeros, so that the output has its full length;
    /// then the superblock. Returns the output.
    pub(crate) fn finish(mut self, superblock: &Superblock) -> Result<W, Error> {
        let rest = &self.buffer[..self.filled];
        self.output.write_all(rest).map_err(fault)?;
        let start = SeekFrom::Start(SUPERBLOCK_OFFSET);
        self.output.seek(start).map_err(fault)?;
        self.output.write_all(&superblock.encode()).map_err(fault)?;
        self.output.flush().map_err(fault)?;
        Ok(self.output)
    }
}

fn fault(source: io::Error) -> Error {
    Error::Write {
        output: "image",
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn blocks_are_counted_up_to_16_tib() {
        let mut blocks = Blocks::after_superblock(Cursor::new(Vec::new())).unwrap();
        assert_eq!(blocks.next().unwrap(), 1);
        blocks.flushed = 5 << 30;
        assert_eq!(blocks.next().unwrap(), 5 << 18);
        blocks.flushed = (1 << 44) - BLOCK as u64;
        assert_eq!(blocks.next().unwrap(), u32::MAX);
        blocks.flushed = 1 << 44;
        assert!(matches!(blocks.next(), Err(Error::TooLarge)));
        blocks.write(&vec![1; BUFFER]).unwrap();
        assert!(matches!(blocks.flush(), Err(Error::TooLarge)));
    }
}
