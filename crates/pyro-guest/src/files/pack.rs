//! Carries out [`Call::Pack`](pyro_protocol::Call::Pack) and
//! [`Call::PackRoot`](pyro_protocol::Call::PackRoot).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use pyro_protocol::{Answer, FilePath, PACKED_NAME, Refusal, RefusalReason, octets};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, major, minor};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use super::copy_root::{Attributes, OURS, at};
use super::list::{joined, names};
use super::{open, open_root, refusal, shown};
use crate::directories;
use crate::streams::task::{Outcome, Pipes};

const BLOCK: u64 = 512;
const BUFFER: usize = 256 * 1024;

/// Modification times up to here fit into a header, as octal numbers of 11 digits.
const LATEST: i64 = 0o777_7777_7777;

/// Writes a file, a symbolic link, or a directory with all that is in it.
pub(crate) fn pack(root: &Path, file: &FilePath, pipes: Pipes) -> Outcome {
    let base = open_root(root, file)?;
    let path = octets::decode(&file.path);
    let failed = |error| refusal(&shown(file), error);
    let (parent, name) = directories::split(&path);
    let directory = open(&base, parent, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
    let name: &[u8] = if name.is_empty() { b"." } else { name };
    let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
    if is_left_out(&stat) {
        return Err(failed(Errno::NXIO));
    }
    let mut stream = Stream::new(pipes.output, None);
    let packed = PACKED_NAME.as_bytes();
    let written = stream
        .entry(&directory, name, packed)
        .and_then(|is_directory| {
            if is_directory {
                stream.tree(&base, &path, packed)?;
            }
            Ok(())
        })
        .and_then(|()| stream.end());
    written.map_err(|error| {
        let message = format!("{}: {error}", shown(file));
        Refusal::new(RefusalReason::FileFailed, message)
    })?;
    if stream.packed.entries == 0 {
        return Err(failed(Errno::NOENT));
    }
    Ok(stream.packed.answer())
}

/// Writes the whole tree below `root`, with all that its files have.
pub(crate) fn pack_root(root: &Path, pipes: Pipes) -> Outcome {
    let failed = |error: io::Error| {
        let message = format!("the root file system: {error}");
        Refusal::new(RefusalReason::FileFailed, message)
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let base =
        rustix::fs::open(root, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
    let mut stream = Stream::new(pipes.output, Some(Attributes::new()));
    let written = stream.tree(&base, b"", b"").and_then(|()| stream.end());
    written.map_err(failed)?;
    Ok(stream.packed.answer())
}

#[derive(Default)]
struct Packed {
    entries: u64,
    bytes: u64,
    left_out: u64,
    changed: u64,
}

impl Packed {
    fn answer(self) -> Answer {
        Answer::Packed {
            entries: self.entries,
            bytes: self.bytes,
            left_out: self.left_out,
            changed: self.changed,
        }
    }
}

struct Stream<W: Write> {
    archive: Builder<BufWriter<W>>,
    buffer: Vec<u8>,
    /// The first names of files that have several, by device and inode.
    names: HashMap<(u64, u64), Vec<u8>>,
    packed: Packed,
    /// Present if a whole root file system is written: owners, extended attributes and devices, too.
    attributes: Option<Attributes>,
    /// The extended attributes of the next member.
    extended: Vec<(String, Vec<u8>)>,
}

impl<W: Write> Stream<W> {
    fn new(output: W, attributes: Option<Attributes>) -> Self {
        Self {
            archive: Builder::new(BufWriter::with_capacity(BUFFER, output)),
            buffer: vec![0; BUFFER],
            names: HashMap::new(),
            packed: Packed::default(),
            attributes,
            extended: Vec::new(),
        }
    }

    /// Writes a directory and what is below it. All of that comes before whatever is beside it: other
    /// programs that unpack give a directory its time when they come to something else.
    fn tree(&mut self, base: &OwnedFd, top: &[u8], packed: &[u8]) -> io::Result<()> {
        // Paths and not open directories: a tree may be deeper than the limit on open files.
        let mut left = vec![(top.to_vec(), packed.to_vec())];
        while let Some((path, packed)) = left.pop() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
            let directory = match open(base, &path, flags) {
                Ok(directory) => directory,
                // A command has removed or replaced it meanwhile.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::XDEV | Errno::LOOP) => continue,
                Err(error) => return Err(error.into()),
            };
            let stat = rustix::fs::fstat(&directory)?;
            let name: &[u8] = if packed.is_empty() { b"." } else { &packed };
            self.attributes(&directory, b".")?;
            self.header(EntryType::Directory, &stat, name, b"", 0)?;
            let mut below = Vec::new();
            for name in names(&directory)? {
                if packed.is_empty() && name == OURS {
                    continue;
                }
                let packed = joined(&packed, &name);
                if self.entry(&directory, &name, &packed)? {
                    below.push((joined(&path, &name), packed));
                }
            }
            left.extend(below.into_iter().rev());
        }
        Ok(())
    }

    /// Writes one entry of a directory, unless it is gone or a directory; returns whether it is one.
    fn entry(&mut self, directory: impl AsFd, name: &[u8], packed: &[u8]) -> io::Result<bool> {
        let stat = match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => return Ok(true),
            FileType::Symlink => match rustix::fs::readlinkat(&directory, name, Vec::new()) {
                Ok(target) => {
                    self.attributes(&directory, name)?;
                    self.header(EntryType::Symlink, &stat, packed, target.to_bytes(), 0)?;
                }
                // It is gone, or no link any more.
                Err(Errno::NOENT | Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            },
            FileType::RegularFile => {
                self.attributes(&directory, name)?;
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW;
                match open(&directory, name, flags) {
                    Ok(file) => self.file(file, packed)?,
                    // It is gone, or no file any more.
                    Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::XDEV) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            FileType::Socket => self.packed.left_out += 1,
            _ if self.attributes.is_none() => self.packed.left_out += 1,
            kind => {
                self.attributes(&directory, name)?;
                self.header(special(kind), &stat, packed, b"", 0)?;
            }
        }
        Ok(false)
    }

    /// Writes a file: as many bytes as it had when its header was written.
    fn file(&mut self, file: OwnedFd, packed: &[u8]) -> io::Result<()> {
        let stat = rustix::fs::fstat(&file)?;
        // Another file may have come into its place.
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        if stat.st_nlink > 1 {
            if let Some(first) = self.names.get(&(stat.st_dev, stat.st_ino)) {
                let first = first.clone();
                return self.header(EntryType::Link, &stat, packed, &first, 0);
            }
            let key = (stat.st_dev, stat.st_ino);
            self.names.insert(key, packed.to_vec());
        }
        let size = stat.st_size.cast_unsigned();
        self.header(EntryType::Regular, &stat, packed, b"", size)?;
        let mut file = File::from(file);
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
            let read = file.read(&mut self.buffer[..wanted])?;
            if read == 0 {
                break;
            }
            self.archive.get_mut().write_all(&self.buffer[..read])?;
            left -= read as u64;
        }
        let has_more = left == 0 && file.read(&mut [0])? > 0;
        self.packed.changed += u64::from(left > 0 || has_more);
        self.packed.bytes += size;
        // What is missing, and what fills the last block.
        let zeros = left + size.wrapping_neg() % BLOCK;
        io::copy(&mut io::repeat(0).take(zeros), self.archive.get_mut()).map(drop)
    }

    /// Writes a member's header, and before it what does not fit into it.
    fn header(
        &mut self,
        kind: EntryType,
        stat: &Stat,
        path: &[u8],
        target: &[u8],
        size: u64,
    ) -> io::Result<()> {
        self.packed.entries += 1;
        let mut records = std::mem::take(&mut self.extended);
        if stat.st_mtime_nsec > 0 || !(0..=LATEST).contains(&stat.st_mtime) {
            let time = decimal(stat.st_mtime, stat.st_mtime_nsec);
            records.push(("mtime".into(), time.into_bytes()));
        }
        let records = records.iter().map(|(name, value)| (&**name, &**value));
        // It writes nothing if there are none.
        self.archive.append_pax_extensions(records)?;
        let mut header = plain(kind, stat.st_mode & 0o7777, size);
        if self.attributes.is_some() {
            header.set_uid(stat.st_uid.into());
            header.set_gid(stat.st_gid.into());
            let device = (major(stat.st_rdev), minor(stat.st_rdev));
            if matches!(kind, EntryType::Char | EntryType::Block) {
                header.set_device_major(device.0)?;
                header.set_device_minor(device.1)?;
            }
        }
        header.set_mtime(stat.st_mtime.clamp(0, LATEST).cast_unsigned());
        let fields = header.as_old_mut();
        // Not as the builder does it: a link's target has to stay what it is, byte for byte.
        for (value, field, kind) in [
            (path, &mut fields.name, EntryType::GNULongName),
            (target, &mut fields.linkname, EntryType::GNULongLink),
        ] {
            let fitting = value.len().min(field.len());
            field[..fitting].copy_from_slice(&value[..fitting]);
            if fitting < value.len() {
                let terminated = [value, b"\0"].concat();
                let mut long = plain(kind, 0o644, terminated.len() as u64);
                long.set_cksum();
                self.archive.append(&long, &terminated[..])?;
            }
        }
        header.set_cksum();
        self.archive.get_mut().write_all(header.as_bytes())
    }

    /// Reads the extended attributes of the next member, if they are written.
    fn attributes(&mut self, directory: impl AsFd, name: &[u8]) -> io::Result<()> {
        self.extended.clear();
        let Some(attributes) = &mut self.attributes else {
            return Ok(());
        };
        let extended = &mut self.extended;
        attributes.each(&at(directory, name), |name, value| {
            // Others than text no tool writes.
            if let Ok(name) = std::str::from_utf8(name) {
                extended.push((format!("SCHILY.xattr.{name}"), value.to_vec()));
            }
            Ok(())
        })
    }

    fn end(&mut self) -> io::Result<()> {
        self.archive.finish()?;
        self.archive.get_mut().flush()
    }
}

/// Writes a time as pax has it. Half a second before 1970 is -1 and 500,000,000 in a file system.
fn decimal(seconds: i64, nanoseconds: u64) -> String {
    match (seconds < 0, nanoseconds) {
        (true, 1..) => format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - nanoseconds),
        _ => format!("{seconds}.{nanoseconds:09}"),
    }
}

/// The kind of the member that a device or a pipe becomes.
fn special(kind: FileType) -> EntryType {
    match kind {
        FileType::CharacterDevice => EntryType::Char,
        FileType::BlockDevice => EntryType::Block,
        _ => EntryType::Fifo,
    }
}

fn is_left_out(stat: &Stat) -> bool {
    !matches!(
        FileType::from_raw_mode(stat.st_mode),
        FileType::RegularFile | FileType::Directory | FileType::Symlink
    )
}

/// Returns a header without names and times; everything is root's.
fn plain(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}
