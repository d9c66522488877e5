//! A *direct* write goes to the disk and not into the page cache. For a large file, under software
//! emulation, that takes a third less time than the copies and the work for each page of the cache.

use std::fs::File;
use std::io::{self, Read, Write as _};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;

/// Smaller files are read soon, and have few pages.
const LARGE_BYTES: u64 = 4 * 1024 * 1024;
const PIECE_BYTES: usize = 1024 * 1024;
/// No disk asks for more.
const ALIGNMENT: usize = 4096;

/// Writes the beginning of a large content to an empty file; returns how many bytes. The rest is
/// the caller's, which is all of it where the file system has no such writes.
pub(super) fn write(file: &mut File, content: &mut impl Read, length: u64) -> io::Result<u64> {
    if length < LARGE_BYTES || fcntl_setfl(&*file, OFlags::DIRECT).is_err() {
        return Ok(0);
    }
    let mut buffer = vec![0; PIECE_BYTES + ALIGNMENT];
    let begin = buffer.as_ptr().align_offset(ALIGNMENT);
    let piece = &mut buffer[begin..begin + PIECE_BYTES];
    let mut written = 0;
    let mut is_direct = true;
    while is_direct && length - written >= PIECE_BYTES as u64 {
        content.read_exact(piece)?;
        let count = match rustix::io::write(&*file, piece) {
            Ok(count) => count,
            Err(Errno::INVAL) => 0,
            Err(error) => return Err(error.into()),
        };
        is_direct = count == PIECE_BYTES;
        if !is_direct {
            fcntl_setfl(&*file, OFlags::empty())?;
            file.write_all(&piece[count..])?;
        }
        written += PIECE_BYTES as u64;
    }
    fcntl_setfl(&*file, OFlags::empty())?;
    Ok(written)
}
