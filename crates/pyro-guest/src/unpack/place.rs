//! *Placing* moves what was staged to where it belongs, one rename each.
//!
//! Everything here can be done again from the start after an interruption: what has left the
//! staging directory is in place.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::archive::timestamps;
use super::plan::{Entry, EntryKind, Plan};
use super::staging::StagingDirectories;
use super::step::Step;
use crate::directories;
use crate::error::Error;

/// The directory that was opened last: entries of one directory follow each other.
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

/// Looks whether everything of the plan can be placed, and changes nothing.
pub(super) fn check(root: &OwnedFd, plan: &Plan) -> Result<(), Error> {
    let destination = match directories::open(root, &plan.destination) {
        Ok(destination) => destination,
        // It will be made, and then nothing is in the way.
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

/// Fails if something else is in the entry's place, or with [`Errno::NOENT`] if nothing is.
fn look(parents: &mut Directories, destination: &OwnedFd, entry: &Entry) -> Result<(), Errno> {
    if entry.is_directory() {
        return directories::open(destination, &entry.path).map(drop);
    }
    let (parent, name) = entry.split();
    let found = rustix::fs::statat(parents.open(parent)?, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(found.st_mode).is_dir() {
        return Err(Errno::ISDIR);
    }
    Ok(())
}

/// Carries the plan out. What does not fit, because commands have changed the destination since
/// it was looked at, is left out and the first of it returned.
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
    // Only now, because whatever is put into a directory changes its time.
    for entry in &plan.entries {
        if let EntryKind::Directory { mode, modified } = entry.kind {
            let dressed = directories::open(&destination, &entry.path).and_then(|directory| {
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
    let parent = parents.open(parent)?;
    if entry.is_directory() {
        return directories::make(parent, name, Mode::RWXU);
    }
    let (drawer, staged) = match drawers.find(number, false) {
        Ok((drawer, staged)) => (drawer, staged),
        // Agents of earlier versions staged everything in one directory.
        Err(Errno::NOENT) => (staging, number.to_string()),
        Err(error) => return Err(error),
    };
    match rustix::fs::renameat(drawer, &staged, parent, name) {
        // It is in place already, unless it is the place that is missing.
        Err(Errno::NOENT)
            if rustix::fs::statat(drawer, &staged, AtFlags::SYMLINK_NOFOLLOW).is_err() =>
        {
            Ok(())
        }
        moved => moved,
    }
}

/// Opens the destination, and makes what is missing of it.
/// Whether an error has nothing to do with the entry.
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
