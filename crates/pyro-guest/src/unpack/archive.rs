//! An *archive* is a tar stream whose last member contains the totals of the others.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};

use pyro_protocol::ARCHIVE_END;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::process::{Gid, Uid};
use tar::EntryType;

use super::direct;
use super::holes::{Extent, Map};
use super::plan::{self, Entry, EntryKind};
use super::staging::{StagingDirectories, create_file};
use super::step::Step;
use crate::directories;
use crate::error::{Error, Step as _};

const MAX_END_BYTES: u64 = 1024;

const BUFFER_BYTES: usize = 64 * 1024;

/// The totals of an archive.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Totals {
    /// Members, except the last.
    pub(super) entries: u64,
    /// Contents of the regular files, with their holes.
    pub(super) bytes: u64,
}

/// Reads an archive to its end, and stages everything but directories in `staging`. All of it
/// belongs to `owner`, or to root.
pub(super) fn stage(
    input: impl Read,
    staging: &OwnedFd,
    owner: Option<(Uid, Gid)>,
    step: &mut dyn FnMut(Step),
) -> Result<(Vec<Entry>, Totals), Error> {
    let reading = "read the archive";
    let mut staged = Staged {
        owner,
        drawers: StagingDirectories::new(staging),
        linked: StagingDirectories::new(staging),
        entries: Vec::new(),
        numbers: BTreeMap::new(),
        totals: Totals::default(),
        buffer: vec![0; BUFFER_BYTES],
    };
    let mut announced = None;
    let mut archive = tar::Archive::new(BufReader::with_capacity(BUFFER_BYTES, input));
    for member in archive.entries().step(reading)? {
        let mut member = member.step(reading)?;
        if announced.is_some() {
            return Err(Error::refused(reading, "there is something after its end"));
        }
        let name = member.path_bytes().into_owned();
        if name == ARCHIVE_END.as_bytes() {
            announced = Some(read_end(&mut member)?);
            continue;
        }
        let failed = |cause| {
            let name = String::from_utf8_lossy(&name);
            Error::new(format!("unpack {name}"), cause)
        };
        staged.add(&name, &mut member).map_err(failed)?;
        step(Step::Staged);
    }
    match announced {
        Some(totals) if totals == staged.totals => Ok((staged.entries, totals)),
        Some(_) => Err(Error::refused(reading, "it is not what its end says")),
        None => Err(Error::refused(reading, "its end is missing")),
    }
}

/// Reads the last member.
fn read_end(member: &mut impl Read) -> Result<Totals, Error> {
    let mut text = Vec::new();
    let mut member = member.take(MAX_END_BYTES);
    member
        .read_to_end(&mut text)
        .step("read the archive's end")?;
    let numbers: BTreeMap<String, u64> =
        serde_json::from_slice(&text).step("read the archive's end")?;
    match (numbers.get("entries"), numbers.get("bytes")) {
        (Some(&entries), Some(&bytes)) => Ok(Totals { entries, bytes }),
        _ => Err(Error::refused(
            "read the archive's end",
            "a number is missing",
        )),
    }
}

/// The members staged so far.
struct Staged<'a> {
    owner: Option<(Uid, Gid)>,
    drawers: StagingDirectories<'a>,
    /// For the target of a hard link, which may be any earlier member.
    linked: StagingDirectories<'a>,
    entries: Vec<Entry>,
    /// Path → number of the entry.
    numbers: BTreeMap<Vec<u8>, usize>,
    totals: Totals,
    buffer: Vec<u8>,
}

impl Staged<'_> {
    fn add<R: Read>(&mut self, path: &[u8], member: &mut tar::Entry<R>) -> std::io::Result<()> {
        let path = plan::clean(path).ok_or_else(|| invalid("its path is not one"))?;
        let Attributes { modified, map } = attributes(member)?;
        self.totals.entries += 1;
        if path.is_empty() {
            // The destination itself is not changed.
            return Ok(());
        }
        let (parent, _) = directories::split(path);
        if !parent.is_empty() && !self.entry(parent).is_some_and(Entry::is_directory) {
            return Err(invalid("its directory was not before it"));
        }
        let mode = member.header().mode()? & 0o7777;
        let kind = member.header().entry_type();
        let number = self.number(path, kind == EntryType::Directory)?;
        match kind {
            EntryType::Directory => {
                let owner = self.owner;
                self.entries[number].kind = EntryKind::Directory {
                    mode,
                    modified,
                    owner: owner.map(|(user, group)| (user.as_raw(), group.as_raw())),
                };
            }
            EntryType::Regular => {
                let file = self.write_file(number, member, map)?;
                if let Some((user, group)) = self.owner {
                    // Before its mode: a change of the owner takes setuid away.
                    rustix::fs::fchown(&file, Some(user), Some(group))?;
                }
                rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
                rustix::fs::futimens(&file, &timestamps(modified))?;
            }
            EntryType::Fifo => self.make_fifo(number, mode, modified)?,
            EntryType::Symlink => self.make_link(number, member, modified)?,
            EntryType::Link => self.link(number, member)?,
            _ => return Err(invalid("it is neither file, directory, link nor FIFO")),
        }
        Ok(())
    }

    /// Returns the number of the entry with this path. Of several members with one path the last
    /// wins, as in `tar`; but a directory and another kind of file do not replace each other.
    fn number(&mut self, path: &[u8], is_directory: bool) -> std::io::Result<usize> {
        if let Some(&number) = self.numbers.get(path) {
            if self.entries[number].is_directory() != is_directory {
                return Err(invalid("it is there twice"));
            }
            if !is_directory {
                let (drawer, name) = self.drawers.find(number, false)?;
                rustix::fs::unlinkat(drawer, name, AtFlags::empty())?;
            }
            return Ok(number);
        }
        let number = self.entries.len();
        self.numbers.insert(path.to_vec(), number);
        let kind = if is_directory {
            EntryKind::Directory {
                mode: 0,
                modified: Timespec::default(),
                owner: None,
            }
        } else {
            EntryKind::Staged
        };
        self.entries.push(Entry {
            path: path.to_vec(),
            kind,
        });
        Ok(number)
    }

    fn entry(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.get(*self.numbers.get(path)?)
    }

    fn write_file<R: Read>(
        &mut self,
        number: usize,
        member: &mut tar::Entry<R>,
        map: Option<Map>,
    ) -> std::io::Result<File> {
        let (drawer, name) = self.drawers.find(number, true)?;
        let mut file = File::from(create_file(drawer, &name)?);
        let stored = member.size();
        let Some(map) = map else {
            let written = direct::write(&mut file, member, stored)?;
            let rest = Extent {
                offset: written,
                length: stored - written,
            };
            self.copy(&mut file, member, rest)?;
            self.totals.bytes += stored;
            return Ok(file);
        };
        if map.stored() != Some(stored) {
            return Err(invalid("its content does not fit into its map"));
        }
        for extent in &map.extents {
            self.copy(&mut file, member, *extent)?;
        }
        // The unwritten parts are holes, also at the end.
        file.set_len(map.size)?;
        self.totals.bytes = self.totals.bytes.saturating_add(map.size);
        Ok(file)
    }

    /// Copies the data of an extent to their position.
    fn copy<R: Read>(
        &mut self,
        file: &mut File,
        member: &mut tar::Entry<R>,
        extent: Extent,
    ) -> std::io::Result<()> {
        let mut left = extent.length;
        if extent.offset > 0 {
            file.seek(SeekFrom::Start(extent.offset))?;
        }
        while left > 0 {
            let wanted = usize::try_from(left).map_or(BUFFER_BYTES, |left| left.min(BUFFER_BYTES));
            match member.read(&mut self.buffer[..wanted])? {
                0 => return Err(invalid("the stream ended in it")),
                count => {
                    file.write_all(&self.buffer[..count])?;
                    left -= count as u64;
                }
            }
        }
        Ok(())
    }

    fn make_fifo(&mut self, number: usize, mode: u32, modified: Timespec) -> std::io::Result<()> {
        let (drawer, name) = self.drawers.find(number, true)?;
        let private = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(drawer, &name, FileType::Fifo, private, 0)?;
        // With these flags, opening a FIFO does not wait for its other end.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fifo = rustix::fs::openat(drawer, &name, flags, Mode::empty())?;
        let found = FileType::from_raw_mode(rustix::fs::fstat(&fifo)?.st_mode);
        if found != FileType::Fifo {
            return Err(invalid("something else has come into its place"));
        }
        let path = format!("/proc/self/fd/{}", fifo.as_raw_fd());
        if let Some((user, group)) = self.owner {
            rustix::fs::chown(&path, Some(user), Some(group))?;
        }
        rustix::fs::chmod(path, Mode::from_raw_mode(mode))?;
        let times = timestamps(modified);
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::utimensat(drawer, &name, &times, flags)?)
    }

    fn make_link<R: Read>(
        &mut self,
        number: usize,
        member: &tar::Entry<R>,
        modified: Timespec,
    ) -> std::io::Result<()> {
        let target = member
            .link_name_bytes()
            .ok_or_else(|| invalid("it leads nowhere"))?;
        let (drawer, name) = self.drawers.find(number, true)?;
        rustix::fs::symlinkat(&*target, drawer, &name)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        if let Some((user, group)) = self.owner {
            rustix::fs::chownat(drawer, &name, Some(user), Some(group), flags)?;
        }
        let times = timestamps(modified);
        Ok(rustix::fs::utimensat(drawer, &name, &times, flags)?)
    }

    fn link<R: Read>(&mut self, number: usize, member: &tar::Entry<R>) -> std::io::Result<()> {
        let other = member
            .link_name_bytes()
            .and_then(|path| {
                let path = plan::clean(&path)?;
                let other = *self.numbers.get(path)?;
                let entry = self.entries.get(other)?;
                (!entry.is_directory() && other != number).then_some(other)
            })
            .ok_or_else(|| invalid("it is a link to no file before it"))?;
        let (from, other) = self.linked.find(other, false)?;
        let (to, name) = self.drawers.find(number, true)?;
        Ok(rustix::fs::linkat(from, other, to, name, AtFlags::empty())?)
    }
}

/// The attributes in a member's extended header.
struct Attributes {
    modified: Timespec,
    /// The positions of its content, if it has holes.
    map: Option<Map>,
}

fn attributes<R: Read>(member: &mut tar::Entry<R>) -> std::io::Result<Attributes> {
    let mut modified = Timespec {
        tv_sec: i64::try_from(member.header().mtime()?).map_err(|_| invalid("its time is none"))?,
        tv_nsec: 0,
    };
    let mut size = None;
    let mut extents = None;
    for extension in member.pax_extensions()?.into_iter().flatten() {
        // The path may be among them, so an invalid extension is an error.
        let extension = extension?;
        let text = || extension.value().unwrap_or_default();
        match extension.key_bytes() {
            b"mtime" => {
                let time = parse_time(text());
                modified = time.ok_or_else(|| invalid("its time is none"))?;
            }
            b"GNU.sparse.size" => size = text().parse().ok(),
            b"GNU.sparse.map" => extents = Some(text().to_owned()),
            _ => {}
        }
    }
    let map = match (size, extents) {
        (None, None) => None,
        (size, extents) => {
            let map = size.zip(extents);
            let map = map.and_then(|(size, text)| Map::parse(size, &text));
            Some(map.ok_or_else(|| invalid("its map of holes is none"))?)
        }
    };
    Ok(Attributes { modified, map })
}

/// Reads seconds since the epoch, with a fraction or without.
fn parse_time(text: &str) -> Option<Timespec> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut whole: i64 = seconds.parse().ok()?;
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let mut nanoseconds = 0;
    for digit in digits {
        nanoseconds = nanoseconds * 10 + i64::from(char::from(digit).to_digit(10)?);
    }
    if seconds.starts_with('-') && nanoseconds > 0 {
        // The kernel's fraction is always positive.
        whole = whole.checked_sub(1)?;
        nanoseconds = 1_000_000_000 - nanoseconds;
    }
    Some(Timespec {
        tv_sec: whole,
        tv_nsec: nanoseconds,
    })
}

/// Returns times that set the modification and leave the access time unchanged.
pub(super) fn timestamps(modified: Timespec) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: modified,
    }
}

fn invalid(why: &'static str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidInput, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_fractions_and_may_be_before_the_epoch() {
        for (text, expected) in [
            ("12", Some((12, 0))),
            ("12.5", Some((12, 500_000_000))),
            ("12.0000000019", Some((12, 1))),
            ("-1.25", Some((-2, 750_000_000))),
            ("-0.5", Some((-1, 500_000_000))),
            ("", None),
            ("1.x", None),
            ("99999999999999999999", None),
        ] {
            let found = parse_time(text).map(|time| (time.tv_sec, time.tv_nsec));
            assert_eq!(found, expected, "{text}");
        }
    }
}
