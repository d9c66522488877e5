//! An *image* is the state of a file while hunks are applied to it: numbers that represent its
//! lines.
//!
//! Hunks are placed as `git apply` does: at the line in their header, counted in the file as the
//! previous hunks have changed it, or at the nearest position where all lines match. A hunk that
//! begins with line 1 must match at the beginning of the file, a hunk without trailing context at
//! the end. No line is changed twice.

use std::collections::HashMap;

use crate::error::{HunkRefusal, Misfit};
use crate::patch::{Hunk, Sign};

/// The limit on the steps of all searches for one patch. A valid patch needs far fewer; the limit
/// prevents a hostile patch from causing quadratic time.
pub(super) const SEARCH_STEPS: usize = 100_000_000;

/// How many lines of a hunk that does not fit are shown, and how many bytes of each.
const SHOWN_LINES: usize = 3;
const SHOWN_BYTES: usize = 200;

/// The bit that marks a line that a hunk has added or used as context.
const PATCHED: u32 = 1 << 31;

pub(super) struct Image<'a> {
    /// The lines that the numbers represent.
    lines: Vec<&'a [u8]>,
    numbers: HashMap<&'a [u8], u32>,
    /// The file before and after the last change, the latter in reverse order: ordered hunks then
    /// move each line once.
    before: Vec<u32>,
    after: Vec<u32>,
}

/// The remaining steps of searches.
#[derive(Debug, PartialEq, Eq)]
struct TooLong;

impl<'a> Image<'a> {
    pub(super) fn new(content: &'a [u8]) -> Self {
        let mut image = Self {
            lines: Vec::new(),
            numbers: HashMap::new(),
            before: Vec::new(),
            after: Vec::new(),
        };
        for line in content.split_inclusive(|byte| *byte == b'\n') {
            let number = image.number(line);
            image.after.push(number);
        }
        image.after.reverse();
        image
    }

    pub(super) fn content(&self) -> Vec<u8> {
        let numbers = self.before.iter().chain(self.after.iter().rev());
        let mut content = Vec::new();
        for number in numbers {
            content.extend(self.line(*number));
        }
        content
    }

    /// Applies the hunk with this index. `refused` is the number of lines that the refused hunks
    /// would have added to the file. Returns by how many lines the hunk was moved.
    pub(super) fn apply(
        &mut self,
        index: usize,
        hunk: &Hunk<'a>,
        refused: isize,
        steps: &mut usize,
    ) -> Result<isize, HunkRefusal> {
        let said = hunk.new_start.saturating_sub(1);
        let stated = said.saturating_add_signed(-refused).min(self.len());
        let old: Vec<&[u8]> = hunk
            .lines()
            .filter(|(sign, _)| *sign != Sign::Added)
            .map(|(_, line)| line)
            .collect();
        // A line that the file does not have matches nowhere.
        let numbers: Option<Vec<u32>> = old
            .iter()
            .map(|line| self.numbers.get(line).copied())
            .collect();
        let at_start = hunk.old_start <= 1;
        let at_end = !hunk.has_context_at_end;
        let found = match &numbers {
            Some(numbers) => self.find(numbers, stated, at_start, at_end, steps),
            None => Ok(None),
        };
        match found {
            Ok(Some(position)) if self.spend(position, steps) => {
                self.replace(position, old.len(), hunk);
                // Lines are fewer than isize::MAX bytes.
                Ok(position.cast_signed() - stated.cast_signed())
            }
            Ok(None) => {
                let why = if at_start && !at_end {
                    Misfit::NotAtStart
                } else if at_end && !at_start {
                    Misfit::NotAtEnd
                } else {
                    Misfit::NotFound
                };
                Err(self.refusal(index, &old, stated, why))
            }
            _ => Err(self.refusal(index, &old, stated, Misfit::SearchTooLong)),
        }
    }

    /// The nearest position; of two equally near ones, the later one.
    fn find(
        &self,
        old: &[u32],
        stated: usize,
        at_start: bool,
        at_end: bool,
        steps: &mut usize,
    ) -> Result<Option<usize>, TooLong> {
        let Some(last) = self.len().checked_sub(old.len()) else {
            return Ok(None);
        };
        let fixed = match (at_start, at_end) {
            (true, true) if last > 0 => return Ok(None),
            (true, _) => Some(0),
            (false, true) => Some(last),
            (false, false) => None,
        };
        if let Some(position) = fixed {
            return Ok(self.fits(old, position, steps)?.then_some(position));
        }
        for distance in 0.. {
            let later = stated + distance;
            if later > last && distance > stated {
                break;
            }
            if later <= last && self.fits(old, later, steps)? {
                return Ok(Some(later));
            }
            if let Some(earlier) = stated.checked_sub(distance)
                && earlier <= last
                && distance > 0
                && self.fits(old, earlier, steps)?
            {
                return Ok(Some(earlier));
            }
        }
        Ok(None)
    }

    fn fits(&self, old: &[u32], position: usize, steps: &mut usize) -> Result<bool, TooLong> {
        let same = self.common(old, position);
        *steps = steps.checked_sub(same + 1).ok_or(TooLong)?;
        Ok(same == old.len())
    }

    /// How many lines match from a position on.
    fn common(&self, old: &[u32], position: usize) -> usize {
        let is_same = |(index, number): &(usize, &u32)| self.at(position + index) == Some(**number);
        old.iter().enumerate().take_while(is_same).count()
    }

    /// Counts the steps for moving the position of the last change.
    fn spend(&self, position: usize, steps: &mut usize) -> bool {
        let distance = position.abs_diff(self.before.len());
        match steps.checked_sub(distance) {
            Some(left) => *steps = left,
            None => return false,
        }
        true
    }

    fn replace(&mut self, position: usize, old_length: usize, hunk: &Hunk<'a>) {
        if position < self.before.len() {
            let moved = self.before.drain(position..).rev();
            self.after.extend(moved);
        }
        let left = self.after.len() - (position - self.before.len());
        let moved = self.after.drain(left..).rev();
        self.before.extend(moved);
        self.after.truncate(left - old_length);
        for (sign, line) in hunk.lines() {
            if sign != Sign::Removed {
                let number = self.number(line);
                self.before.push(number | PATCHED);
            }
        }
    }

    fn refusal(&self, index: usize, old: &[&[u8]], stated: usize, why: Misfit) -> HunkRefusal {
        // The number for lines that the file does not have.
        let numbers: Vec<u32> = old
            .iter()
            .map(|line| self.numbers.get(line).copied().unwrap_or(u32::MAX))
            .collect();
        let mut same = self.common(&numbers, stated);
        // The lines match, but not at the beginning or the end, or they were already changed.
        if same == old.len() {
            same = 0;
        }
        let shown = |line: &[u8]| line[..line.len().min(SHOWN_BYTES)].to_vec();
        let expected = &old[same..old.len().min(same + SHOWN_LINES)];
        let found = (stated + same..self.len()).take(SHOWN_LINES);
        HunkRefusal {
            hunk: index + 1,
            at: stated + same + 1,
            expected: expected.iter().map(|line| shown(line)).collect(),
            found: found
                .filter_map(|at| self.at(at))
                .map(|number| shown(self.line(number)))
                .collect(),
            why,
        }
    }

    fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    fn at(&self, position: usize) -> Option<u32> {
        match position.checked_sub(self.before.len()) {
            None => Some(self.before[position]),
            Some(behind) => {
                let index = self.after.len().checked_sub(behind + 1)?;
                Some(self.after[index])
            }
        }
    }

    fn line(&self, number: u32) -> &'a [u8] {
        self.lines[(number & !PATCHED) as usize]
    }

    fn number(&mut self, line: &'a [u8]) -> u32 {
        *self.numbers.entry(line).or_insert_with(|| {
            self.lines.push(line);
            u32::try_from(self.lines.len() - 1)
                .ok()
                .filter(|number| *number < PATCHED - 1)
                .expect("contents are too small for so many different lines")
        })
    }
}
