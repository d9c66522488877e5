//! A *staging* directory contains unpacked files that are not in place yet: their names are
//! numbers, in directories of a few files each, and, once it is committed, the plan. No name comes
//! from the archive, so nothing can be in the way.
//!
//! The private disk is an ext4, whose journal keeps the order of changes to names. That is why two
//! flushes are enough: one before the commit, because file contents are not in the journal, and one
//! of the commit itself.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use pyro_protocol::UNPACKED_LIST_BYTES;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::rand::GetRandomFlags;

use super::plan::Plan;
use super::step::Step;
use crate::directories;
use crate::error::{Error, Step as _};

/// The parent of staging directories. Beside the destination rather than in it, where commands
/// would see them, and on the same file system.
const STAGING_ROOT: &str = ".pyro";
const PREFIX: &str = "staging-";
const DRAWER: &str = "drawer-";
const COMMIT: &str = "commit";
const COMMIT_DRAFT: &str = "commit.new";

/// The largest commit. A command may have replaced the file by anything, and a file that is read at
/// boot must fit into memory.
const MAX_COMMIT_BYTES: u64 = UNPACKED_LIST_BYTES;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The directory of all staging directories, and the root it is in.
#[derive(Debug)]
pub(crate) struct StagingRoot {
    path: PathBuf,
    pub(crate) root: OwnedFd,
}

/// Held while a call checks or changes the destination, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _root: OwnedFd,
}

impl StagingRoot {
    pub(super) fn exists(root: &Path) -> bool {
        root.join(STAGING_ROOT).symlink_metadata().is_ok()
    }

    /// Opens it, and makes it if it is missing.
    pub(super) fn open(root: &Path) -> Result<Self, Error> {
        let path = root.join(STAGING_ROOT);
        match rustix::fs::mkdir(&path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Error::new("make /.pyro", error)),
        }
        Ok(Self {
            path,
            root: rustix::fs::open(root, DIRECTORY, Mode::empty()).step("open the root")?,
        })
    }

    /// Waits for the lock.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let ground = directories::open(&self.root, STAGING_ROOT.as_bytes()).step("open /.pyro")?;
        rustix::fs::flock(&ground, FlockOperation::LockExclusive).step("lock /.pyro")?;
        Ok(Lock { _root: ground })
    }
}

/// One staging directory, locked for as long as its owner lives.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
    pub(crate) directory: OwnedFd,
}

impl Staging {
    /// Makes a new one. The lock must be held, so that no other call considers it abandoned.
    pub(super) fn create(ground: &StagingRoot, _lock: &Lock) -> Result<Self, Error> {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, GetRandomFlags::empty()).step("draw a name")?;
        let name = format!("{PREFIX}{:016x}", u64::from_ne_bytes(random));
        let path = ground.path.join(name);
        rustix::fs::mkdir(&path, Mode::RWXU).step("make a staging directory")?;
        let directory = rustix::fs::open(&path, DIRECTORY, Mode::empty())
            .and_then(|directory| {
                let operation = FlockOperation::NonBlockingLockExclusive;
                rustix::fs::flock(&directory, operation).map(|()| directory)
            })
            .step("lock the staging directory")?;
        Ok(Self { path, directory })
    }

    /// Returns the directories whose owners are dead.
    pub(super) fn abandoned(ground: &StagingRoot) -> Result<Vec<Self>, Error> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&ground.path).step("read /.pyro")? {
            let entry = entry.step("read /.pyro")?;
            if !entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(PREFIX.as_bytes())
            {
                continue;
            }
            let path = entry.path();
            // Anything but a directory is not the agent's.
            let Ok(directory) = rustix::fs::open(&path, DIRECTORY, Mode::empty()) else {
                continue;
            };
            let operation = FlockOperation::NonBlockingLockExclusive;
            if rustix::fs::flock(&directory, operation).is_ok() {
                found.push(Self { path, directory });
            }
        }
        Ok(found)
    }

    /// Writes everything to disk, then the plan: from then on it will be carried out.
    pub(super) fn commit(&self, plan: &Plan, step: &mut dyn FnMut(Step)) -> Result<(), Error> {
        let bytes = plan.encode();
        if bytes.len() as u64 > MAX_COMMIT_BYTES {
            return Err(Error::refused("unpack", "there are too many members"));
        }
        let draft = create_file(&self.directory, COMMIT_DRAFT).step("write the plan")?;
        File::from(draft).write_all(&bytes).step("write the plan")?;
        rustix::fs::syncfs(&self.directory).step("write what was unpacked to disk")?;
        step(Step::Durable);
        rustix::fs::renameat(&self.directory, COMMIT_DRAFT, &self.directory, COMMIT)
            .step("commit")?;
        rustix::fs::fsync(&self.directory).step("commit")?;
        step(Step::Committed);
        Ok(())
    }

    /// Returns the plan if there is one.
    pub(super) fn committed(&self) -> Result<Option<Plan>, Error> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.directory, COMMIT, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(Error::new("open a commit", error)),
        };
        let mut bytes = Vec::new();
        let mut file = file.take(MAX_COMMIT_BYTES);
        file.read_to_end(&mut bytes).step("read a commit")?;
        // An invalid one was not written by an agent.
        Ok(Plan::parse(&bytes))
    }

    /// Revokes the commit, or notes that it was carried out. It is renamed and not removed, because
    /// removing takes longer.
    pub(super) fn unmark(&self) -> Result<(), Error> {
        match rustix::fs::renameat(&self.directory, COMMIT, &self.directory, COMMIT_DRAFT) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::new("take a commit back", error)),
        }
    }

    /// Removes the staged files, and the commit first: a partly removed staging directory must not
    /// be carried out.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        self.unmark()?;
        match fs::remove_dir_all(&self.path) {
            // Its owner was removing it while another call considered it abandoned.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.step("remove a staging directory"),
        }
    }
}

/// The directories in a staging directory; the last one that was used is open.
///
/// A directory's block is searched name by name, for each step of making or moving a file. The
/// names here are short, so that a full block has 300 of them, and under software emulation the
/// search would take most of the time of an unpacking.
#[derive(Debug)]
pub(super) struct StagingDirectories<'a> {
    staging: &'a OwnedFd,
    last: Option<(usize, OwnedFd)>,
}

/// The number of files in one directory.
const PER_DRAWER: usize = 32;

impl<'a> StagingDirectories<'a> {
    pub(super) fn new(staging: &'a OwnedFd) -> Self {
        Self {
            staging,
            last: None,
        }
    }

    /// Returns the staged path of the entry with this number: a directory, and a name in it. Makes
    /// the directory if `make` is set; commands may have replaced it by anything, so links are not
    /// followed.
    pub(super) fn find(&mut self, number: usize, make: bool) -> Result<(&OwnedFd, String), Errno> {
        let drawer = number / PER_DRAWER;
        let known = self.last.take().filter(|(last, _)| *last == drawer);
        let known = if let Some(known) = known {
            known
        } else {
            let name = format!("{DRAWER}{drawer}");
            if make {
                directories::make(self.staging, name.as_bytes(), Mode::RWXU)?;
            }
            let opened = directories::open(self.staging, name.as_bytes())?;
            (drawer, opened)
        };
        Ok((&self.last.insert(known).1, number.to_string()))
    }
}

/// Makes a file in a staging directory.
pub(crate) fn create_file(directory: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)
}
