//! The *reader* of a tar file's blocks: headers, and what is stored behind them.

use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::content::{Content, Piece};
use crate::error::{Error, fault};
use crate::header::{BLOCK, Header};
use crate::kind_of_file;

/// The longest extended header in front of a member, in bytes.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// A tar file, as far as it was read.
pub(crate) struct TarReader<'a> {
    input: &'a mut dyn Read,
    archive: &'a Path,
    /// A block that was read ahead.
    pushed_back: Vec<u8>,
    headers: u64,
    /// The end mark was read.
    has_ended: bool,
}

impl<'a> TarReader<'a> {
    pub(crate) fn new(input: &'a mut dyn Read, archive: &'a Path) -> Self {
        Self {
            input,
            archive,
            pushed_back: Vec::new(),
            headers: 0,
            has_ended: false,
        }
    }

    /// Returns the next header, or none at the end.
    pub(crate) fn header(&mut self) -> Result<Option<Header>, Error> {
        let mut block = [0; BLOCK];
        let read = self.fill_some(&mut block)?;
        let header = Header(block);
        if read < BLOCK {
            return match (self.headers, &block[..read]) {
                (0, start) => Err(self.no_archive(start)),
                (_, []) => Ok(None),
                _ => Err(fault(self.archive)(ErrorKind::UnexpectedEof.into())),
            };
        }
        if header.is_zeros() {
            self.has_ended = true;
            return Ok(None);
        }
        if !header.is_one() {
            return Err(match self.headers {
                0 => self.no_archive(&block),
                _ => self.damaged("there is something else where a member should begin"),
            });
        }
        self.headers += 1;
        Ok(Some(header))
    }

    /// Whether a header follows, or the end: what has a size and no content has either behind it.
    pub(crate) fn is_header_next(&mut self) -> Result<bool, Error> {
        let mut block = [0; BLOCK];
        let read = self.fill_some(&mut block)?;
        if read < BLOCK {
            return match read {
                0 => Ok(true),
                _ => Err(fault(self.archive)(ErrorKind::UnexpectedEof.into())),
            };
        }
        self.pushed_back = block.to_vec();
        let header = Header(block);
        Ok(header.is_zeros() || header.is_one())
    }

    /// Reads what is behind the last member: checksums are at the end of what is compressed.
    pub(crate) fn end(&mut self) -> Result<End, Error> {
        let mut buffer = vec![0; 64 * 1024];
        let mut has_more = false;
        loop {
            match self.read(&mut buffer)? {
                0 => break,
                read => has_more |= buffer[..read].iter().any(|byte| *byte != 0),
            }
        }
        Ok(End {
            has_mark: self.has_ended,
            has_more,
        })
    }

    /// Returns the content of a member that is a part of another member's header.
    pub(crate) fn extension(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        let size = header.size().unwrap_or(u64::MAX);
        if size > LONGEST_EXTENSION {
            return Err(self.damaged("a header is too long"));
        }
        let mut content = vec![0; usize::try_from(size).expect("it is at most a MiB")];
        self.fill(&mut content)?;
        self.skip_padding(size)?;
        Ok(content)
    }

    pub(crate) fn name(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        let mut name = self.extension(header)?;
        if let Some(end) = name.iter().position(|byte| *byte == 0) {
            name.truncate(end);
        }
        Ok(name)
    }

    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        if self.fill_some(buffer)? < buffer.len() {
            return Err(fault(self.archive)(ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }

    /// Fills a buffer as far as there is something, and returns how far that is.
    fn fill_some(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read(&mut buffer[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if !self.pushed_back.is_empty() {
            let read = buffer.len().min(self.pushed_back.len());
            buffer[..read].copy_from_slice(&self.pushed_back[..read]);
            self.pushed_back.drain(..read);
            return Ok(read);
        }
        loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read.map_err(fault(self.archive)),
            }
        }
    }

    pub(crate) fn skip_content(&mut self, size: u64) -> Result<(), Error> {
        self.skip(size)?;
        self.skip_padding(size)
    }

    pub(crate) fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        if bytes == 0 {
            return Ok(());
        }
        let mut content = TarContent {
            tar: self,
            left: bytes,
        };
        let mut buffer = vec![0; 64 * 1024];
        while content.left > 0 {
            content.read(&mut buffer)?;
        }
        Ok(())
    }

    /// Skips the padding of the last block. At the end of the file it may be missing: the content
    /// is complete.
    pub(crate) fn skip_padding(&mut self, size: u64) -> Result<(), Error> {
        let rest = usize::try_from(size.wrapping_neg() % BLOCK as u64).expect("less than a block");
        self.fill_some(&mut [0; BLOCK][..rest]).map(drop)
    }

    pub(crate) fn damaged(&self, problem: &str) -> Error {
        Error::Damaged {
            path: self.archive.to_owned(),
            problem: problem.into(),
        }
    }

    fn no_archive(&self, start: &[u8]) -> Error {
        Error::OtherKind {
            path: self.archive.to_owned(),
            kind: kind_of_file::of(start),
        }
    }
}

/// How a tar file ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) has_mark: bool,
    /// Something other than zeros follows it.
    pub(crate) has_more: bool,
}

/// What is stored of a member.
pub(crate) struct TarContent<'a, 'b> {
    pub(crate) tar: &'a mut TarReader<'b>,
    pub(crate) left: u64,
}

impl Content for TarContent<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Error> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if wanted == 0 {
            return Ok(Piece::End);
        }
        match self.tar.read(&mut buffer[..wanted])? {
            0 => Err(fault(self.tar.archive)(ErrorKind::UnexpectedEof.into())),
            read => {
                self.left -= read as u64;
                Ok(Piece::Data(read))
            }
        }
    }
}
