//! A *stream* is an archive as a tar file of one form, whatever it was before: parents before
//! children, everything root's, and at its end a member that says how much there was.

use std::io::{self, Write};

use tar::{EntryType, Header};

use crate::Report;
use crate::content::{Content, Piece};
use crate::error::{Error, Refusal};
use crate::member::{IMPLIED_MODE, MODE_BITS, Member, What};
use crate::path_list::{PathLimits, PathList};
use crate::progress::Progress;
use crate::source::Source;
use crate::sparse::{Extent, Extents};
use crate::time::Time;
use crate::tree::Tree;

/// The name of a stream's last member. Its content is a line of JSON, `{"entries":N,"bytes":M}`:
/// how many members came before it, and how many bytes their regular files have, including holes.
/// So a receiver that ignores holes notices that bytes are missing. A stream without this member
/// was cut. The guest's agent uses the same name.
pub const END_MEMBER: &str = ".pyro-end";

const BLOCK: usize = 512;
const BUFFER: usize = 256 * 1024;

/// Extents that one file may have: their map has to be sent, and kept in the guest.
const MOST_EXTENTS: usize = 1 << 14;

/// Modification times up to here fit into a header, as octal numbers of 11 digits.
const LATEST: i64 = 0o777_7777_7777;

/// Writes a source as a tar stream with GNU headers. Names of more than 100 bytes become GNU long
/// names (a pax attribute must be UTF-8). Times with nanoseconds become pax attributes, and so does
/// the map of a file with holes, of which only the content is written: the sparse format 0.1 of GNU
/// tar. The root itself is not in the stream. Parent directories that a tar file does not mention
/// are, and so is each of several members with one name.
///
/// Fails as soon as the receiver would not take the paths; [`Source::check_paths`] may find that
/// out before.
///
/// Writes in pieces of up to 256 KiB, and keeps to the pace of the output. After an error the
/// stream has no [`END_MEMBER`], and whoever receives it must not use what came.
pub fn write_tar(
    source: &Source,
    output: impl Write,
    limits: PathLimits,
    progress: &dyn Fn(Progress),
) -> Result<Report, Error> {
    let mut list = PathList::new(limits);
    let now = Time::now();
    let mut tree = Tree::new(now);
    let mut stream = Stream::new(output, (0, 0));
    let report = source.each(progress, &mut |member, content| {
        if member.path.as_bytes() == END_MEMBER.as_bytes() {
            return Err(Error::refused(member.path.as_bytes(), Refusal::Reserved));
        }
        list.add(member.path.as_bytes(), member.is_directory())?;
        let added = tree.add(&member)?;
        if added.is_known {
            return Ok(());
        }
        list.add_parents(member.path.as_bytes(), added.implied)?;
        stream.parents(member.path.as_bytes(), added.implied, now)?;
        stream.member(&member, content)
    })?;
    stream.finish(report.bytes_written, now)?;
    Ok(report)
}

/// A tar file that is written.
pub(crate) struct Stream<W: Write> {
    output: io::BufWriter<W>,
    buffer: Vec<u8>,
    members: u64,
    /// Whose everything is: a user's and a group's number.
    owner: (u32, u32),
}

impl<W: Write> Stream<W> {
    pub(crate) fn new(output: W, owner: (u32, u32)) -> Self {
        Self {
            output: io::BufWriter::with_capacity(BUFFER, output),
            buffer: vec![0; BUFFER],
            members: 0,
            owner,
        }
    }

    /// Writes the last parents of a path.
    fn parents(&mut self, path: &[u8], count: usize, now: Time) -> Result<(), Error> {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends: Vec<usize> = slashes.map(|(end, _)| end).collect();
        for end in &ends[ends.len() - count..] {
            let header = header(EntryType::Directory, IMPLIED_MODE, now);
            self.header(header, &path[..*end], b"", now, Vec::new())?;
        }
        Ok(())
    }

    pub(crate) fn member(
        &mut self,
        member: &Member,
        content: &mut dyn Content,
    ) -> Result<(), Error> {
        let mut extents = None;
        let (kind, mode, stored, target) = match &member.what {
            What::Directory => (EntryType::Directory, member.mode, 0, &b""[..]),
            What::File {
                size,
                extents: with_holes,
            } => {
                let with_holes = with_holes.as_ref();
                let with_holes = with_holes.map(|all| all.for_stream(MOST_EXTENTS, *size));
                extents = with_holes.filter(|extents| extents.data() < *size);
                let stored = extents.as_ref().map_or(*size, Extents::data);
                (EntryType::Regular, member.mode, stored, &b""[..])
            }
            What::Symlink { target } => (EntryType::Symlink, 0o777, 0, &target[..]),
            What::HardLink { target } => (EntryType::Link, member.mode, 0, target.as_bytes()),
            What::Fifo => (EntryType::Fifo, member.mode, 0, &b""[..]),
        };
        let mut attributes = Vec::new();
        let mut header = header(kind, mode & MODE_BITS, member.modified);
        if let (What::File { size, .. }, Some(extents)) = (&member.what, &extents) {
            attributes = map(*size, extents);
            // In front of a header of its own form GNU tar looks for no map.
            header.as_mut_bytes()[257..265].copy_from_slice(b"ustar\x0000");
        }
        header.set_size(stored);
        let path = member.path.as_bytes();
        self.header(header, path, target, member.modified, attributes)?;
        self.content(content, extents.as_ref())?;
        self.pad(stored)
    }

    /// Writes a member's header, and before it what does not fit into it.
    fn header(
        &mut self,
        mut header: Header,
        path: &[u8],
        target: &[u8],
        modified: Time,
        mut attributes: Vec<u8>,
    ) -> Result<(), Error> {
        self.members += 1;
        if modified.nanoseconds > 0 || !(0..=LATEST).contains(&modified.seconds) {
            attributes.extend(attribute("mtime", &modified.to_decimal()));
        }
        if !attributes.is_empty() {
            self.extension(EntryType::XHeader, b"PaxHeaders", &attributes)?;
        }
        // Directories end in a slash for readers that know no types.
        let mut path = path.to_vec();
        if header.entry_type() == EntryType::Directory {
            path.push(b'/');
        }
        let fields = header.as_old_mut();
        for (value, field, kind) in [
            (&path[..], &mut fields.name, EntryType::GNULongName),
            (target, &mut fields.linkname, EntryType::GNULongLink),
        ] {
            let fitting = value.len().min(field.len());
            field[..fitting].copy_from_slice(&value[..fitting]);
            if fitting < value.len() {
                let terminated = [value, b"\0"].concat();
                self.extension(kind, b"././@LongLink", &terminated)?;
            }
        }
        header.set_uid(self.owner.0.into());
        header.set_gid(self.owner.1.into());
        header.set_cksum();
        self.write(header.as_bytes())
    }

    fn extension(&mut self, kind: EntryType, name: &[u8], content: &[u8]) -> Result<(), Error> {
        let mut header = header(kind, 0o644, Time::EPOCH);
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.write(header.as_bytes())?;
        self.write(content)?;
        self.pad(content.len() as u64)
    }

    /// Writes a content, or of one with holes what belongs to its extents: these may have small
    /// holes in them.
    fn content(
        &mut self,
        content: &mut dyn Content,
        extents: Option<&Extents>,
    ) -> Result<(), Error> {
        let mut ahead = extents
            .map(Extents::as_slice)
            .unwrap_or_default()
            .iter()
            .peekable();
        let mut position = 0;
        loop {
            match content.read(&mut self.buffer)? {
                Piece::End => return Ok(()),
                Piece::Data(read) => {
                    self.output.write_all(&self.buffer[..read]).map_err(fault)?;
                    position += read as u64;
                }
                Piece::Hole(length) if extents.is_none() => self.zeros(length)?,
                Piece::Hole(length) => {
                    let end = position + length;
                    while let Some(extent) = ahead.peek() {
                        let from = extent.offset.max(position);
                        self.zeros(extent.end().min(end).saturating_sub(from))?;
                        if extent.end() > end {
                            break;
                        }
                        ahead.next();
                    }
                    position = end;
                }
            }
        }
    }

    fn zeros(&mut self, mut count: u64) -> Result<(), Error> {
        while count > 0 {
            let now = usize::try_from(count).map_or(BLOCK, |count| count.min(BLOCK));
            self.write(&[0; BLOCK][..now])?;
            count -= now as u64;
        }
        Ok(())
    }

    fn finish(mut self, bytes: u64, now: Time) -> Result<(), Error> {
        let content = format!("{{\"entries\":{},\"bytes\":{bytes}}}\n", self.members);
        let mut header = header(EntryType::Regular, 0o644, now);
        header.set_size(content.len() as u64);
        let now = Time {
            nanoseconds: 0,
            ..now
        };
        self.header(header, END_MEMBER.as_bytes(), b"", now, Vec::new())?;
        self.write(content.as_bytes())?;
        self.pad(content.len() as u64)?;
        self.end().map(drop)
    }

    /// Writes the mark of the end, and returns the output.
    pub(crate) fn end(mut self) -> Result<W, Error> {
        self.write(&[0; 2 * BLOCK])?;
        self.output.flush().map_err(fault)?;
        let output = self.output.into_inner();
        output.map_err(|error| fault(error.into_error()))
    }

    fn pad(&mut self, size: u64) -> Result<(), Error> {
        let rest = size.wrapping_neg() % BLOCK as u64;
        self.write(&[0; BLOCK][..usize::try_from(rest).expect("it is less than a block")])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.output.write_all(bytes).map_err(fault)
    }
}

/// Returns a header without names; everything is root's.
fn header(kind: EntryType, mode: u32, modified: Time) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header.set_mtime(modified.seconds.clamp(0, LATEST).cast_unsigned());
    header
}

/// Returns the attributes that say where the content of a file belongs.
fn map(size: u64, extents: &Extents) -> Vec<u8> {
    let extents = extents.as_slice();
    let pair = |extent: &Extent| format!("{},{}", extent.offset, extent.length);
    let mut pairs: Vec<String> = extents.iter().map(pair).collect();
    // GNU tar makes a file as long as its last extent says: one with nothing in it.
    if extents.last().is_none_or(|last| last.end() < size) {
        pairs.push(format!("{size},0"));
    }
    [
        attribute("GNU.sparse.size", &size.to_string()),
        attribute("GNU.sparse.numblocks", &pairs.len().to_string()),
        attribute("GNU.sparse.map", &pairs.join(",")),
    ]
    .concat()
}

/// Returns a pax attribute: its length, which counts itself, then key and value.
fn attribute(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}").into_bytes()
}

fn fault(source: io::Error) -> Error {
    Error::Write {
        output: "stream",
        source,
    }
}
