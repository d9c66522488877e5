//! A *compressed* file is one that has to be unpacked while it is read. Which way, its first bytes
//! say.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::progress::Meter;

const BUFFER: usize = 256 * 1024;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Returns what is in a file, unpacked if it is packed.
pub(crate) fn open<'a>(file: &'a File, meter: Meter<'a>) -> io::Result<Box<dyn Read + 'a>> {
    let raw = Raw {
        file,
        position: 0,
        meter,
    };
    let mut raw = BufReader::with_capacity(BUFFER, raw);
    let start = raw.fill_buf()?;
    Ok(if start.starts_with(GZIP) {
        Box::new(buffered(MultiGzDecoder::new(raw)))
    } else if start.starts_with(ZSTD) {
        Box::new(buffered(Frames {
            input: raw,
            decoder: FrameDecoder::new(),
            inside: false,
        }))
    } else {
        Box::new(raw)
    })
}

/// Headers are read in pieces of 512 bytes, for which unpackers are slow.
fn buffered<R: Read>(unpacked: R) -> BufReader<R> {
    BufReader::with_capacity(BUFFER, unpacked)
}

/// A file from its beginning, whatever its own position is.
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
            self.meter.tell();
        }
        Ok(read)
    }
}

/// What is in the frames of a zstd file, one after the other.
struct Frames<R: BufRead> {
    input: R,
    decoder: FrameDecoder,
    inside: bool,
}

impl<R: BufRead> Frames<R> {
    /// Begins the next frame that has content, and returns whether there is one.
    fn begin(&mut self) -> io::Result<bool> {
        use FrameDecoderError::ReadFrameHeaderError as Header;
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.init(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(Header(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let mut skipped = (&mut self.input).take(length.into());
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(damaged(error)),
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        let sum = self.decoder.get_checksum_from_data();
        if sum.is_some() && sum != self.decoder.get_calculated_checksum() {
            return Err(damaged("the checksum of a frame is wrong"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.inside {
                self.inside = self.begin()?;
                if !self.inside {
                    return Ok(0);
                }
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let wanted = BlockDecodingStrategy::UptoBytes(buffer.len());
                self.decoder
                    .decode_blocks(&mut self.input, wanted)
                    .map_err(damaged)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.end()?;
            self.inside = false;
        }
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
