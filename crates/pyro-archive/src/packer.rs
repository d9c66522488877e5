//! A *packer* compresses what is written to it.

use std::fmt;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// The size of the content of one zstd frame. Larger frames would not compress better: the
/// compressor looks back 128 KiB.
const FRAME: usize = 1024 * 1024;

/// How a file is packed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// As gzip does it.
    Gzip,
    /// As zstd does it, in frames of 1 MiB.
    Zstd,
}

/// A writer that compresses. Its output is complete only after [`finish`](Self::finish).
pub struct Packer<'a>(Way<'a>);

enum Way<'a> {
    Plain(Box<dyn Write + 'a>),
    Gzip(GzEncoder<Box<dyn Write + 'a>>),
    Zstd(Box<dyn Write + 'a>, Vec<u8>),
}

impl<'a> Packer<'a> {
    /// Compresses into an output.
    pub fn new(packing: Packing, output: impl Write + 'a) -> Self {
        let output: Box<dyn Write> = Box::new(output);
        Self(match packing {
            Packing::Plain => Way::Plain(output),
            Packing::Gzip => Way::Gzip(GzEncoder::new(output, Compression::default())),
            Packing::Zstd => Way::Zstd(output, Vec::with_capacity(FRAME)),
        })
    }

    /// Writes the rest.
    pub fn finish(self) -> io::Result<()> {
        match self.0 {
            Way::Plain(mut output) => output.flush(),
            Way::Gzip(encoder) => encoder.finish()?.flush(),
            Way::Zstd(mut output, frame) => {
                write_frame(&mut output, &frame)?;
                output.flush()
            }
        }
    }
}

impl Write for Packer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::Plain(output) => output.write(bytes),
            Way::Gzip(encoder) => encoder.write(bytes),
            Way::Zstd(output, frame) => {
                if frame.len() == FRAME {
                    write_frame(output, frame)?;
                    frame.clear();
                }
                let taken = bytes.len().min(FRAME - frame.len());
                frame.extend_from_slice(&bytes[..taken]);
                Ok(taken)
            }
        }
    }

    /// Does nothing: flushing in the middle would make the output larger.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses from memory to memory, because the compressor panics when reading or writing fails.
fn write_frame(output: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    output.write_all(&compress_to_vec(bytes, CompressionLevel::Fastest))
}

impl fmt::Debug for Packer<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            Way::Plain(_) => "Plain",
            Way::Gzip(_) => "Gzip",
            Way::Zstd(..) => "Zstd",
        };
        formatter.debug_tuple("Packer").field(&name).finish()
    }
}
