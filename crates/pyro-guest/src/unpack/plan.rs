//! A *plan* lists the changes of an unpacking to its destination. On disk, it is the commit.

use pyro_protocol::{UNPACKED_PATH_BYTES, octets};
use rustix::fs::Timespec;

use crate::directories;
use crate::error::Error;

/// The limit of Linux.
const MAX_NAME_BYTES: usize = 255;

/// The entries and their destination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    /// Relative to the root; empty for the root itself.
    pub(super) destination: Vec<u8>,
    /// Parents before their children. The number of an entry is the name of its staged file.
    pub(super) entries: Vec<Entry>,
}

/// One path below the destination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) kind: EntryKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EntryKind {
    /// Made if it is missing; its owner, mode and time are set at the end.
    Directory {
        mode: u32,
        modified: Timespec,
        /// Its user and group; none for root.
        owner: Option<(u32, u32)>,
    },
    /// Any other kind of file; renamed as it is.
    Staged,
    /// A directory that is made if it is missing, and stays as it is otherwise.
    Parent,
    /// A file that is removed, and each directory that is empty then.
    Removed,
}

impl Entry {
    pub(super) fn is_directory(&self) -> bool {
        matches!(self.kind, EntryKind::Directory { .. })
    }

    /// Returns the parent's path, empty for the destination, and the name in it.
    pub(super) fn split(&self) -> (&[u8], &[u8]) {
        directories::split(&self.path)
    }

    /// Returns the path in readable form.
    pub(super) fn name(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }
}

impl Plan {
    /// Returns the content of the plan's file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.destination.clone();
        bytes.push(0);
        for entry in &self.entries {
            let fields = match entry.kind {
                EntryKind::Directory {
                    mode,
                    modified,
                    owner,
                } => {
                    let owner =
                        owner.map_or(String::new(), |(user, group)| format!(":{user}:{group}"));
                    format!("{mode}{owner} {} {} ", modified.tv_sec, modified.tv_nsec)
                }
                EntryKind::Staged => "- ".to_owned(),
                EntryKind::Parent => "p ".to_owned(),
                EntryKind::Removed => "x ".to_owned(),
            };
            bytes.extend_from_slice(fields.as_bytes());
            bytes.extend_from_slice(&entry.path);
            bytes.push(0);
        }
        bytes
    }

    /// Parses a plan's file; `None` if it is invalid.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut records = bytes.strip_suffix(&[0])?.split(|&byte| byte == 0);
        let destination = clean(records.next()?)?.to_vec();
        let entries = records.map(parse_entry).collect::<Option<_>>()?;
        Some(Self {
            destination,
            entries,
        })
    }
}

fn parse_entry(record: &[u8]) -> Option<Entry> {
    let plain = [
        (&b"- "[..], EntryKind::Staged),
        (b"p ", EntryKind::Parent),
        (b"x ", EntryKind::Removed),
    ];
    let plain = plain
        .into_iter()
        .find_map(|(prefix, kind)| Some((kind, record.strip_prefix(prefix)?)));
    let (kind, path) = if let Some(plain) = plain {
        plain
    } else {
        let mut fields = record.splitn(4, |&byte| byte == b' ');
        let mut field = || std::str::from_utf8(fields.next()?).ok();
        let mut numbers = field()?.split(':').map(str::parse::<u32>);
        let mode = numbers.next()?.ok()?;
        let owner = match (numbers.next(), numbers.next()) {
            (None, _) => None,
            (Some(user), group) => Some((user.ok()?, group?.ok()?)),
        };
        let kind = EntryKind::Directory {
            mode,
            modified: Timespec {
                tv_sec: field()?.parse().ok()?,
                tv_nsec: field()?.parse().ok()?,
            },
            owner,
        };
        (kind, fields.next()?)
    };
    let path = clean(path).filter(|path| !path.is_empty())?.to_vec();
    Some(Entry { path, kind })
}

/// Returns an absolute path relative to the root.
pub(super) fn destination(path: &str) -> Result<Vec<u8>, Error> {
    octets::decode(path)
        .strip_prefix(b"/")
        .and_then(clean)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Error::refused(format!("unpack to {path}"), "it is no absolute path"))
}

/// Returns a relative path without redundant parts (`./` and a last `/`); `None` if it could lead
/// elsewhere or is too long. The directory itself is the empty path.
pub(super) fn clean(path: &[u8]) -> Option<&[u8]> {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let path = path.strip_suffix(b"/").unwrap_or(path);
    if matches!(path, b"" | b".") {
        return Some(&[]);
    }
    let is_name = |name: &[u8]| {
        !matches!(name, b"" | b"." | b"..") && name.len() <= MAX_NAME_BYTES && !name.contains(&0)
    };
    let mut names = path.split(|&byte| byte == b'/');
    (path.len() <= UNPACKED_PATH_BYTES && names.all(is_name)).then_some(path)
}
