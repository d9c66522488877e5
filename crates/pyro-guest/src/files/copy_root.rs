//! Carries out [`Call::CopyRoot`](pyro_protocol::Call::CopyRoot).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use pyro_protocol::{Answer, Refusal, RefusalReason, octets};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use super::list::{joined, names};
use super::open;
use crate::devices;
use crate::directories;
use crate::root::mount;
use crate::streams::task::Outcome;

/// The serial of the disk, and where it is mounted meanwhile.
const DISK: &str = "output";
const TARGET: &str = "/output";
/// The agent's own directory, of no use outside of its machine.
pub(super) const OURS: &[u8] = b".pyro";

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW);
const BUFFER: usize = 256 * 1024;
const BLOCK: usize = 4096;
/// The longest path that the kernel takes at once; see `PATH_MAX`.
const PIECE: usize = 4095;
/// The longest path that is copied. Those of all directories above are in memory.
const LONGEST: usize = 16 * 1024;
/// The kernel's limit on the names of a file's extended attributes, and on each value.
const ATTRIBUTE_BYTES: usize = 64 * 1024;

/// Copies the tree below `root`.
pub(crate) fn copy_root(root: &Path) -> Outcome {
    let failed = |what: String| Refusal::new(RefusalReason::FileFailed, what);
    let disk = devices::disk(DISK).map_err(|error| failed(error.to_string()))?;
    // Its inode tables are zero already: see the private disk.
    let options = Some(c"noinit_itable");
    mount(&disk, TARGET, "ext4", MountFlags::NOATIME, options)
        .map_err(|error| failed(error.to_string()))?;
    let copied = Copy::begin(root)
        .map_err(|error| error.to_string())
        .and_then(Copy::all);
    // Everything is on the disk afterwards, or this fails.
    let flushed = File::open(TARGET).and_then(|target| Ok(rustix::fs::syncfs(target)?));
    let unmounted = rustix::mount::unmount(TARGET, UnmountFlags::empty());
    let (entries, bytes) = copied.map_err(failed)?;
    flushed.map_err(|error| failed(format!("the copy cannot be written: {error}")))?;
    unmounted.map_err(|error| failed(format!("the copy cannot be finished: {error}")))?;
    Ok(Answer::RootCopied { entries, bytes })
}

struct Copy {
    source: OwnedFd,
    target: OwnedFd,
    /// The first names of files that have several, by device and inode.
    linked: HashMap<(u64, u64), Vec<u8>>,
    buffer: Vec<u8>,
    attributes: Attributes,
    entries: u64,
    bytes: u64,
}

enum Step {
    /// Copy what is in a directory, which exists in the copy.
    Fill(Vec<u8>),
    /// Give a directory its attributes: what is made in it changes its time.
    Finish(Vec<u8>),
}

impl Copy {
    fn begin(root: &Path) -> io::Result<Self> {
        let open = |path: &Path| rustix::fs::open(path, DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Ok(Self {
            source: open(root)?,
            target: open(Path::new(TARGET))?,
            linked: HashMap::new(),
            buffer: vec![0; BUFFER],
            attributes: Attributes::new(),
            entries: 0,
            bytes: 0,
        })
    }

    /// Copies everything. Returns how many entries, and how many bytes in files.
    fn all(mut self) -> Result<(u64, u64), String> {
        // Paths and not open directories: a tree may be deeper than the limit on open files.
        let mut left = vec![Step::Fill(Vec::new())];
        while let Some(step) = left.pop() {
            match step {
                Step::Finish(path) => self.finish(&path).map_err(|error| named(&path, &error))?,
                Step::Fill(path) => {
                    let below = self.fill(&path)?;
                    left.push(Step::Finish(path));
                    left.extend(below.into_iter().rev().map(Step::Fill));
                }
            }
        }
        Ok((self.entries, self.bytes))
    }

    /// Copies a directory's entries. Returns its directories, which are empty in the copy.
    fn fill(&mut self, path: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let failed = |error: io::Error| named(path, &error);
        let from = directory(&self.source, path).map_err(failed)?;
        let to = directory(&self.target, path).map_err(failed)?;
        let mut below = Vec::new();
        for name in names(&from).map_err(failed)? {
            if path.is_empty() && name == OURS {
                continue;
            }
            let path = joined(path, &name);
            if path.len() > LONGEST {
                let path = octets::encode(&path);
                return Err(format!("a path has more than {LONGEST} bytes: /{path}"));
            }
            let copied = self.entry(&from, &to, &name, &path);
            if copied.map_err(|error| named(&path, &error))? {
                below.push(path);
            }
            self.entries += 1;
        }
        Ok(below)
    }

    /// Copies one entry; returns whether it is a directory.
    fn entry(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &[u8],
        path: &[u8],
    ) -> io::Result<bool> {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            return match rustix::fs::mkdirat(to, name, Mode::RWXU) {
                // A new file system has `lost+found`.
                Ok(()) | Err(Errno::EXIST) => Ok(true),
                Err(error) => Err(error.into()),
            };
        }
        if stat.st_nlink > 1 {
            let inode = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.linked.get(&inode) {
                let (parent, first) = directories::split(first);
                let parent = directory(&self.target, parent)?;
                rustix::fs::linkat(parent, first, to, name, AtFlags::empty())?;
                return Ok(false);
            }
            self.linked.insert(inode, path.to_vec());
        }
        match kind {
            FileType::RegularFile => self.file(from, to, name, stat.st_size.cast_unsigned())?,
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(from, name, Vec::new())?;
                rustix::fs::symlinkat(target, to, name)?;
            }
            other => rustix::fs::mknodat(to, name, other, Mode::empty(), stat.st_rdev)?,
        }
        self.attributes.copy(from, to, name, &stat)?;
        Ok(false)
    }

    /// Copies what a file holds, but for blocks of zeros.
    fn file(&mut self, from: &OwnedFd, to: &OwnedFd, name: &[u8], size: u64) -> io::Result<()> {
        let mut from = File::from(open(from, name, OFlags::RDONLY | OFlags::NOFOLLOW)?);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let to = File::from(rustix::fs::openat(to, name, flags, Mode::empty())?);
        let mut position = 0;
        loop {
            position = match rustix::fs::seek(&from, SeekFrom::Data(position)) {
                Ok(data) => data,
                // The rest is a hole.
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            };
            from.seek(io::SeekFrom::Start(position))?;
            let read = from.read(&mut self.buffer)?;
            if read == 0 {
                break;
            }
            write_blocks(&to, &self.buffer[..read], position)?;
            position += read as u64;
        }
        to.set_len(size)?;
        self.bytes += size;
        Ok(())
    }

    fn finish(&mut self, path: &[u8]) -> io::Result<()> {
        let from = directory(&self.source, path)?;
        let to = directory(&self.target, path)?;
        let stat = rustix::fs::fstat(&from)?;
        self.attributes.copy(&from, &to, b".", &stat)
    }
}

/// Opens a directory by a path that may be longer than the kernel takes.
fn directory(base: &OwnedFd, path: &[u8]) -> io::Result<OwnedFd> {
    let mut opened = None;
    let mut rest = path;
    while rest.len() > PIECE {
        // No name is as long as a piece.
        let end = rest[..PIECE].iter().rposition(|byte| *byte == b'/');
        let end = end.ok_or(Errno::NAMETOOLONG)?;
        let base = opened.as_ref().unwrap_or(base);
        opened = Some(open(base, &rest[..end], DIRECTORY)?);
        rest = &rest[end + 1..];
    }
    Ok(open(opened.as_ref().unwrap_or(base), rest, DIRECTORY)?)
}

/// Writes the blocks that are not all zeros, those next to each other at once.
fn write_blocks(to: &File, bytes: &[u8], position: u64) -> io::Result<()> {
    let is_zero = |block: &[u8]| block.iter().all(|byte| *byte == 0);
    let mut begin = 0;
    while begin < bytes.len() {
        let mut end = begin;
        for block in bytes[begin..].chunks(BLOCK) {
            if is_zero(block) {
                break;
            }
            end += block.len();
        }
        to.write_all_at(&bytes[begin..end], position + begin as u64)?;
        begin = end + BLOCK;
    }
    Ok(())
}

/// Reads and copies what a file has besides its content.
pub(super) struct Attributes {
    names: Vec<u8>,
    value: Vec<u8>,
}

impl Attributes {
    pub(super) fn new() -> Self {
        Self {
            names: vec![0; ATTRIBUTE_BYTES],
            value: vec![0; ATTRIBUTE_BYTES],
        }
    }

    fn copy(&mut self, from: &OwnedFd, to: &OwnedFd, name: &[u8], stat: &Stat) -> io::Result<()> {
        let link = AtFlags::SYMLINK_NOFOLLOW;
        let (owner, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        // First, because it removes permissions and capabilities.
        rustix::fs::chownat(to, name, Some(owner), Some(group), link)?;
        self.extended(&at(from, name), &at(to, name))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            let mode = Mode::from_raw_mode(stat.st_mode);
            rustix::fs::chmodat(to, name, mode, AtFlags::empty())?;
        }
        let time = |seconds, nanoseconds| Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        let times = Timestamps {
            last_access: time(stat.st_atime, stat.st_atime_nsec.cast_signed()),
            last_modification: time(stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
        };
        Ok(rustix::fs::utimensat(to, name, &times, link)?)
    }

    fn extended(&mut self, from: &[u8], to: &[u8]) -> io::Result<()> {
        self.each(from, |name, value| {
            Ok(rustix::fs::lsetxattr(to, name, value, XattrFlags::empty())?)
        })
    }

    /// Calls a function with the name and the value of each extended attribute.
    pub(super) fn each(
        &mut self,
        path: &[u8],
        mut take: impl FnMut(&[u8], &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let listed = match rustix::fs::llistxattr(path, &mut self.names[..]) {
            Ok(listed) => listed,
            Err(Errno::OPNOTSUPP) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for name in self.names[..listed].split(|byte| *byte == 0) {
            if name.is_empty() {
                continue;
            }
            let length = rustix::fs::lgetxattr(path, name, &mut self.value[..])?;
            take(name, &self.value[..length])?;
        }
        Ok(())
    }
}

/// A path of a name in an open directory: there is no other way to a link's or a device's attributes.
pub(super) fn at(directory: impl AsFd, name: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", directory.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    path
}

fn named(path: &[u8], error: &io::Error) -> String {
    format!("/{}: {error}", octets::encode(path))
}
