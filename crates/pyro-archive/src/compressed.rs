//! A *compressed* file is decompressed while it is read. Its first bytes tell the format. It
//! consists of one or more parts, each compressed separately.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::progress::Meter;

const BUFFER: usize = 256 * 1024;

/// More than the strongest setting of xz needs, which is 65 MiB. A file states how much memory its
/// decompression needs, up to 4 GiB.
const XZ_MEMORY_KIB: u32 = 128 * 1024;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The magic number of a frame without content; its lowest four bits vary.
const ZSTD_SKIPPED: &[u8] = &[0x50, 0x2a, 0x4d, 0x18];
const XZ: &[u8] = b"\xfd7zXZ\0";

/// The format of compression.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
    Xz,
}

impl Packing {
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        let is_skipped = start.len() >= 4
            && start[0] & 0xf0 == ZSTD_SKIPPED[0]
            && start[1..4] == ZSTD_SKIPPED[1..];
        [(GZIP, Self::Gzip), (ZSTD, Self::Zstd), (XZ, Self::Xz)]
            .into_iter()
            .find_map(|(magic, packing)| start.starts_with(magic).then_some(packing))
            .or(is_skipped.then_some(Self::Zstd))
    }
}

/// Returns a reader of a file's content, decompressed if the file is compressed. When the reader
/// reaches the end, it sets `has_more` if anything but zeros follows the last part.
pub(crate) fn open<'a>(
    file: &'a File,
    meter: Meter<'a>,
    has_more: &'a Cell<bool>,
) -> io::Result<Box<dyn Read + 'a>> {
    let raw = Raw {
        file,
        position: 0,
        meter,
    };
    unpacked(raw, has_more)
}

/// As [`open`], for an input that can be read only once.
pub(crate) fn unpacked<'a>(
    input: impl Read + 'a,
    has_more: &'a Cell<bool>,
) -> io::Result<Box<dyn Read + 'a>> {
    let mut raw = BufReader::with_capacity(BUFFER, input);
    Ok(match Packing::of(raw.fill_buf()?) {
        None => Box::new(raw),
        // Headers are read in pieces of 512 bytes, which is slow without a buffer.
        Some(packing) => Box::new(BufReader::with_capacity(
            BUFFER,
            Parts {
                packing,
                has_more,
                state: State::Between(raw),
            },
        )),
    })
}

/// Does work with the content of an input, decompressed if it is compressed (gzip, zstd or xz).
///
/// # Errors
/// When the beginning of the input cannot be read. What follows is the work's to judge.
pub fn with_decompressed<T>(
    input: impl Read,
    work: impl FnOnce(&mut dyn Read) -> T,
) -> io::Result<T> {
    let has_more = Cell::new(false);
    let mut content = unpacked(input, &has_more)?;
    Ok(work(&mut content))
}

/// Reads a file from its beginning, independently of the file's own position.
struct Raw<'a> {
    file: &'a File,
    position: u64,
    meter: Meter<'a>,
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.position)?;
        self.position += read as u64;
        self.meter.add(read);
        if read == 0 {
            self.meter.report();
        }
        Ok(read)
    }
}

/// Reads the parts of a compressed file in order.
struct Parts<'a, R: BufRead> {
    packing: Packing,
    has_more: &'a Cell<bool>,
    state: State<R>,
}

enum State<R: BufRead> {
    Between(R),
    Gzip(GzDecoder<R>),
    Zstd(Box<Frame<R>>),
    Xz(Box<XzReader<R>>),
    Done,
}

impl<R: BufRead> Parts<'_, R> {
    /// Begins the next part, if there is one.
    fn begin(&mut self, mut input: R) -> io::Result<State<R>> {
        skip_zeros(&mut input)?;
        let start = input.fill_buf()?;
        if start.is_empty() {
            return Ok(State::Done);
        }
        if Packing::of(start) != Some(self.packing) {
            self.has_more.set(true);
            return Ok(State::Done);
        }
        Ok(match self.packing {
            Packing::Gzip => State::Gzip(GzDecoder::new(input)),
            Packing::Zstd => match Frame::begin(input)? {
                Ok(frame) => State::Zstd(Box::new(frame)),
                Err(input) => State::Between(input),
            },
            Packing::Xz => {
                let reader = XzReader::new_mem_limit(input, false, XZ_MEMORY_KIB);
                State::Xz(Box::new(reader))
            }
        })
    }
}

impl<R: BufRead> Read for Parts<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let read = match &mut self.state {
                State::Done => return Ok(0),
                State::Between(_) => 0,
                State::Gzip(part) => part.read(buffer)?,
                State::Zstd(part) => part.read(buffer)?,
                State::Xz(part) => part.read(buffer).map_err(of_xz)?,
            };
            if read > 0 {
                return Ok(read);
            }
            // After an error nothing more can be read.
            let input = match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(0),
                State::Between(input) => input,
                State::Gzip(part) => part.into_inner(),
                State::Zstd(part) => part.input,
                State::Xz(part) => part.into_inner(),
            };
            self.state = self.begin(input)?;
        }
    }
}

/// Skips zeros, which fill the blocks of a tape.
fn skip_zeros(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let start = input.fill_buf()?;
        let zeros = start.iter().take_while(|byte| **byte == 0).count();
        let all = zeros == start.len();
        input.consume(zeros);
        if !all || zeros == 0 {
            return Ok(());
        }
    }
}

/// Reads one frame of a zstd file.
struct Frame<R: BufRead> {
    input: R,
    decoder: FrameDecoder,
}

impl<R: BufRead> Frame<R> {
    /// Begins a frame. Skips a frame without content, and returns the input behind it.
    fn begin(mut input: R) -> io::Result<Result<Self, R>> {
        use FrameDecoderError::ReadFrameHeaderError as Header;
        let mut decoder = FrameDecoder::new();
        match decoder.init(&mut input) {
            Ok(()) => Ok(Ok(Self { input, decoder })),
            Err(Header(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let mut skipped = (&mut input).take(length.into());
                io::copy(&mut skipped, &mut io::sink())?;
                Ok(Err(input))
            }
            Err(error) => Err(damaged(error)),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        let sum = self.decoder.get_checksum_from_data();
        if sum.is_some() && sum != self.decoder.get_calculated_checksum() {
            return Err(damaged("the checksum of a frame is wrong"));
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            let wanted = BlockDecodingStrategy::UptoBytes(buffer.len());
            self.decoder
                .decode_blocks(&mut self.input, wanted)
                .map_err(damaged)?;
        }
        let read = self.decoder.read(buffer)?;
        if read == 0 {
            self.end()?;
        }
        Ok(read)
    }
}

fn of_xz(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::OutOfMemory => damaged(format!(
            "unpacking it needs more than {} MiB of memory",
            XZ_MEMORY_KIB / 1024
        )),
        _ => error,
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
