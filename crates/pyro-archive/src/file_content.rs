//! The *content of a file* of the host. Its holes are not read.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::fs::{SeekFrom, Stat};

use crate::content::{Content, Piece};
use crate::error::Error;
use crate::pax::MOST_EXTENTS;
use crate::progress::Meter;
use crate::sparse::{Extent, Extents};

/// The unit of `st_blocks`, whatever the file system's is.
const STAT_BLOCK: u64 = 512;
/// How git's file that is in the place of a directory begins.
const GIT_DATA: &[u8] = b"gitdir: ";

/// Reads as many bytes of a file as it had when it was opened, without its holes. Bytes that are
/// added later are not read.
pub(crate) struct FileContent<'a, 'b> {
    file: File,
    path: PathBuf,
    /// The next one is the last.
    extents: Vec<Extent>,
    meter: &'a mut Meter<'b>,
}

impl<'a, 'b> FileContent<'a, 'b> {
    pub(crate) fn new(
        file: File,
        path: PathBuf,
        size: u64,
        extents: Option<&Extents>,
        meter: &'a mut Meter<'b>,
    ) -> Self {
        let whole = Extent {
            offset: 0,
            length: size,
        };
        let extents = match extents {
            Some(extents) => extents.as_slice().iter().rev().copied().collect(),
            None if size == 0 => Vec::new(),
            None => vec![whole],
        };
        Self {
            file,
            path,
            extents,
            meter,
        }
    }
}

impl Content for FileContent<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Error> {
        let Some(extent) = self.extents.last_mut() else {
            return Ok(Piece::End);
        };
        let wanted = usize::try_from(extent.length).map_or(buffer.len(), |l| l.min(buffer.len()));
        loop {
            match self.file.read_at(&mut buffer[..wanted], extent.offset) {
                Ok(0) => {
                    return Err(Error::Changed {
                        path: self.path.clone(),
                    });
                }
                Ok(read) => {
                    extent.offset += read as u64;
                    extent.length -= read as u64;
                    if extent.length == 0 {
                        self.extents.pop();
                    }
                    self.meter.add(read);
                    return Ok(Piece::Data(read));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Error::Unreadable {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
    }
}

/// Returns the extents of a file's content; none if there are no holes, or if the file system does
/// not tell.
pub(crate) fn extents(file: &File, stat: &Stat, size: u64) -> Option<Extents> {
    let stored = u64::try_from(stat.st_blocks).unwrap_or_default() * STAT_BLOCK;
    if stored >= size {
        return None;
    }
    let mut found = Vec::new();
    let mut position = 0;
    while position < size {
        let offset = match rustix::fs::seek(file, SeekFrom::Data(position)) {
            Ok(offset) => offset,
            // Nothing but a hole up to the end.
            Err(rustix::io::Errno::NXIO) => break,
            Err(_) => return None,
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(offset))
            .ok()?
            .min(size);
        // It has changed, or grown.
        if end <= offset || found.len() == MOST_EXTENTS {
            break;
        }
        found.push(Extent {
            offset,
            length: end - offset,
        });
        position = end;
    }
    if found.len() == MOST_EXTENTS {
        return None;
    }
    let extents = Extents::checked(found, size)?;
    (extents.data() < size).then_some(extents)
}

/// Returns where a file `.git` says that git's data are.
pub(crate) fn git_data(file: &File) -> Option<Vec<u8>> {
    let mut start = [0; 4096];
    let read = file.read_at(&mut start, 0).ok()?;
    let path = start[..read].strip_prefix(GIT_DATA)?;
    let line = path.split(|byte| *byte == b'\n').next()?;
    Some(line.trim_ascii().to_vec())
}
