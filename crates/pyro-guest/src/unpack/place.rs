//! *Placing* moves staged files to their paths, one rename each.
//!
//! After an interruption, everything here can be repeated from the start: a file that has left the
//! staging directory is in place.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::archive::timestamps;
use super::plan::{Entry, EntryKind, Plan};
use super::staging::StagingDirectories;
use super::step::Step;
use crate::directories;
use crate::error::Error;

/// The last directory that was opened: entries of one directory follow each other.
struct Directories<'a> {
    base: &'a OwnedFd,
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl<'a> Directories<'a> {
    fn new(base: &'a OwnedFd) -> Self {
        Self { base, last: None }
    }

    fn open(&mut self, path: &[u8]) -> Result<&OwnedFd, Errno> {
        let known = self.last.take().filter(|(last, _)| last == path);
        let opened = match known {
            Some(known) => known,
            None => (path.to_vec(), directories::open(self.base, path)?),
        };
        Ok(&self.last.insert(opened).1)
    }
}

/// Has the directories that exist stay as they are.
pub(super) fn keep_directories(root: &OwnedFd, plan: &mut Plan) {
    let Ok(destination) = directories::open(root, &plan.destination) else {
        return;
    };
    for entry in &mut plan.entries {
        if entry.is_directory() && directories::open(&destination, &entry.path).is_ok() {
            entry.kind = EntryKind::Parent;
        }
    }
}

/// Checks whether the whole plan can be carried out; changes nothing.
pub(super) fn check(root: &OwnedFd, plan: &Plan) -> Result<(), Error> {
    let destination = match directories::open(root, &plan.destination) {
        Ok(destination) => destination,
        // It will be made, so nothing can be in the way.
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(misplaced(&plan.destination, error)),
    };
    let mut parents = Directories::new(&destination);
    for entry in &plan.entries {
        match look(&mut parents, &destination, entry) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(misfit(entry, error)),
        }
    }
    Ok(())
}

/// Fails if another kind of file has the entry's path, or with [`Errno::NOENT`] if nothing has.
fn look(parents: &mut Directories, destination: &OwnedFd, entry: &Entry) -> Result<(), Errno> {
    if entry.is_directory() || entry.kind == EntryKind::Parent {
        return directories::open(destination, &entry.path).map(drop);
    }
    let (parent, name) = entry.split();
    let found = rustix::fs::statat(parents.open(parent)?, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(found.st_mode).is_dir() {
        return Err(Errno::ISDIR);
    }
    Ok(())
}

/// Carries the plan out. Entries that do not fit, because commands have changed the destination
/// since the check, are skipped and the error of the first is returned.
///
/// # Errors
/// When the rest should be tried again later: the disk is full, or broken.
pub(super) fn place(
    root: &OwnedFd,
    staging: &OwnedFd,
    plan: &Plan,
    step: &mut dyn FnMut(Step),
) -> Result<Option<Error>, Error> {
    let destination = match directories::open_or_make(root, &plan.destination) {
        Ok(destination) => destination,
        Err(error) => {
            let retry = is_for_later(error);
            let error = misplaced(&plan.destination, error);
            return if retry { Err(error) } else { Ok(Some(error)) };
        }
    };
    let mut first = None;
    let mut note = |entry: &Entry, result: Result<(), Errno>| match result {
        Ok(()) => Ok(()),
        Err(error) if is_for_later(error) => Err(misfit(entry, error)),
        Err(error) => {
            first.get_or_insert_with(|| misfit(entry, error));
            Ok(())
        }
    };
    let mut parents = Directories::new(&destination);
    let mut drawers = StagingDirectories::new(staging);
    for (number, entry) in plan.entries.iter().enumerate() {
        let placed = place_entry(&mut parents, staging, &mut drawers, number, entry);
        note(entry, placed)?;
        step(Step::Placed);
    }
    // At the end, because each file that is put into a directory changes its time.
    for entry in &plan.entries {
        if let EntryKind::Directory {
            mode,
            modified,
            owner,
        } = entry.kind
        {
            let dressed = directories::open(&destination, &entry.path).and_then(|directory| {
                if let Some((user, group)) = owner {
                    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
                    rustix::fs::fchown(&directory, Some(user), Some(group))?;
                }
                rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode))?;
                rustix::fs::futimens(&directory, &timestamps(modified))
            });
            note(entry, dressed)?;
        }
    }
    step(Step::Dressed);
    Ok(first)
}

fn place_entry(
    parents: &mut Directories,
    staging: &OwnedFd,
    drawers: &mut StagingDirectories,
    number: usize,
    entry: &Entry,
) -> Result<(), Errno> {
    let (parent, name) = entry.split();
    match entry.kind {
        EntryKind::Removed => return remove(parents, entry),
        EntryKind::Parent => {
            return directories::make(parents.open(parent)?, name, Mode::from_raw_mode(0o755));
        }
        EntryKind::Directory { .. } => {
            return directories::make(parents.open(parent)?, name, Mode::RWXU);
        }
        EntryKind::Staged => {}
    }
    let parent = parents.open(parent)?;
    let (drawer, staged) = match drawers.find(number, false) {
        Ok((drawer, staged)) => (drawer, staged),
        // Agents of earlier versions staged all files in one directory.
        Err(Errno::NOENT) => (staging, number.to_string()),
        Err(error) => return Err(error),
    };
    match rustix::fs::renameat(drawer, &staged, parent, name) {
        // It is in place already, unless the target directory is missing.
        Err(Errno::NOENT)
            if rustix::fs::statat(drawer, &staged, AtFlags::SYMLINK_NOFOLLOW).is_err() =>
        {
            Ok(())
        }
        moved => moved,
    }
}

/// Removes a file, and the directories that are empty then. Repeated after an interruption, it finds
/// nothing, or what has come into its place.
fn remove(parents: &mut Directories, entry: &Entry) -> Result<(), Errno> {
    let (mut parent, mut name) = entry.split();
    let mut flags = AtFlags::empty();
    loop {
        let removed = parents
            .open(parent)
            .and_then(|parent| rustix::fs::unlinkat(parent, name, flags));
        match removed {
            Ok(()) => {}
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ISDIR | Errno::NOTEMPTY) => return Ok(()),
            Err(error) => return Err(error),
        }
        if parent.is_empty() {
            return Ok(());
        }
        (parent, name) = directories::split(parent);
        flags = AtFlags::REMOVEDIR;
    }
}

/// Whether an error is independent of the entry, so that a retry may succeed.
fn is_for_later(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::ROFS | Errno::NOMEM | Errno::NFILE
    )
}

fn misplaced(destination: &[u8], error: Errno) -> Error {
    let step = format!("unpack to /{}", String::from_utf8_lossy(destination));
    match error {
        Errno::LOOP => Error::refused(step, "a symbolic link is on the way"),
        Errno::NOTDIR => Error::refused(step, "it is no directory"),
        Errno::XDEV => Error::refused(step, "it is on another file system"),
        error => Error::new(step, error),
    }
}

fn misfit(entry: &Entry, error: Errno) -> Error {
    let step = format!("unpack {}", entry.name());
    match error {
        Errno::LOOP | Errno::NOTDIR => {
            Error::refused(step, "something else is where a directory must be")
        }
        Errno::ISDIR => Error::refused(step, "a directory is in its place"),
        Errno::XDEV => Error::refused(step, "another file system is in its place"),
        error => Error::new(step, error),
    }
}
