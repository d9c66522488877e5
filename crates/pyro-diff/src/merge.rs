//! A *three-way merge* of two texts with a common base: a range of lines that only one side has
//! changed, or both in the same way, is taken. Different changes that overlap or touch each other
//! are a conflict, as in `git merge-file`.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices_deadline};

use crate::is_text;

/// The time limit for finding the shortest difference of each side. Beyond it, the merge is still
/// correct, but may have more conflicts.
const SEARCH: Duration = Duration::from_secs(2);

/// The result of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge<'a> {
    /// The merged content.
    Clean(Vec<u8>),
    /// There are conflicts.
    Conflicts(Conflicts<'a>),
    /// Both sides have changed a content that is not compared by lines.
    NotText,
}

/// A merged text with unresolved conflicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflicts<'a> {
    pieces: Vec<Piece<'a>>,
    /// The line terminator of the text.
    line_end: &'static [u8],
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Merged(Vec<&'a [u8]>),
    Conflict {
        ours: Vec<&'a [u8]>,
        theirs: Vec<&'a [u8]>,
    },
}

impl Conflicts<'_> {
    /// How many there are.
    pub fn count(&self) -> usize {
        let is_conflict = |piece: &&Piece| matches!(piece, Piece::Conflict { .. });
        self.pieces.iter().filter(is_conflict).count()
    }

    /// The text with both sides of each conflict between marker lines that name them.
    pub fn with_markers(&self, ours_name: &str, theirs_name: &str) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Merged(lines) => text.extend(lines.concat()),
                Piece::Conflict { ours, theirs } => {
                    self.marker(&mut text, "<<<<<<< ", ours_name);
                    self.lines(&mut text, ours);
                    self.marker(&mut text, "=======", "");
                    self.lines(&mut text, theirs);
                    self.marker(&mut text, ">>>>>>> ", theirs_name);
                }
            }
        }
        text
    }

    fn marker(&self, text: &mut Vec<u8>, sign: &str, name: &str) {
        text.extend(sign.bytes());
        text.extend(name.bytes());
        text.extend(self.line_end);
    }

    fn lines(&self, text: &mut Vec<u8>, lines: &[&[u8]]) {
        text.extend(lines.concat());
        if lines.last().is_some_and(|line| !line.ends_with(b"\n")) {
            text.extend(self.line_end);
        }
    }
}

/// Merges two contents with a common base, which is empty if both files are new.
pub fn merge<'a>(base: &'a [u8], ours: &'a [u8], theirs: &'a [u8]) -> Merge<'a> {
    if ours == theirs || base == theirs {
        return Merge::Clean(ours.to_vec());
    }
    if base == ours {
        return Merge::Clean(theirs.to_vec());
    }
    if !(is_text(base) && is_text(ours) && is_text(theirs)) {
        return Merge::NotText;
    }
    let texts = [base, ours, theirs].map(lines);
    let pieces = pieces(&texts[0], &texts[1], &texts[2]);
    let mut merged = Vec::new();
    for piece in &pieces {
        let Piece::Merged(lines) = piece else {
            let first = texts[1].first().copied().unwrap_or_default();
            let line_end: &[u8] = if first.ends_with(b"\r\n") {
                b"\r\n"
            } else {
                b"\n"
            };
            return Merge::Conflicts(Conflicts { pieces, line_end });
        };
        merged.extend(lines.concat());
    }
    Merge::Clean(merged)
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// A range of the base that one side has replaced by a range of its own.
struct Change {
    base: Range<usize>,
    side: Range<usize>,
}

fn pieces<'a>(base: &[&'a [u8]], ours: &[&'a [u8]], theirs: &[&'a [u8]]) -> Vec<Piece<'a>> {
    let [our_changes, their_changes] = changes(base, ours, theirs);
    let mut our_side = Side::new(ours, &our_changes);
    let mut their_side = Side::new(theirs, &their_changes);
    let mut pieces = Vec::new();
    let mut done = 0;
    while let Some(start) = [our_side.next_start(), their_side.next_start()]
        .into_iter()
        .flatten()
        .min()
    {
        pieces.push(Piece::Merged(base[done..start].to_vec()));
        // All changes that overlap or touch the current range.
        let mut end = start;
        our_side.begin();
        their_side.begin();
        while our_side.take(&mut end) || their_side.take(&mut end) {}
        let (ours, theirs) = (our_side.lines(start, end), their_side.lines(start, end));
        if !our_side.has_changed() {
            pieces.push(Piece::Merged(theirs.to_vec()));
        } else if !their_side.has_changed() || ours == theirs {
            pieces.push(Piece::Merged(ours.to_vec()));
        } else {
            push_conflict(&mut pieces, ours, theirs);
        }
        done = end;
    }
    pieces.push(Piece::Merged(base[done..].to_vec()));
    pieces
}

/// The common beginning and end of both sides are not part of the conflict.
fn push_conflict<'a>(pieces: &mut Vec<Piece<'a>>, ours: &[&'a [u8]], theirs: &[&'a [u8]]) {
    let is_same = |pair: &(&&[u8], &&[u8])| pair.0 == pair.1;
    let start = ours.iter().zip(theirs).take_while(is_same).count();
    let (head, ours) = ours.split_at(start);
    let theirs = &theirs[start..];
    let backwards = ours.iter().rev().zip(theirs.iter().rev());
    let end = backwards.take_while(is_same).count();
    let (ours, tail) = ours.split_at(ours.len() - end);
    pieces.push(Piece::Merged(head.to_vec()));
    pieces.push(Piece::Conflict {
        ours: ours.to_vec(),
        theirs: theirs[..theirs.len() - end].to_vec(),
    });
    pieces.push(Piece::Merged(tail.to_vec()));
}

/// One side of a merge, and the position in it.
struct Side<'a, 'c> {
    lines: &'c [&'a [u8]],
    changes: &'c [Change],
    next: usize,
    /// The first change of the current range.
    first: usize,
}

impl<'a, 'c> Side<'a, 'c> {
    fn new(lines: &'c [&'a [u8]], changes: &'c [Change]) -> Self {
        Self {
            lines,
            changes,
            next: 0,
            first: 0,
        }
    }

    fn next_start(&self) -> Option<usize> {
        Some(self.changes.get(self.next)?.base.start)
    }

    fn begin(&mut self) {
        self.first = self.next;
    }

    /// Takes the next change, if it begins in or at the end of the current range.
    fn take(&mut self, end: &mut usize) -> bool {
        match self.changes.get(self.next) {
            Some(change) if change.base.start <= *end => {
                *end = change.base.end.max(*end);
                self.next += 1;
                true
            }
            _ => false,
        }
    }

    fn has_changed(&self) -> bool {
        self.first < self.next
    }

    /// The lines with which this side replaces a range of the base.
    fn lines(&self, start: usize, end: usize) -> &'c [&'a [u8]] {
        let Some(last) = self.changes[..self.next].last() else {
            return &self.lines[start..end];
        };
        let side_end = last.side.end + (end - last.base.end);
        let side_start = match self.changes[..self.first].last() {
            Some(before) => before.side.end + (start - before.base.end),
            None => start,
        };
        &self.lines[side_start..side_end]
    }
}

/// The changes of both sides, in order. Lines are compared as numbers.
fn changes<'a>(base: &[&'a [u8]], ours: &[&'a [u8]], theirs: &[&'a [u8]]) -> [Vec<Change>; 2] {
    let mut known: HashMap<&'a [u8], usize> = HashMap::new();
    let [base, ours, theirs] = [base, ours, theirs].map(|lines| {
        let number = |line: &&'a [u8]| {
            let next = known.len();
            *known.entry(*line).or_insert(next)
        };
        lines.iter().map(number).collect::<Vec<usize>>()
    });
    [ours, theirs].map(|side| {
        let deadline = Some(Instant::now() + SEARCH);
        let operations = capture_diff_slices_deadline(Algorithm::Myers, &base, &side, deadline);
        joined(&operations)
    })
}

/// Adjacent operations are one change. The ranges are counted here, because the position that an
/// operation gives for the untouched side is not always correct.
fn joined(operations: &[DiffOp]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let (mut base_at, mut side_at) = (0, 0);
    for operation in operations {
        let base = base_at..base_at + operation.old_range().len();
        let side = side_at..side_at + operation.new_range().len();
        (base_at, side_at) = (base.end, side.end);
        if operation.tag() == DiffTag::Equal {
            continue;
        }
        match changes.last_mut() {
            Some(last) if last.base.end == base.start && last.side.end == side.start => {
                last.base.end = base.end;
                last.side.end = side.end;
            }
            _ => changes.push(Change { base, side }),
        }
    }
    changes
}
