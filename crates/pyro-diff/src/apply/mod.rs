//! An *applied patch* is the new content of each path. A patch is applied completely or not at all.

mod image;

use std::collections::{BTreeMap, BTreeSet};

use crate::delta::{self, Failure};
use crate::error::{ApplyError, Reason, Refusal};
use crate::patch::{Action, Body, FilePatch, Hunk, Patch};
use crate::{Mode, Side, id};
use image::{Image, SEARCH_STEPS};

/// How many refusals are reported; the others are counted.
pub const REFUSALS: usize = 1000;

/// The hard limit on contents, independent of the caller's limit: lines are counted in 31 bits.
const LARGEST: usize = 1 << 30;

/// The maximum length of a symbolic link's target in Linux.
const TARGET_BYTES: usize = 4095;

/// The current state of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Nothing,
    /// A file or a symbolic link.
    Side(Side),
    /// A directory.
    Directory,
    /// A file that git cannot represent: a device, a socket.
    Other,
}

/// The result of a patch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The new state of each changed path; `None` for a deleted one. A file may replace a directory
    /// whose files the patch removes: the caller must check that it is empty then.
    pub changes: BTreeMap<Vec<u8>, Option<Side>>,
    /// The hunks that were applied at another line than the patch says.
    pub moved: Vec<Moved>,
}

/// A hunk that was applied at another line than the patch says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The path.
    pub path: Vec<u8>,
    /// The number of the hunk in the change of this file, from 1.
    pub hunk: usize,
    /// How many lines further down it was applied.
    pub by: isize,
}

/// Computes the result of a patch for the files that `read` returns.
///
/// The contents before and after each change of a file may have at most `limit` bytes together, and
/// at most 1 GiB. Several changes of one file are applied in order; renames and copies use the
/// content from before the patch, as in git.
pub fn apply<E>(
    patch: &Patch<'_>,
    limit: usize,
    read: impl FnMut(&[u8]) -> Result<Present, E>,
) -> Result<Applied, ApplyError<E>> {
    let limit = limit.min(LARGEST);
    let renamed = patch
        .files
        .iter()
        .filter(|file| file.action == Action::Rename);
    let mut work = Work {
        read,
        limit,
        remaining: limit,
        steps: SEARCH_STEPS,
        renamed: renamed.map(FilePatch::source).collect(),
        before: BTreeMap::new(),
        after: BTreeMap::new(),
        failed: BTreeSet::new(),
        refusals: Vec::new(),
        more: 0,
        moved: Vec::new(),
    };
    for file in &patch.files {
        work.file(file)?;
    }
    for file in &patch.files {
        work.place(file)?;
    }
    if !work.refusals.is_empty() {
        return Err(ApplyError::Refused {
            refusals: work.refusals,
            more: work.more,
        });
    }
    let before = work.before;
    let is_changed = |path: &Vec<u8>, side: &Option<Side>| match (before.get(path), side) {
        (Some(Present::Side(before)), Some(after)) => before != after,
        (Some(Present::Nothing), None) => false,
        _ => true,
    };
    let changes = work.after.into_iter();
    Ok(Applied {
        changes: changes
            .filter(|(path, side)| is_changed(path, side))
            .collect(),
        moved: work.moved,
    })
}

struct Work<'p, R> {
    read: R,
    limit: usize,
    remaining: usize,
    steps: usize,
    /// All paths that the patch renames.
    renamed: BTreeSet<&'p [u8]>,
    before: BTreeMap<Vec<u8>, Present>,
    after: BTreeMap<Vec<u8>, Option<Side>>,
    /// Changes that depend on a refused change are not refused as well.
    failed: BTreeSet<&'p [u8]>,
    refusals: Vec<Refusal>,
    more: usize,
    moved: Vec<Moved>,
}

/// Why a change of a file cannot be applied.
enum Stop<E> {
    /// Hunks were refused; each is already recorded.
    Hunks,
    Refused(Reason),
    Failed(ApplyError<E>),
}

impl<E> From<Reason> for Stop<E> {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl<E> From<ApplyError<E>> for Stop<E> {
    fn from(error: ApplyError<E>) -> Self {
        Self::Failed(error)
    }
}

impl<'p, E, R: FnMut(&[u8]) -> Result<Present, E>> Work<'p, R> {
    fn file(&mut self, file: &'p FilePatch<'p>) -> Result<(), ApplyError<E>> {
        if self.failed.contains(file.source()) || self.failed.contains(file.path()) {
            return Ok(());
        }
        match self.change(file) {
            Ok(change) => self.keep(file, change),
            Err(Stop::Hunks) => _ = self.failed.insert(&file.path),
            Err(Stop::Refused(reason)) => {
                self.failed.insert(&file.path);
                self.refuse(&file.path, file.line, reason);
            }
            Err(Stop::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    /// Computes the new state of the file.
    fn change(&mut self, file: &'p FilePatch<'p>) -> Result<Option<Side>, Stop<E>> {
        let old = self.old(file)?;
        let is_new = old.is_none() || matches!(file.action, Action::Rename | Action::Copy);
        if is_new {
            self.check_free(file)?;
        }
        let old_content = old.as_ref().map_or(&[][..], |side| &side.content);
        self.count(old_content.len())?;
        let content = match &file.body {
            Body::Nothing => old_content.to_vec(),
            Body::Text(hunks) => self.text(file, old_content, hunks).ok_or(Stop::Hunks)?,
            Body::Literal(content) => {
                check_old(file, old.as_ref())?;
                content.clone()
            }
            Body::Delta(delta) => {
                check_old(file, old.as_ref())?;
                delta::apply(old_content, delta, self.remaining).map_err(
                    |failure| match failure {
                        Failure::OtherBase => Stop::Refused(Reason::OtherContent),
                        Failure::Damaged(why) => Stop::Refused(Reason::Binary(why)),
                        Failure::TooLarge => {
                            Stop::Failed(ApplyError::TooLarge { limit: self.limit })
                        }
                    },
                )?
            }
        };
        self.count(content.len())?;
        check_new(file, &content)?;
        if file.action == Action::Delete {
            if !content.is_empty() {
                return Err(Reason::NotEmpty.into());
            }
            return Ok(None);
        }
        let kept_mode = old.map_or(Mode::Regular, |side| side.mode);
        let mode = file.new_mode.unwrap_or(kept_mode);
        if mode == Mode::Symlink && !is_target(&content) {
            return Err(Reason::Link.into());
        }
        Ok(Some(Side { mode, content }))
    }

    /// Returns the content to which the change applies; `None` if the file is new.
    fn old(&mut self, file: &FilePatch<'_>) -> Result<Option<Side>, Stop<E>> {
        if file.action == Action::Create {
            return Ok(None);
        }
        let path = file.source();
        let is_moved = matches!(file.action, Action::Rename | Action::Copy);
        let side = match self.after.get(path) {
            Some(Some(side)) if !is_moved => side.clone(),
            Some(None) if !is_moved => return Err(Reason::Gone.into()),
            _ => match self.before(path)? {
                Present::Side(side) => side.clone(),
                Present::Nothing if file.may_create => return Ok(None),
                Present::Nothing => return Err(Reason::Missing.into()),
                Present::Directory => return Err(wrong_type(file, "a directory").into()),
                Present::Other => return Err(wrong_type(file, "something else").into()),
            },
        };
        // Other permissions than the patch expects are accepted, as in git.
        match (file.old_mode, side.mode) {
            (Some(Mode::Symlink), Mode::Symlink) | (None, _) => {}
            (Some(Mode::Symlink), _) => return Err(wrong_type(file, "a file").into()),
            (Some(_), Mode::Symlink) => return Err(wrong_type(file, "a symbolic link").into()),
            (Some(_), _) => {}
        }
        Ok(Some(side))
    }

    /// Checks that a new file does not exist yet.
    fn check_free(&mut self, file: &'p FilePatch<'p>) -> Result<(), Stop<E>> {
        match self.after.get(&file.path) {
            Some(Some(_)) => return Err(Reason::Exists.into()),
            Some(None) => return Ok(()),
            None => {}
        }
        let is_renamed = self.renamed.contains(file.path());
        match self.before(&file.path)? {
            Present::Side(_) if is_renamed => Ok(()),
            // Whether the patch empties the directory is checked at the end.
            Present::Nothing | Present::Directory => Ok(()),
            Present::Side(_) | Present::Other => Err(Reason::Exists.into()),
        }
    }

    /// Returns the new content of a text; `None` if hunks were refused.
    fn text(
        &mut self,
        file: &FilePatch<'_>,
        content: &[u8],
        hunks: &[Hunk<'_>],
    ) -> Option<Vec<u8>> {
        let mut image = Image::new(content);
        let refusals = self.refusals.len() + self.more;
        let mut refused = 0;
        for (index, hunk) in hunks.iter().enumerate() {
            match image.apply(index, hunk, refused, &mut self.steps) {
                Ok(0) => {}
                Ok(by) => self.moved.push(Moved {
                    path: file.path.clone(),
                    hunk: index + 1,
                    by,
                }),
                Err(refusal) => {
                    refused += hunk.new_count.cast_signed() - hunk.old_count.cast_signed();
                    self.refuse(&file.path, hunk.line, Reason::Hunk(refusal));
                }
            }
        }
        (self.refusals.len() + self.more == refusals).then(|| image.content())
    }

    fn keep(&mut self, file: &FilePatch<'_>, side: Option<Side>) {
        if file.action == Action::Rename {
            // The result of another change is kept: two files may swap their names.
            self.after.entry(file.source().to_vec()).or_insert(None);
        }
        self.after.insert(file.path.clone(), side);
    }

    /// Checks that a file can exist at its path after all changes.
    fn place(&mut self, file: &FilePatch<'_>) -> Result<(), ApplyError<E>> {
        if !matches!(self.after.get(&file.path), Some(Some(_))) {
            return Ok(());
        }
        if self.before.get(&file.path) == Some(&Present::Directory) {
            let below = [&file.path[..], b"/"].concat();
            let mut inside = self.after.range(below.clone()..);
            let first = inside.next().filter(|(path, _)| path.starts_with(&below));
            if first.is_none_or(|(_, side)| side.is_some()) {
                self.refuse(&file.path, file.line, Reason::Exists);
            }
        }
        let slashes = file
            .path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/');
        for (end, _) in slashes {
            let parent = &file.path[..end];
            let is_directory = match self.after.get(parent) {
                Some(side) => side.is_none(),
                None => matches!(self.before(parent)?, Present::Nothing | Present::Directory),
            };
            if !is_directory {
                let reason = Reason::BelowFile(parent.to_vec());
                self.refuse(&file.path, file.line, reason);
                break;
            }
        }
        Ok(())
    }

    fn before(&mut self, path: &[u8]) -> Result<&Present, ApplyError<E>> {
        if !self.before.contains_key(path) {
            let present = (self.read)(path).map_err(|source| ApplyError::Read {
                path: path.to_vec(),
                source,
            })?;
            self.before.insert(path.to_vec(), present);
        }
        Ok(&self.before[path])
    }

    fn count(&mut self, bytes: usize) -> Result<(), ApplyError<E>> {
        let limit = self.limit;
        let left = self.remaining.checked_sub(bytes);
        self.remaining = left.ok_or(ApplyError::TooLarge { limit })?;
        Ok(())
    }

    fn refuse(&mut self, path: &[u8], line: usize, reason: Reason) {
        if self.refusals.len() == REFUSALS {
            self.more += 1;
            return;
        }
        self.refusals.push(Refusal {
            path: path.to_vec(),
            line,
            reason,
        });
    }
}

fn wrong_type(file: &FilePatch<'_>, found: &'static str) -> Reason {
    let expected = match file.old_mode {
        Some(Mode::Symlink) => "a symbolic link",
        _ => "a file",
    };
    Reason::WrongType { expected, found }
}

/// A binary hunk has only the new content; the ids in the header identify the old one.
fn check_old(file: &FilePatch<'_>, old: Option<&Side>) -> Result<(), Reason> {
    let Some(ids) = file.ids else {
        return Err(Reason::OtherContent);
    };
    let is_right = match old {
        Some(old) => id::is_of(ids.old, &old.content),
        None => id::is_nothing(ids.old),
    };
    is_right.then_some(()).ok_or(Reason::OtherContent)
}

fn check_new(file: &FilePatch<'_>, content: &[u8]) -> Result<(), Reason> {
    let (Some(ids), Body::Literal(_) | Body::Delta(_)) = (file.ids, &file.body) else {
        return Ok(());
    };
    let is_right = if file.action == Action::Delete {
        id::is_nothing(ids.new)
    } else {
        id::is_of(ids.new, content)
    };
    let why = "its result has another id than it says";
    is_right.then_some(()).ok_or(Reason::Binary(why))
}

fn is_target(content: &[u8]) -> bool {
    (1..=TARGET_BYTES).contains(&content.len()) && !content.contains(&0)
}
