//! A *transaction* changes a directory of the host: all of its steps are done, or none, whoever is
//! killed.
//!
//! The journal, new contents and copies of the old ones are in a directory of pyro's. The journal is
//! written before the first step. Whoever uses the same target next undoes the steps of a journal
//! that is not done. Each step is one system call that is done or not, and the journal tells both
//! sides of it, so that it can be seen whether it was.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pyro_machine::octets;
use pyro_store::{create_private_directory, create_private_file, sync_directory};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::node::{Node, open_file, open_parent};
use super::packed::Packed;
use super::step::{self, Step, Steps};
use crate::Error;
use crate::instance::now;

/// What the names of files have in them that are not in their place yet. They are in the same
/// directory as their place if that is in another file system than pyro's state.
pub(crate) const PARTIAL: &str = ".pyro-partial-";

const JOURNAL: &str = "journal.json";
const NEW: &str = "new";
const OLD: &str = "old";

/// The record of a transaction, as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct Journal {
    /// The workspace that it is from.
    pub(super) workspace_id: String,
    #[serde(deserialize_with = "step::deserialize")]
    pub(super) steps: Packed<Step>,
    pub(super) is_done: bool,
}

/// The same, as it is written.
#[derive(Serialize)]
struct WrittenJournal<'a> {
    format: u64,
    /// The directory that is changed, for people.
    target: &'a str,
    workspace_id: &'a str,
    /// Seconds since the Unix epoch.
    created_at: f64,
    #[serde(serialize_with = "step::serialize")]
    steps: &'a dyn Steps,
    is_done: bool,
}

/// A transaction that is prepared or carried out, in its directory.
pub(super) struct Transaction {
    directory: PathBuf,
}

/// Which version of a file was copied.
#[derive(Eq, PartialEq)]
struct Identity {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Transaction {
    /// Begins one in a directory that is made anew.
    pub(super) fn create(directory: PathBuf) -> Result<Self, Error> {
        remove(&directory)?;
        for directory in [&directory, &directory.join(NEW), &directory.join(OLD)] {
            create_private_directory(directory)?;
        }
        Ok(Self { directory })
    }

    /// Opens one whose journal was written.
    pub(super) fn open(directory: PathBuf) -> Option<(Self, Journal)> {
        let journal = read_compact(&directory.join(JOURNAL))?;
        Some((Self { directory }, journal))
    }

    /// The path of a new content.
    pub(super) fn new_content(&self, number: usize) -> PathBuf {
        self.directory.join(NEW).join(number.to_string())
    }

    /// The path of the old content of a step.
    pub(super) fn old_content(&self, step: usize) -> PathBuf {
        self.directory.join(OLD).join(step.to_string())
    }

    /// Carries out all steps, in their order. If one fails, those before it are undone.
    pub(super) fn commit(
        &self,
        target: BorrowedFd<'_>,
        path: &Path,
        workspace_id: &str,
        steps: &dyn Steps,
    ) -> Result<(), Error> {
        let mut journal = WrittenJournal {
            format: 1,
            target: &octets::encode(path.as_os_str().as_encoded_bytes()),
            workspace_id,
            created_at: now(),
            steps,
            is_done: false,
        };
        let mut kept = Vec::new();
        for number in 0..steps.count() {
            let step = steps.step(number);
            let identity = self.keep(target, number, &step);
            let identity = identity.map_err(|error| failed(&step, &error))?;
            kept.extend(identity.map(|identity| (number, identity)));
        }
        let flushed = File::open(&self.directory).and_then(|open| Ok(rustix::fs::syncfs(open)?));
        flushed.map_err(|error| Error::transfer(&error))?;
        write_compact(&self.directory.join(JOURNAL), &journal)?;
        let mut kept = kept.iter().peekable();
        for number in 0..steps.count() {
            let step = steps.step(number);
            let identity = kept.next_if(|(kept, _)| *kept == number);
            let identity = identity.map(|(_, identity)| identity);
            if let Err(error) = self.apply(target, number, &step, identity) {
                self.roll_back(target, steps);
                return Err(failed(&step, &error));
            }
        }
        rustix::fs::syncfs(target).map_err(|error| Error::transfer(&error))?;
        journal.is_done = true;
        write_compact(&self.directory.join(JOURNAL), &journal)
    }

    /// Keeps what a file holds before it is replaced or removed.
    fn keep(
        &self,
        target: BorrowedFd<'_>,
        number: usize,
        step: &Step,
    ) -> io::Result<Option<Identity>> {
        let (Node::File { .. }, false) = (&step.old, step.is_only_mode()) else {
            return Ok(None);
        };
        let path = octets::decode(&step.path);
        let (directory, name) = open_parent(target, &path)?;
        let copy = self.old_content(number);
        // A link costs nothing. What is changed in the file itself from now on is kept, too.
        if rustix::fs::linkat(&directory, name, CWD, &copy, AtFlags::empty()).is_err() {
            let mut file = open_file(&directory, name)?;
            io::copy(&mut file, &mut File::create_new(&copy)?)?;
        }
        let kept = File::open(&self.directory)?;
        let in_state = [OLD.as_bytes(), b"/", number.to_string().as_bytes()].concat();
        match (Node::at(kept.as_fd(), &in_state)?, &step.old) {
            (Node::File { sha256: found, .. }, Node::File { sha256, .. }) if found == *sha256 => {}
            _ => return Err(changed()),
        }
        Ok(Some(identity(&directory, name)?))
    }

    fn apply(
        &self,
        target: BorrowedFd<'_>,
        number: usize,
        step: &Step,
        kept: Option<&Identity>,
    ) -> io::Result<()> {
        let path = octets::decode(&step.path);
        let (directory, name) = open_parent(target, &path)?;
        let is_unchanged = match kept {
            Some(kept) => identity(&directory, name).is_ok_and(|found| found == *kept),
            None => Node::at(target, &path)? == step.old,
        };
        if !is_unchanged {
            return Err(changed());
        }
        match (&step.old, &step.new) {
            (Node::Directory { .. }, Node::Absent) => {
                match rustix::fs::unlinkat(&directory, name, AtFlags::REMOVEDIR) {
                    // The host has more in it than the workspace had.
                    Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
            _ => self.make(&directory, name, number, step, &step.new, || {
                let content = step.content.ok_or(io::ErrorKind::NotFound)?;
                Ok(self.new_content(content))
            }),
        }
    }

    /// Makes a name what `node` says. `content` returns the file with the content, which may be
    /// moved away.
    fn make(
        &self,
        directory: &OwnedFd,
        name: &[u8],
        number: usize,
        step: &Step,
        node: &Node,
        content: impl FnOnce() -> io::Result<PathBuf>,
    ) -> io::Result<()> {
        let partial = self.partial(number);
        let set_mode = |mode: &u32| {
            let mode = Mode::from_raw_mode(*mode);
            Ok(rustix::fs::chmodat(
                directory,
                name,
                mode,
                AtFlags::empty(),
            )?)
        };
        match node {
            Node::File { mode, .. } | Node::Directory { mode } if step.is_only_mode() => {
                set_mode(mode)
            }
            Node::Directory { mode } => {
                rustix::fs::mkdirat(directory, name, Mode::RWXU)?;
                set_mode(mode)
            }
            Node::Symlink { target } => {
                let target = octets::decode(target);
                rustix::fs::symlinkat(&*target, directory, &*partial)?;
                Ok(rustix::fs::renameat(directory, &*partial, directory, name)?)
            }
            Node::File { mode, .. } => {
                let content = content()?;
                let file = File::open(&content)?;
                file.set_permissions(Permissions::from_mode(*mode))?;
                // Of a file that is replaced the owner stays, where that is allowed.
                if let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                    let _ = std::os::unix::fs::fchown(&file, Some(stat.st_uid), Some(stat.st_gid));
                }
                match rustix::fs::renameat(CWD, &content, directory, name) {
                    Err(Errno::XDEV) => {}
                    renamed => return Ok(renamed?),
                }
                copy_beside(file, directory, &partial)?;
                Ok(rustix::fs::renameat(directory, &*partial, directory, name)?)
            }
            Node::Absent => Ok(rustix::fs::unlinkat(directory, name, AtFlags::empty())?),
            Node::Other => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Undoes the steps that were done, the last first. What somebody has changed meanwhile stays.
    pub(super) fn roll_back(&self, target: BorrowedFd<'_>, steps: &dyn Steps) {
        for number in (0..steps.count()).rev() {
            let step = steps.step(number);
            if let Err(error) = self.undo(target, number, &step) {
                let path = pyro_text::line(&step.path);
                tracing::warn!(%error, path, "a step of a pull was not undone");
            }
        }
        if let Err(error) = rustix::fs::syncfs(target) {
            tracing::warn!(%error, "what was undone may not be on the disk");
        }
    }

    fn undo(&self, target: BorrowedFd<'_>, number: usize, step: &Step) -> io::Result<()> {
        let path = octets::decode(&step.path);
        let (directory, name) = match open_parent(target, &path) {
            Err(Errno::NOENT) => return Ok(()),
            opened => opened?,
        };
        let _ = rustix::fs::unlinkat(&directory, &*self.partial(number), AtFlags::empty());
        let found = Node::at(target, &path)?;
        // A directory that was made has its mode a step later.
        let is_new = match (&found, &step.new) {
            (Node::Directory { .. }, Node::Directory { .. }) => true,
            (found, new) => found == new,
        };
        if found == step.old || !is_new {
            return Ok(());
        }
        match (&step.old, &step.new) {
            (Node::Absent, Node::Directory { .. }) => {
                Ok(rustix::fs::unlinkat(&directory, name, AtFlags::REMOVEDIR)?)
            }
            (old, _) => self.make(&directory, name, number, step, old, || {
                // It stays for another try, should this one be interrupted.
                let copy = self.directory.join("again");
                let _ = fs::remove_file(&copy);
                fs::hard_link(self.old_content(number), &copy)?;
                Ok(copy)
            }),
        }
    }

    fn partial(&self, number: usize) -> Vec<u8> {
        let inode = fs::metadata(&self.directory).map_or(0, |stat| stat.ino());
        format!("{PARTIAL}{inode:x}-{number}").into_bytes()
    }

    /// Makes it the last one, in place of the one before.
    pub(super) fn keep_as(self, last: &Path) -> Result<(), Error> {
        let failed = |error: io::Error| Error::transfer(&error);
        fs::remove_dir_all(self.directory.join(NEW)).map_err(failed)?;
        remove(last)?;
        fs::rename(&self.directory, last).map_err(failed)?;
        Ok(sync_directory(last.parent().unwrap_or(last))?)
    }

    /// Removes it with what it has kept.
    pub(super) fn discard(&self) -> Result<(), Error> {
        remove(&self.directory)
    }
}

fn copy_beside(mut from: File, directory: impl AsFd, name: &[u8]) -> io::Result<()> {
    let stat = from.metadata()?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut to = File::from(rustix::fs::openat(
        directory,
        name,
        flags,
        Mode::RUSR | Mode::WUSR,
    )?);
    io::copy(&mut from, &mut to)?;
    let _ = std::os::unix::fs::fchown(&to, Some(stat.uid()), Some(stat.gid()));
    to.set_permissions(stat.permissions())
}

fn identity(directory: impl AsFd, name: &[u8]) -> io::Result<Identity> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(Identity {
        inode: stat.st_ino,
        size: stat.st_size.cast_unsigned(),
        modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
    })
}

fn changed() -> io::Error {
    io::Error::other("it was changed meanwhile")
}

fn failed(step: &Step, error: &io::Error) -> Error {
    Error::transfer(&format!("{}: {error}", pyro_text::line(&step.path)))
}

/// Removes a directory, if it is there.
fn remove(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::transfer(&error)),
        _ => Ok(()),
    }
}

/// Reads a record without all of its text in memory; `None` if there is none, or it is not one.
pub(super) fn read_compact<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_reader(io::BufReader::new(File::open(path).ok()?)).ok()
}

/// Writes a record at once, like any other, but never has all of its text in memory.
pub(super) fn write_compact(path: &Path, record: &impl Serialize) -> Result<(), Error> {
    let failed = |error: io::Error| Error::transfer(&error);
    let new = path.with_extension("new");
    let mut writer = io::BufWriter::new(create_private_file(&new).map_err(failed)?);
    serde_json::to_writer(&mut writer, record).map_err(|error| failed(error.into()))?;
    let file = writer.into_inner().map_err(|error| failed(error.into()))?;
    file.sync_all().map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    Ok(sync_directory(path.parent().unwrap_or(path))?)
}
