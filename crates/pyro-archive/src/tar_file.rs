//! A *tar file* is a sequence of headers, each followed by its content, in blocks of 512 bytes.
//!
//! The headers' fields are read by the `tar` crate. The sequence is read here, because its reader
//! keeps long names and attributes of any length in memory, and takes the end of a file that was
//! cut for the end of the archive.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use tar::{EntryType, Header};

use crate::error::{Error, Refusal};
use crate::member::{Content, Member, MemberPath, What};
use crate::time::Time;

const BLOCK: usize = 512;

/// The type of a member that only names the tape, which GNU tar writes.
const VOLUME_LABEL: u8 = b'V';

/// More than an image can hold, which is 16 TiB; so many of them can be added up.
const LARGEST_FILE_BYTES: u64 = 1 << 44;
/// Longest name or set of attributes in front of a member, in bytes.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// What comes in front of a member because its header has no room for it.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    size: Option<Vec<u8>>,
    modified: Option<Vec<u8>>,
    sparse: bool,
}

/// Reads all members but the root.
pub(crate) fn each(
    input: &mut dyn Read,
    archive: &Path,
    visit: &mut dyn FnMut(Member, &mut dyn Content) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut tar = TarFile { input, archive };
    let mut extensions = Extensions::default();
    while let Some(header) = tar.header()? {
        let kind = header.entry_type();
        match kind {
            EntryType::GNULongName => extensions.name = Some(tar.name(&header)?),
            EntryType::GNULongLink => extensions.target = Some(tar.name(&header)?),
            EntryType::XHeader => {
                let attributes = tar.extension(&header)?;
                extensions
                    .read(&attributes)
                    .ok_or_else(|| tar.damaged("a pax header is broken"))?;
            }
            // What global attributes and volume labels say does not matter here.
            kind if kind == EntryType::XGlobalHeader || kind.as_byte() == VOLUME_LABEL => {
                tar.extension(&header)?;
            }
            _ => {
                let extensions = std::mem::take(&mut extensions);
                let (member, size) = member(&header, extensions)?;
                let mut content = TarContent {
                    tar: &mut tar,
                    left: size,
                };
                if !member.path.is_root() {
                    visit(member, &mut content)?;
                }
                let left = content.left;
                tar.skip(left)?;
                tar.skip(padding(size))?;
            }
        }
    }
    // Checksums are at the end of what is compressed.
    io::copy(tar.input, &mut io::sink()).map_err(fault(archive))?;
    Ok(())
}

/// Turns an error of reading an archive into one of ours: a medium that cannot be read is not an
/// archive that is damaged.
pub(crate) fn fault(archive: &Path) -> impl Fn(io::Error) -> Error {
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

struct TarFile<'a> {
    input: &'a mut dyn Read,
    archive: &'a Path,
}

impl TarFile<'_> {
    /// Returns the next header, or none at the archive's end mark.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        let mut header = Header::new_old();
        self.fill(header.as_mut_bytes())?;
        let bytes = header.as_bytes();
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The field itself, from 148 to 156, counts as spaces.
        let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
        let expected = sum(&bytes[..148]) + 8 * u32::from(b' ') + sum(&bytes[156..]);
        if header.cksum().ok() != Some(expected) {
            return Err(self.damaged("there is something else where a member should begin"));
        }
        Ok(Some(header))
    }

    /// Returns the content of a member that is a part of another member's header.
    fn extension(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        let size = header.entry_size().unwrap_or(u64::MAX);
        if size > LONGEST_EXTENSION {
            return Err(self.damaged("a header is too long"));
        }
        let mut content = vec![0; usize::try_from(size).expect("it is at most a MiB")];
        self.fill(&mut content)?;
        self.skip(padding(size))?;
        Ok(content)
    }

    fn name(&mut self, header: &Header) -> Result<Vec<u8>, Error> {
        let mut name = self.extension(header)?;
        if let Some(end) = name.iter().position(|byte| *byte == 0) {
            name.truncate(end);
        }
        Ok(name)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.input.read_exact(buffer).map_err(fault(self.archive))
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        let skipped = io::copy(&mut (&mut *self.input).take(bytes), &mut io::sink());
        match skipped.map_err(fault(self.archive))? {
            skipped if skipped == bytes => Ok(()),
            _ => Err(fault(self.archive)(ErrorKind::UnexpectedEof.into())),
        }
    }

    fn damaged(&self, problem: &str) -> Error {
        Error::Damaged {
            path: self.archive.to_owned(),
            problem: problem.into(),
        }
    }
}

struct TarContent<'a, 'b> {
    tar: &'a mut TarFile<'b>,
    left: u64,
}

impl Content for TarContent<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if wanted == 0 {
            return Ok(0);
        }
        loop {
            match self.tar.input.read(&mut buffer[..wanted]) {
                Ok(0) => return Err(fault(self.tar.archive)(ErrorKind::UnexpectedEof.into())),
                Ok(read) => {
                    self.left -= read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(fault(self.tar.archive)(error)),
            }
        }
    }
}

impl Extensions {
    /// Takes what matters from pax attributes, the last of each. None if they are broken.
    fn read(&mut self, mut attributes: &[u8]) -> Option<()> {
        while !attributes.is_empty() {
            let (key, value, rest) = attribute(attributes)?;
            attributes = rest;
            let value = Some(value.to_vec());
            match key {
                b"path" => self.name = value,
                b"linkpath" => self.target = value,
                b"size" => self.size = value,
                b"mtime" => self.modified = value,
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
        }
        Some(())
    }
}

/// Returns the first pax attribute's key and value, and what follows it. Its length, which counts
/// itself, says where it ends: names may contain newlines.
fn attribute(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let (attribute, rest) = bytes.split_at_checked(length)?;
    let attribute = attribute.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = attribute.iter().position(|byte| *byte == b'=')?;
    Some((&attribute[..equals], &attribute[equals + 1..], rest))
}

/// Returns the member that a header and what came before it describe, and the size of what
/// follows it.
fn member(header: &Header, extensions: Extensions) -> Result<(Member, u64), Error> {
    let name = match extensions.name {
        Some(name) => name,
        None => header.path_bytes().into_owned(),
    };
    let refuse = |refusal| Error::refused(&name, refusal);
    if extensions.sparse || header.entry_type() == EntryType::GNUSparse {
        return Err(refuse(Refusal::Sparse));
    }
    let path = MemberPath::parse(&name)?;
    let target = match extensions.target {
        Some(target) => target,
        None => header.link_name_bytes().unwrap_or_default().into_owned(),
    };
    let size = match extensions.size {
        Some(size) => std::str::from_utf8(&size)
            .ok()
            .and_then(|size| size.parse().ok()),
        None => header.entry_size().ok(),
    };
    let size = size.filter(|size: &u64| *size <= LARGEST_FILE_BYTES);
    let size = size.ok_or_else(|| refuse(Refusal::BadHeader))?;
    let modified = match extensions.modified {
        Some(modified) => Time::from_decimal(&modified),
        None => header.mtime().ok().map(|seconds| Time {
            // Times before 1970 are negative numbers of as many bits.
            seconds: seconds.cast_signed(),
            nanoseconds: 0,
        }),
    };
    let what = match header.entry_type() {
        // As old programs mark them.
        EntryType::Regular if name.ends_with(b"/") => What::Directory,
        EntryType::Regular | EntryType::Continuous => What::File { size },
        EntryType::Directory => What::Directory,
        EntryType::Symlink => What::Symlink { target },
        EntryType::Link => What::HardLink {
            target: MemberPath::parse(&target).map_err(|_| refuse(Refusal::StrayHardLink))?,
        },
        _ => return Err(refuse(Refusal::UnsupportedType)),
    };
    if path.is_root() && !matches!(what, What::Directory) {
        return Err(refuse(Refusal::UnsafePath));
    }
    if size > 0 && !matches!(what, What::File { .. }) {
        return Err(refuse(Refusal::Content));
    }
    let member = Member {
        mode: header.mode().map_err(|_| refuse(Refusal::BadHeader))?,
        modified: modified.ok_or_else(|| refuse(Refusal::BadHeader))?,
        path,
        what,
    };
    Ok((member, size))
}

/// Returns how many bytes fill the last block.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}
