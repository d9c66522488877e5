//! A *node* is what a path stands for, on one of the three sides of a pull.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pyro_machine::{FileState, FileType, octets};
use rustix::fs::{AtFlags, FileType as Type, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::output::hex;

/// The permissions that a pull changes. What makes a program run as somebody else stays behind.
const PERMISSIONS: u32 = 0o777;

/// What a path stands for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Node {
    /// Nothing.
    Absent,
    /// A regular file, with the SHA-256 of what it holds.
    File { sha256: Sum, mode: u32 },
    /// A symbolic link.
    Symlink { target: String },
    /// A directory.
    Directory { mode: u32 },
    /// A device, a pipe or a socket; or a path that goes through a link or a file.
    Other,
}

/// A SHA-256: there may be many, so it is not kept as text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sum(pub(crate) [u8; 32]);

impl From<Sha256> for Sum {
    fn from(hash: Sha256) -> Self {
        Self(hash.finalize().into())
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        let is_hex = text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex);
            let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            *byte = value.ok_or_else(|| serde::de::Error::custom("a SHA-256 was expected"))?;
        }
        if is_hex {
            return Ok(Self(bytes));
        }
        Err(serde::de::Error::custom("a SHA-256 was expected"))
    }
}

impl Node {
    /// What the guest says; `sha256` is that of its content, if it is a file.
    pub(crate) fn of(state: Option<&FileState>, sha256: impl FnOnce() -> Sum) -> Self {
        let Some(state) = state else {
            return Self::Absent;
        };
        let mode = state.mode & PERMISSIONS;
        match (state.file_type, &state.target) {
            (FileType::File, _) => Self::File {
                sha256: sha256(),
                mode,
            },
            (FileType::Directory, _) => Self::Directory { mode },
            (FileType::Symlink, Some(target)) => Self::Symlink {
                target: target.clone(),
            },
            _ => Self::Other,
        }
    }

    /// Looks at a path below a directory of the host. No link is followed, nor is one on the way.
    pub(crate) fn at(root: BorrowedFd<'_>, path: &[u8]) -> io::Result<Self> {
        let (directory, name) = match open_parent(root, path) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(Self::Absent),
            Err(Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => return Ok(Self::Other),
            Err(error) => return Err(error.into()),
        };
        let stat = match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Self::Absent),
            Err(error) => return Err(error.into()),
        };
        let mode = stat.st_mode & PERMISSIONS;
        Ok(match Type::from_raw_mode(stat.st_mode) {
            Type::Directory => Self::Directory { mode },
            Type::Symlink => {
                let target = rustix::fs::readlinkat(&directory, name, Vec::new())?;
                let target = octets::encode(target.to_bytes()).into_owned();
                Self::Symlink { target }
            }
            Type::RegularFile => {
                let mut file = open_file(&directory, name)?;
                Self::File {
                    sha256: sha256(&mut file)?,
                    mode,
                }
            }
            _ => Self::Other,
        })
    }
}

/// Opens the directory of a path below `root`, through no link. Returns the path's last name, too.
pub(crate) fn open_parent<'a>(
    root: BorrowedFd<'_>,
    path: &'a [u8],
) -> Result<(OwnedFd, &'a [u8]), Errno> {
    let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&b"."[..], path),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let directory = rustix::fs::openat2(root, parent, flags, Mode::empty(), how)?;
    Ok((directory, name))
}

pub(crate) fn open_file(directory: impl AsFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(directory, name, flags, Mode::empty())?.into())
}

fn sha256(file: &mut File) -> io::Result<Sum> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.into()),
            length => hash.update(&buffer[..length]),
        }
    }
}
