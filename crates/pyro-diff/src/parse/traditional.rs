//! A *traditional header*, as `diff -u` prints it: two lines, `---` and `+++`, before the first
//! hunk.
//!
//! It does not say how many leading components of its names to remove. Unless the caller does, one is
//! removed if the names are equal except for their first component (`old/x` and `new/x`, `a/x` and
//! `b/x`), or if one is `/dev/null` and the other begins with `a/` or `b/`. Other names are used
//! unchanged: `x` and `x` are `x`. Of two different names, such as `x.c.orig` and `x.c`, the second is
//! used, unless it is the first with a suffix: `x.c` and `x.c.new` are `x.c`.

use super::lines::without_end;
use super::parser::Parser;
use super::path::{Name, without_parts};
use crate::error::{ParseError, Problem};
use crate::patch::{Action, Body, FilePatch};

impl<'a> Parser<'a> {
    /// Parses the change of a file, if one begins here.
    pub(super) fn traditional_file(&mut self) -> Result<Option<FilePatch<'a>>, ParseError> {
        let mut ahead = self.lines.clone();
        let line = self.lines.number();
        let Some(old) = ahead.next().and_then(|line| line.strip_prefix(b"--- ")) else {
            return Ok(None);
        };
        let Some(new) = ahead.next().and_then(|line| line.strip_prefix(b"+++ ")) else {
            return Ok(None);
        };
        if !ahead.peek().is_some_and(|line| line.starts_with(b"@@ -")) {
            return Ok(None);
        }
        let (old, old_time) = self.name(without_end(old))?;
        let (new, new_time) = self.name(without_end(new))?;
        let (path, action) = match (old, new) {
            (Name::Nothing, Name::Nothing) => {
                let why = "both sides are /dev/null";
                return Err(self.error(Problem::Contradiction(why)));
            }
            (Name::Nothing, Name::Path(new)) => (self.one_side(&new, b"b/")?, Action::Create),
            (Name::Path(old), Name::Nothing) => (self.one_side(&old, b"a/")?, Action::Delete),
            (Name::Path(old), Name::Path(new)) => {
                // The time of a file that does not exist is the Unix epoch.
                let action = if is_epoch(old_time) {
                    Action::Create
                } else if is_epoch(new_time) {
                    Action::Delete
                } else {
                    Action::Modify
                };
                (self.both_sides(&old, &new)?, action)
            }
        };
        self.lines = ahead;
        self.file = Some(path.clone());
        let hunks = self.hunks(action)?;
        let may_create = action == Action::Modify && hunks.iter().all(|hunk| hunk.old_count == 0);
        Ok(Some(FilePatch {
            line,
            action,
            old_path: None,
            path,
            old_mode: None,
            new_mode: None,
            may_create,
            ids: None,
            body: Body::Text(hunks),
        }))
    }

    fn one_side(&self, name: &[u8], prefix: &[u8]) -> Result<Vec<u8>, ParseError> {
        let guess = usize::from(name.starts_with(prefix));
        self.stripped(name, self.strip.unwrap_or(guess))
    }

    fn both_sides(&self, old: &[u8], new: &[u8]) -> Result<Vec<u8>, ParseError> {
        let rests = (without_parts(old, 1), without_parts(new, 1));
        let guess = usize::from(old != new && rests.0.is_some() && rests.0 == rests.1);
        let strip = self.strip.unwrap_or(guess);
        let old = self.stripped(old, strip)?;
        let new = self.stripped(new, strip)?;
        Ok(if new.starts_with(&old) { old } else { new })
    }
}

/// Whether a time, as `diff -u` prints it after a tab, is that of a file that does not exist.
fn is_epoch(time: &[u8]) -> bool {
    let Ok(time) = str::from_utf8(time) else {
        return false;
    };
    let mut words = time.split_ascii_whitespace();
    let (Some(date), Some(clock), Some(zone)) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    let days = match date {
        "1970-01-01" => 0,
        "1969-12-31" => -1,
        _ => return false,
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let numbers: Option<Vec<i32>> = clock.split(':').map(|word| word.parse().ok()).collect();
    let zone = zone.parse::<i32>().ok();
    match (numbers.as_deref(), zone) {
        (Some(&[hours @ 0..24, minutes @ 0..60, 0]), Some(zone @ -2400..=2400)) => {
            let zone = zone / 100 * 60 + zone % 100;
            let is_whole = fraction.bytes().all(|digit| digit == b'0');
            is_whole && days * 24 * 60 + hours * 60 + minutes == zone
        }
        _ => false,
    }
}
