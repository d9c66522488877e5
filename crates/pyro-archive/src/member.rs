//! A *member* is one entry of an archive as its source describes it: a name, and what it names.

use crate::error::{Error, Refusal};
use crate::sparse::Extents;
use crate::time::Time;

/// The longest path that Linux accepts, and the longest part of one.
const LONGEST_PATH: usize = 4095;
const LONGEST_NAME: usize = 255;

/// Permissions with setuid, setgid and sticky.
pub(crate) const MODE_BITS: u32 = 0o7777;
/// The permissions of a directory of which only the name is known.
pub(crate) const IMPLIED_MODE: u32 = 0o755;
/// The permissions that are kept of a guest's files: setuid, setgid and sticky refer to its users.
pub(crate) const KEPT_BITS: u32 = 0o777;

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) path: MemberPath,
    pub(crate) mode: u32,
    pub(crate) modified: Time,
    pub(crate) what: What,
}

impl Member {
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.what, What::Directory)
    }
}

#[derive(Debug)]
pub(crate) enum What {
    Directory,
    File {
        /// The length of its content in bytes, including its holes.
        size: u64,
        /// The parts that are not holes; none if there are no holes.
        extents: Option<Extents>,
    },
    Symlink {
        target: Vec<u8>,
    },
    HardLink {
        target: MemberPath,
    },
    Fifo,
}

/// A path below the root of an archive: no part of it is empty, `.` or `..`. Empty for the root.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct MemberPath {
    path: Vec<u8>,
}

impl MemberPath {
    /// Checks a name, and leaves out of it what has no meaning: `./a//b/` is `a/b`.
    pub(crate) fn parse(name: &[u8]) -> Result<Self, Error> {
        let refuse = |refusal| Err(Error::refused(name, refusal));
        if name.is_empty() {
            return refuse(Refusal::EmptyPath);
        }
        if name[0] == b'/' {
            return refuse(Refusal::AbsolutePath);
        }
        if name.contains(&0) {
            return refuse(Refusal::UnsafePath);
        }
        let mut path = Self::default();
        for part in parts(name) {
            if part == b".." {
                return refuse(Refusal::UnsafePath);
            }
            if part.len() > LONGEST_NAME {
                return refuse(Refusal::LongPath);
            }
            path.push(part);
        }
        if path.path.len() > LONGEST_PATH {
            return refuse(Refusal::LongPath);
        }
        Ok(path)
    }

    pub(crate) fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.path
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        parts(&self.path)
    }

    /// Returns the path of the directory it is in, and its name there. The root has neither.
    pub(crate) fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.is_root() {
            return None;
        }
        Some(match self.path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&self.path[..slash], &self.path[slash + 1..]),
            None => (&[], &self.path),
        })
    }

    /// Returns the path of the directory it is in; of the root, the root.
    pub(crate) fn parent(&self) -> Self {
        let (parents, _) = self.split().unwrap_or_default();
        Self {
            path: parents.to_vec(),
        }
    }

    /// Returns the path of something in this directory, whose name is one part of a path.
    pub(crate) fn join(mut self, name: &[u8]) -> Self {
        self.push(name);
        self
    }

    /// Returns the path with another first part.
    pub(crate) fn with_first(&self, part: &[u8]) -> Self {
        let mut path = Self::default();
        path.push(part);
        self.parts().skip(1).for_each(|part| path.push(part));
        path
    }

    fn push(&mut self, part: &[u8]) {
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(part);
    }
}

/// Returns the parts of a path, without empty ones and `.`.
pub(crate) fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
}

/// Checks that a symbolic link can be made. Where it leads is not looked at: it is text, and what
/// it means is known only where it is followed.
pub(crate) fn check_target(link: &MemberPath, target: &[u8]) -> Result<(), Error> {
    let refuse = |refusal| Err(Error::refused(link.as_bytes(), refusal));
    if target.is_empty() {
        return refuse(Refusal::EmptySymlink);
    }
    if target.contains(&0) {
        return refuse(Refusal::UnsafePath);
    }
    if target.len() > LONGEST_PATH {
        return refuse(Refusal::LongPath);
    }
    Ok(())
}
