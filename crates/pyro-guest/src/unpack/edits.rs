//! Carries out [`Call::EditFiles`](pyro_protocol::Call::EditFiles).
//!
//! New contents are staged, and the edits are a plan, like those of an unpacking: once it is
//! committed, it is carried out, also by the next boot.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use pyro_protocol::{Answer, FileEdit, FileState, FileType, Refusal, RefusalReason, octets};
use rustix::fs::{AtFlags, Gid, Mode, Uid};
use rustix::io::Errno;

use super::plan::{Entry, EntryKind, Plan};
use super::staging::{Staging, StagingDirectories, create_file};
use super::{finish, plan, stage};
use crate::directories;
use crate::error::Error;
use crate::files::{digest, names, state};
use crate::streams::task::{Outcome, Pipes};

/// Longer than any line of an edit: a path and two link targets of 4 KiB each, which escaping may
/// make six times as long.
const LINE_LIMIT_BYTES: u64 = 128 * 1024;

/// Changes files below the directory `destination`, in the file system whose root is `root`.
pub(crate) fn edit(root: &Path, destination: &str, count: u64, pipes: Pipes) -> Outcome {
    let Pipes { input, output } = pipes;
    drop(output);
    let failed = |error: Error| Refusal::new(RefusalReason::NotUnpacked, error.to_string());
    let (ground, staging) = stage(root).map_err(failed)?;
    let commit = || {
        let mut staged = Staged::new(&staging);
        let mut input = BufReader::with_capacity(64 * 1024, input);
        for _ in 0..count {
            staged.read(&mut input)?;
        }
        let plan = Plan {
            destination: plan::destination(destination).map_err(failed)?,
            entries: staged.entries,
        };
        let lock = ground.lock().map_err(failed)?;
        let present = Present {
            destination: directories::open_or_make(&ground.root, &plan.destination)
                .map_err(|error| failed(Error::new(format!("open {destination}"), error)))?,
            removed: &staged.removed,
        };
        for (edit, number) in &staged.edits {
            present.check(edit)?;
            if let Some(number) = number {
                present
                    .keep_owner(edit, &staging, *number)
                    .map_err(|error| refused(edit, &error.into()))?;
            }
        }
        staging.commit(&plan, &mut |_| {}).map_err(failed)?;
        Ok((plan, lock))
    };
    let outcome = commit().and_then(|(plan, _lock)| {
        match finish(&ground, &staging, &plan, &mut |_| {}).map_err(failed)? {
            None => Ok(Answer::Edited),
            Some(error) => Err(failed(error)),
        }
    });
    // The next one removes what cannot be removed now.
    drop(staging.remove());
    outcome
}

/// The edits that were read, with the numbers of their staged files.
struct Staged<'a> {
    drawers: StagingDirectories<'a>,
    entries: Vec<Entry>,
    edits: Vec<(FileEdit, Option<usize>)>,
    removed: BTreeSet<Vec<u8>>,
    parents: BTreeSet<Vec<u8>>,
}

impl<'a> Staged<'a> {
    fn new(staging: &'a Staging) -> Self {
        Self {
            drawers: StagingDirectories::new(&staging.directory),
            entries: Vec::new(),
            edits: Vec::new(),
            removed: BTreeSet::new(),
            parents: BTreeSet::new(),
        }
    }

    fn read(&mut self, input: &mut impl BufRead) -> Result<(), Refusal> {
        let mut line = Vec::new();
        let cut = |_| Refusal::new(RefusalReason::Cut, "the edits did not arrive completely");
        let mut limited = input.by_ref().take(LINE_LIMIT_BYTES);
        limited.read_until(b'\n', &mut line).map_err(cut)?;
        if !line.ends_with(b"\n") {
            return Err(cut(io::ErrorKind::UnexpectedEof.into()));
        }
        let edit: FileEdit = serde_json::from_slice(&line)
            .map_err(|error| Refusal::new(RefusalReason::NotUnpacked, error.to_string()))?;
        let path = octets::decode(&edit.path);
        let path = match plan::clean(&path) {
            Some(path) if !path.is_empty() => path.to_vec(),
            _ => return Err(refused(&edit, &invalid("its path is not one"))),
        };
        let Some(new) = &edit.new else {
            self.removed.insert(path.clone());
            self.add(path, EntryKind::Removed);
            self.edits.push((edit, None));
            return Ok(());
        };
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (end, _) in slashes {
            if self.parents.insert(path[..end].to_vec()) {
                self.add(path[..end].to_vec(), EntryKind::Parent);
            }
        }
        let number = self.entries.len();
        self.add(path, EntryKind::Staged);
        self.stage(number, new, input)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => cut(error),
                _ => refused(&edit, &error),
            })?;
        self.edits.push((edit, Some(number)));
        Ok(())
    }

    fn add(&mut self, path: Vec<u8>, kind: EntryKind) {
        self.entries.push(Entry { path, kind });
    }

    fn stage(&mut self, number: usize, new: &FileState, input: &mut impl Read) -> io::Result<()> {
        let (drawer, name) = self.drawers.find(number, true)?;
        match (new.file_type, &new.target) {
            (FileType::File, _) => {
                let mut file = File::from(create_file(drawer, &name)?);
                if io::copy(&mut input.take(new.size), &mut file)? != new.size {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(rustix::fs::fchmod(
                    &file,
                    Mode::from_raw_mode(new.mode & 0o7777),
                )?)
            }
            (FileType::Symlink, Some(target)) => Ok(rustix::fs::symlinkat(
                &*octets::decode(target),
                drawer,
                &name,
            )?),
            _ => Err(invalid("it is neither a file nor a symbolic link")),
        }
    }
}

/// What is there when everything is staged.
struct Present<'a> {
    destination: OwnedFd,
    removed: &'a BTreeSet<Vec<u8>>,
}

impl Present<'_> {
    /// Refuses an edit if its path is not what it was made for, or cannot be changed.
    fn check(&self, edit: &FileEdit) -> Result<(), Refusal> {
        let path = octets::decode(&edit.path);
        let (parent, name) = directories::split(&path);
        let is_wanted = match directories::open(&self.destination, parent) {
            Ok(directory) => {
                is_unchanged(edit, &directory, name).map_err(|error| refused(edit, &error))?
            }
            Err(Errno::NOENT) => edit.old.is_none(),
            // What is in the way goes.
            Err(Errno::NOTDIR | Errno::LOOP) if self.loses_a_parent(&path) => edit.old.is_none(),
            Err(error) => return Err(refused(edit, &error.into())),
        };
        if !is_wanted {
            let message = format!("{}: it was changed meanwhile", edit.path);
            return Err(Refusal::new(RefusalReason::Changed, message));
        }
        let is_directory = |state: &FileState| state.file_type == FileType::Directory;
        if edit.old.as_ref().is_some_and(is_directory) && !self.becomes_empty(&path) {
            return Err(refused(edit, &invalid("a directory is in its place")));
        }
        Ok(())
    }

    fn loses_a_parent(&self, path: &[u8]) -> bool {
        let mut slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        slashes.any(|(end, _)| self.removed.contains(&path[..end]))
    }

    /// Whether all that is in a directory is removed.
    fn becomes_empty(&self, path: &[u8]) -> bool {
        let Ok(directory) = directories::open(&self.destination, path) else {
            return false;
        };
        let Ok(names) = names(&directory) else {
            return false;
        };
        let goes = |name: &Vec<u8>| {
            let below = [path, b"/", name].concat();
            self.removed.contains(&below) || self.becomes_empty(&below)
        };
        !names.is_empty() && names.iter().all(goes)
    }

    /// Gives a staged file the owner of the one that it replaces.
    fn keep_owner(&self, edit: &FileEdit, staging: &Staging, number: usize) -> Result<(), Errno> {
        if edit.old.is_none() {
            return Ok(());
        }
        let path = octets::decode(&edit.path);
        let (parent, name) = directories::split(&path);
        let parent = directories::open(&self.destination, parent)?;
        let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mut drawers = StagingDirectories::new(&staging.directory);
        let (drawer, name) = drawers.find(number, false)?;
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(drawer, &name, Some(uid), Some(gid), flags)
    }
}

/// Whether a path is still what an edit was made for.
fn is_unchanged(edit: &FileEdit, parent: &OwnedFd, name: &[u8]) -> io::Result<bool> {
    let (found, old) = match (state(parent, name)?, &edit.old) {
        (None, None) => return Ok(true),
        (Some(found), Some(old)) => (found, old),
        _ => return Ok(false),
    };
    if found.file_type != old.file_type || found.target != old.target {
        return Ok(false);
    }
    if found.file_type != FileType::File {
        return Ok(true);
    }
    let sha256 = digest(parent, name)?;
    Ok(found.mode == old.mode && edit.old_sha256.as_ref() == Some(&sha256))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn refused(edit: &FileEdit, error: &io::Error) -> Refusal {
    Refusal::new(
        RefusalReason::NotUnpacked,
        format!("{}: {error}", edit.path),
    )
}
