//! A *tar file* is a sequence of headers, each followed by its content, in blocks of 512 bytes.
//!
//! It is read here and not by a crate, because those keep long names and attributes of any length
//! in memory, do not tell the end of a file that was cut from the end of the archive, and write
//! out holes.

use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, Refusal};
use crate::header::{BLOCK, Header};
use crate::kind_of_file;
use crate::member::{Content, Member, MemberPath, Piece, What};
use crate::pax::Attributes;
use crate::report::{Reason, Warning};
use crate::selection::plain;
use crate::source::Reading;
use crate::sparse::{Extents, Sparse};
use crate::tar_member::{Described, Form};
use crate::tar_sparse;
use crate::time::Time;

/// Longest name or set of attributes in front of a member, in bytes.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// Reads all members but the root.
pub(crate) fn each(
    input: &mut dyn Read,
    archive: &Path,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let mut tar = TarFile {
        input,
        archive,
        pushed_back: Vec::new(),
        headers: 0,
        has_ended: false,
    };
    let mut attributes = Attributes::default();
    let mut of_all: Option<Time> = None;
    while let Some(header) = tar.header()? {
        match header.kind() {
            b'L' => attributes.name = Some(tar.name(&header)?),
            b'K' => attributes.target = Some(tar.name(&header)?),
            // As Solaris marks the same.
            b'x' | b'X' => {
                let bytes = tar.extension(&header)?;
                let read = attributes.read(&bytes);
                read.ok_or_else(|| tar.damaged("a pax header is broken"))?;
            }
            // Of what is said of all members only the time can be meant for each.
            b'g' => {
                let bytes = tar.extension(&header)?;
                let mut global = Attributes::default();
                if global.read(&bytes).is_some() {
                    of_all = global.modified.or(of_all);
                }
            }
            // A label of the tape, or permissions in a form of Solaris.
            b'V' | b'A' => tar.skip_content(header.size().unwrap_or_default())?,
            _ => {
                let mut attributes = std::mem::take(&mut attributes);
                attributes.modified = attributes.modified.or(of_all);
                member(&mut tar, &header, attributes, reading)?;
            }
        }
    }
    tar.end(reading)
}

/// Reads the member that a header and what came before it describe.
fn member(
    tar: &mut TarFile<'_>,
    header: &Header,
    attributes: Attributes,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let described = Described::new(header, attributes)?;
    let has_content = described.form.has_content()
        || described.stored > 0 && (described.is_sure_of_size || !tar.is_header_next()?);
    let stored = if has_content { described.stored } else { 0 };
    let is_directory = described.form == Form::Directory;
    let name = plain(&described.name);
    if reading.excludes(&name, is_directory) {
        return tar.skip_content(stored);
    }
    if described.form == Form::Device {
        reading.leave_out(&name, Reason::Device);
        return tar.skip_content(stored);
    }
    let path = MemberPath::parse(&described.name)?;
    if path.is_root() {
        return match described.form {
            Form::Directory => tar.skip_content(stored),
            _ => Err(Error::refused(&described.name, Refusal::UnsafePath)),
        };
    }
    let mut content = TarContent { tar, left: stored };
    let what = match described.what(&path, &mut content)? {
        What::HardLink { target } if reading.excludes(target.as_bytes(), false) => {
            reading.leave_out(path.as_bytes(), Reason::Excluded);
            return content.tar.skip_content(stored);
        }
        what => what,
    };
    let file = Member {
        path,
        mode: described.mode(header),
        modified: described.modified(header),
        what,
    };
    if let What::File {
        size,
        extents: Some(extents),
    } = &file.what
    {
        let (size, extents) = (*size, extents.clone());
        reading.take(file, &mut Sparse::new(&mut content, &extents, size))?;
    } else if matches!(file.what, What::File { .. }) {
        reading.take(file, &mut content)?;
    } else {
        reading.take(file, &mut crate::member::Nothing)?;
    }
    let left = content.left;
    tar.skip(left)?;
    tar.skip_padding(stored)
}

impl Described {
    /// Returns what the member is. Reads the map of a sparse file if it is in front of its content.
    fn what(&self, path: &MemberPath, content: &mut TarContent<'_, '_>) -> Result<What, Error> {
        let refuse = |refusal| Error::refused(&self.name, refusal);
        Ok(match self.form {
            Form::Directory => What::Directory,
            Form::Fifo | Form::Device => What::Fifo,
            Form::Symlink => What::Symlink {
                target: self.target.clone(),
            },
            Form::HardLink => What::HardLink {
                target: MemberPath::parse(&self.target)
                    .map_err(|_| refuse(Refusal::StrayHardLink))?,
            },
            Form::File => What::File {
                size: self.stored,
                extents: None,
            },
            Form::OldSparse | Form::Sparse => {
                let (size, extents) = tar_sparse::map(self, content)?;
                // What is stored are the extents, no more and no less.
                let extents = Extents::checked(extents, size);
                let extents = extents.filter(|extents| extents.data() == content.left);
                let extents =
                    extents.ok_or_else(|| Error::refused(path.as_bytes(), Refusal::BadSparse))?;
                What::File {
                    size,
                    extents: Some(extents),
                }
            }
        })
    }
}

/// Turns an error of reading an archive into one of ours: a medium that cannot be read is not an
/// archive that is damaged.
pub(crate) fn fault(archive: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| {
        let path = archive.to_owned();
        if source.raw_os_error().is_some() {
            return Error::Unreadable { path, source };
        }
        let problem = match source.kind() {
            ErrorKind::UnexpectedEof => "it ends too early".into(),
            _ => source.to_string(),
        };
        Error::Damaged { path, problem }
    }
}

pub(crate) struct TarFile<'a> {
    input: &'a mut dyn Read,
    archive: &'a Path,
    /// A block that was looked at too soon.
    pushed_back: Vec<u8>,
    headers: u64,
    /// There was a mark of the end.
    has_ended: bool,
}

impl TarFile<'_> {
    /// Returns the next header, or none at the end.
    fn header(&mut self) -> Result<Option<Header>, Error> {
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
    fn is_header_next(&mut self) -> Result<bool, Error> {
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
    fn end(&mut self, reading: &mut Reading<'_>) -> Result<(), Error> {
        if !self.has_ended {
            reading.warn(Warning::NoEndMark);
        }
        let mut buffer = vec![0; 64 * 1024];
        let mut has_more = false;
        loop {
            match self.read(&mut buffer)? {
                0 => break,
                read => has_more |= buffer[..read].iter().any(|byte| *byte != 0),
            }
        }
        if has_more {
            reading.warn(Warning::MoreAfterEnd);
        }
        Ok(())
    }

    /// Returns the content of a member that is a part of another member's header.
    fn extension(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        let size = header.size().unwrap_or(u64::MAX);
        if size > LONGEST_EXTENSION {
            return Err(self.damaged("a header is too long"));
        }
        let mut content = vec![0; usize::try_from(size).expect("it is at most a MiB")];
        self.fill(&mut content)?;
        self.skip_padding(size)?;
        Ok(content)
    }

    fn name(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
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

    fn skip_content(&mut self, size: u64) -> Result<(), Error> {
        self.skip(size)?;
        self.skip_padding(size)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
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

    /// Skips what fills the last block. At the end of the file it may be missing: all that it
    /// belongs to is there.
    fn skip_padding(&mut self, size: u64) -> Result<(), Error> {
        let rest = usize::try_from(size.wrapping_neg() % BLOCK as u64).expect("less than a block");
        self.fill_some(&mut [0; BLOCK][..rest]).map(drop)
    }

    fn damaged(&self, problem: &str) -> Error {
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

/// What is stored of a member.
pub(crate) struct TarContent<'a, 'b> {
    pub(crate) tar: &'a mut TarFile<'b>,
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
