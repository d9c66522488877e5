//! A *hunk*: its header says how many lines it has.

use super::parser::Parser;
use crate::error::{ParseError, Problem};
use crate::patch::{Action, Hunk};

/// The parsed header of a hunk.
pub(super) struct Range {
    old_start: usize,
    old_count: usize,
    new_start: usize,
    new_count: usize,
}

impl Range {
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let text = line.strip_prefix(b"@@ -")?;
        let end = text.windows(3).position(|three| three == b" @@")?;
        let (old, new) = str::from_utf8(&text[..end]).ok()?.split_once(" +")?;
        let (old_start, old_count) = side(old)?;
        let (new_start, new_count) = side(new)?;
        Some(Self {
            old_start,
            old_count,
            new_start,
            new_count,
        })
    }
}

fn side(text: &str) -> Option<(usize, usize)> {
    let (start, count) = text.split_once(',').unwrap_or((text, "1"));
    let number = |digits: &str| {
        let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
        // Half of the range, so that a start and a count can be added without overflow.
        let number = digits
            .parse()
            .ok()
            .filter(|number| *number < usize::MAX / 4);
        number.filter(|_| is_number)
    };
    Some((number(start)?, number(count)?))
}

/// The sides that have ended with a line without a newline.
#[derive(Default)]
struct Ended {
    old: bool,
    new: bool,
}

impl<'a> Parser<'a> {
    /// Parses the hunks of a file.
    pub(super) fn hunks(&mut self, action: Action) -> Result<Vec<Hunk<'a>>, ParseError> {
        let mut hunks = Vec::new();
        while self
            .lines
            .peek()
            .is_some_and(|line| line.starts_with(b"@@ -"))
        {
            self.hunk = Some(hunks.len() + 1);
            let hunk = self.one_hunk()?;
            let contradiction = match action {
                Action::Create if hunk.old_count > 0 => Some("a new file has old lines"),
                Action::Delete if hunk.new_count > 0 => Some("a deleted file has new lines"),
                _ => None,
            };
            if let Some(why) = contradiction {
                return Err(self.error_at(hunk.line, Problem::Contradiction(why)));
            }
            hunks.push(hunk);
        }
        if let Some(line) = self.lines.peek()
            && is_too_much(line)
        {
            return Err(self.error(Problem::HunkLong));
        }
        self.hunk = None;
        Ok(hunks)
    }

    fn one_hunk(&mut self) -> Result<Hunk<'a>, ParseError> {
        let line = self.lines.number();
        let first = self.lines.peek().unwrap_or_default();
        let range = Range::parse(first).ok_or_else(|| self.error(Problem::HunkHeader))?;
        self.lines.next();
        let start = self.lines.rest();
        let (mut old, mut new) = (range.old_count, range.new_count);
        let mut ended = Ended::default();
        let (mut removed, mut added) = (0, 0);
        let mut has_context_at_end = false;
        while old > 0 || new > 0 {
            let short = Problem::HunkShort { old, new };
            let Some(text) = self.lines.peek() else {
                return Err(self.error(short));
            };
            let (is_old, is_new) = match text[0] {
                b' ' | b'\n' => (true, true),
                b'-' => (true, false),
                b'+' => (false, true),
                _ => return Err(self.error(short)),
            };
            if (is_old && old == 0) || (is_new && new == 0) {
                return Err(self.error(short));
            }
            if (is_old && ended.old) || (is_new && ended.new) {
                return Err(self.error(Problem::NoNewline));
            }
            if !text.ends_with(b"\n") {
                return Err(self.error(Problem::Cut));
            }
            old -= usize::from(is_old);
            new -= usize::from(is_new);
            removed += usize::from(is_old && !is_new);
            added += usize::from(is_new && !is_old);
            has_context_at_end = is_old && is_new;
            self.lines.next();
            if self
                .lines
                .peek()
                .is_some_and(|next| next.starts_with(b"\\ "))
            {
                ended.old |= is_old;
                ended.new |= is_new;
                self.lines.next();
            }
        }
        if removed == 0 && added == 0 {
            return Err(self.error_at(line, Problem::HunkEmpty));
        }
        Ok(Hunk {
            line,
            old_start: range.old_start,
            new_start: range.new_start,
            old_count: range.old_count,
            new_count: range.new_count,
            removed,
            has_context_at_end,
            body: &start[..start.len() - self.lines.rest().len()],
        })
    }
}

/// Whether a line after a hunk belongs to it, so that the hunk's counts are wrong. Git ignores such
/// a line. A header of `diff -u` and a mail signature also begin with a dash.
fn is_too_much(line: &[u8]) -> bool {
    match line[0] {
        b'+' | b' ' | b'\\' => true,
        b'-' => !line.starts_with(b"--- ") && !line.starts_with(b"-- ") && line != b"--\n",
        _ => false,
    }
}
