//! A *git header* is the lines from `diff --git` to the first hunk.

use super::lines::without_end;
use super::path::{Name, without_parts};
use super::{Parser, binary};
use crate::Mode;
use crate::error::{ParseError, Problem, shown};
use crate::name::unquoted;
use crate::patch::{Action, Body, FilePatch, Ids};

/// The parsed lines of a header.
#[derive(Default)]
struct Header<'a> {
    action: Option<Action>,
    /// From the lines `---` and `+++`, or from the lines of a rename or copy.
    old: Option<Name>,
    new: Option<Name>,
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
    old_mode: Option<Mode>,
    new_mode: Option<Mode>,
    ids: Option<Ids<'a>>,
    has_sides: bool,
}

impl<'a> Parser<'a> {
    /// Parses the change of a file, if the current line begins one: commit messages may also have
    /// such lines.
    pub(super) fn git_file(&mut self) -> Result<Option<FilePatch<'a>>, ParseError> {
        let start = self.lines.clone();
        let strip = self.strip.unwrap_or(1);
        let names = self.lines.next().unwrap_or_default();
        let names = without_end(names.strip_prefix(b"diff --git ").unwrap_or(names));
        let common = common_name(names, strip);
        self.file.clone_from(&common);
        let mut header = Header::default();
        let mut count = 0;
        while self.header_line(&mut header, strip)? {
            count += 1;
        }
        if count == 0
            && !self
                .lines
                .peek()
                .is_some_and(binary::announces_binary_difference)
        {
            self.lines = start;
            return Ok(None);
        }
        let (old_path, path) = self.names(&mut header, common.as_deref(), strip)?;
        self.file = Some(path.clone());
        if let (Some(old), Some(new)) = (header.old_mode, header.new_mode)
            && (old == Mode::Symlink) != (new == Mode::Symlink)
        {
            let why = "a file does not become a symbolic link but is removed";
            return Err(self.error(Problem::Contradiction(why)));
        }
        let action = header.action.unwrap_or(Action::Modify);
        let body = self.body(action, &header)?;
        Ok(Some(FilePatch {
            line: start.number(),
            action,
            old_path,
            path,
            old_mode: header.old_mode,
            new_mode: header.new_mode,
            may_create: false,
            ids: header.ids,
            body,
        }))
    }

    /// Parses a line of the header, if the current line is one.
    fn header_line(&mut self, header: &mut Header<'a>, strip: usize) -> Result<bool, ParseError> {
        let Some(line) = self.lines.peek().map(without_end) else {
            return Ok(false);
        };
        let after = |word: &str| line.strip_prefix(word.as_bytes());
        let fewer = strip.saturating_sub(1);
        if let Some(text) = after("--- ") {
            let mut ahead = self.lines.clone();
            ahead.next();
            if !ahead.peek().is_some_and(|next| next.starts_with(b"+++ ")) {
                return Ok(false);
            }
            header.old = Some(self.side(text, strip)?);
            header.has_sides = true;
        } else if let Some(text) = after("+++ ") {
            header.new = Some(self.side(text, strip)?);
        } else if let Some(mode) = after("old mode ") {
            header.old_mode = Some(self.mode(mode)?);
        } else if let Some(mode) = after("new mode ") {
            header.new_mode = Some(self.mode(mode)?);
        } else if let Some(mode) = after("deleted file mode ") {
            header.old_mode = Some(self.mode(mode)?);
            self.set_action(header, Action::Delete)?;
        } else if let Some(mode) = after("new file mode ") {
            header.new_mode = Some(self.mode(mode)?);
            self.set_action(header, Action::Create)?;
        } else if let Some(name) = after("rename from ").or_else(|| after("rename old ")) {
            header.from = Some(self.whole_name(name, fewer)?);
            self.set_action(header, Action::Rename)?;
        } else if let Some(name) = after("rename to ").or_else(|| after("rename new ")) {
            header.to = Some(self.whole_name(name, fewer)?);
            self.set_action(header, Action::Rename)?;
        } else if let Some(name) = after("copy from ") {
            header.from = Some(self.whole_name(name, fewer)?);
            self.set_action(header, Action::Copy)?;
        } else if let Some(name) = after("copy to ") {
            header.to = Some(self.whole_name(name, fewer)?);
            self.set_action(header, Action::Copy)?;
        } else if let Some(ids) = after("index ") {
            self.index(header, ids)?;
        } else if after("similarity index ").is_none() && after("dissimilarity index ").is_none() {
            return Ok(false);
        }
        self.lines.next();
        Ok(true)
    }

    fn set_action(&self, header: &mut Header<'_>, action: Action) -> Result<(), ParseError> {
        if header.action.is_some_and(|before| before != action) {
            let why = "it is at once new, deleted, renamed or copied";
            return Err(self.error(Problem::Contradiction(why)));
        }
        header.action = Some(action);
        Ok(())
    }

    fn side(&self, text: &[u8], strip: usize) -> Result<Name, ParseError> {
        match self.name(text)?.0 {
            Name::Nothing => Ok(Name::Nothing),
            Name::Path(name) => Ok(Name::Path(self.stripped(&name, strip)?)),
        }
    }

    /// A name that extends to the end of its line.
    fn whole_name(&self, text: &[u8], strip: usize) -> Result<Vec<u8>, ParseError> {
        if !text.starts_with(b"\"") {
            return self.stripped(text, strip);
        }
        match unquoted(text) {
            Some((name, b"")) => self.stripped(&name, strip),
            _ => Err(self.error(Problem::Quotes)),
        }
    }

    fn mode(&self, text: &[u8]) -> Result<Mode, ParseError> {
        let number = str::from_utf8(text)
            .ok()
            .and_then(|text| u32::from_str_radix(text.trim_ascii_end(), 8).ok());
        match number {
            Some(mode) if mode & 0o170_000 == 0o100_000 && mode & 0o100 != 0 => {
                Ok(Mode::Executable)
            }
            Some(mode) if mode & 0o170_000 == 0o100_000 => Ok(Mode::Regular),
            Some(0o120_000) => Ok(Mode::Symlink),
            _ => Err(self.error(Problem::Mode(shown(&text[..text.len().min(20)])))),
        }
    }

    fn index(&self, header: &mut Header<'a>, text: &'a [u8]) -> Result<(), ParseError> {
        let mut words = text.splitn(2, |byte| *byte == b' ');
        let ids = words.next().unwrap_or_default();
        if let Some(mode) = words.next() {
            header.old_mode = Some(self.mode(mode)?);
        }
        let dots = ids.windows(2).position(|two| two == b"..");
        header.ids = dots.map(|dots| Ids {
            old: &ids[..dots],
            new: &ids[dots + 2..],
        });
        Ok(())
    }

    /// The source path, if different, and the path of the file.
    fn names(
        &self,
        header: &mut Header<'_>,
        common: Option<&[u8]>,
        strip: usize,
    ) -> Result<(Option<Vec<u8>>, Vec<u8>), ParseError> {
        let contradiction = |why| Err(self.error(Problem::Contradiction(why)));
        let common = common.map(|path| self.stripped(path, 0)).transpose()?;
        let no_name = || self.error(Problem::NoName { strip });
        match (header.action, header.old.take(), header.new.take()) {
            (Some(Action::Rename | Action::Copy), old, new) => {
                let (Some(from), Some(to)) = (header.from.take(), header.to.take()) else {
                    return contradiction("a rename or copy needs both its names");
                };
                let fits = |side: Option<Name>, path: &[u8]| match side {
                    None => true,
                    Some(Name::Nothing) => false,
                    Some(Name::Path(name)) => name == path,
                };
                if !fits(old, &from) || !fits(new, &to) {
                    return contradiction("'---' and '+++' name other files than the rename");
                }
                Ok((Some(from), to))
            }
            (Some(Action::Create), None | Some(Name::Nothing), new) => match new {
                Some(Name::Path(path)) => Ok((None, path)),
                None => Ok((None, common.ok_or_else(no_name)?)),
                Some(Name::Nothing) => contradiction("a new file is /dev/null"),
            },
            (Some(Action::Delete), old, None | Some(Name::Nothing)) => match old {
                Some(Name::Path(path)) => Ok((None, path)),
                None => Ok((None, common.ok_or_else(no_name)?)),
                Some(Name::Nothing) => contradiction("a deleted file is /dev/null"),
            },
            (Some(Action::Create), _, _) => contradiction("a new file has an old side"),
            (Some(Action::Delete), _, _) => contradiction("a deleted file has a new side"),
            (_, None, None) => Ok((None, common.ok_or_else(no_name)?)),
            (_, Some(Name::Path(old)), Some(Name::Path(new))) if old == new => Ok((None, new)),
            (_, Some(Name::Path(old)), Some(Name::Path(new))) => {
                let (old, new) = (shown(&old), shown(&new));
                Err(self.error(Problem::NamesDiffer { old, new }))
            }
            _ => contradiction("one side is missing, and it is neither new nor deleted"),
        }
    }

    fn body(&mut self, action: Action, header: &Header<'a>) -> Result<Body<'a>, ParseError> {
        let next = self.lines.peek().unwrap_or_default();
        if next.starts_with(b"@@ -") {
            return Ok(Body::Text(self.hunks(action)?));
        }
        if next == b"GIT binary patch\n" {
            let is_full =
                |id: &[u8]| matches!(id.len(), 40 | 64) && id.iter().all(u8::is_ascii_hexdigit);
            match header.ids {
                Some(ids) if is_full(ids.old) && is_full(ids.new) => {}
                _ => return Err(self.error(Problem::BinaryIds)),
            }
            return self.binary();
        }
        if binary::announces_binary_difference(next) {
            return Err(self.error(Problem::BinaryLeftOut));
        }
        let is_changed = header.action.is_some() || header.new_mode.is_some();
        if !is_changed || header.has_sides {
            return Err(self.error(Problem::HunkHeader));
        }
        Ok(Body::Nothing)
    }
}

/// The common name of both sides of a line `diff --git`.
fn common_name(names: &[u8], strip: usize) -> Option<Vec<u8>> {
    if names.starts_with(b"\"") {
        let (first, rest) = unquoted(names)?;
        let rest = rest.strip_prefix(b" ")?;
        let second = match unquoted(rest) {
            Some((second, b"")) => second,
            Some(_) => return None,
            None => rest.to_vec(),
        };
        return same(&first, &second, strip);
    }
    // Only a quoted name can contain a quote.
    if let Some(quote) = names.iter().position(|byte| *byte == b'"') {
        let first = names[..quote].strip_suffix(b" ")?;
        let (second, rest) = unquoted(&names[quote..])?;
        return rest.is_empty().then(|| same(first, &second, strip))?;
    }
    // Both names may have spaces. There is at most one position that splits the line into two names
    // of equal length without their leading components: further to the right the first name only
    // gets longer, and the second shorter.
    let slashes: Vec<usize> = (0..names.len()).filter(|at| names[*at] == b'/').collect();
    let first_start = start_after(&slashes, strip)?;
    let mut passed = 0;
    for space in (0..names.len()).filter(|at| names[*at] == b' ') {
        while slashes.get(passed).is_some_and(|slash| *slash < space) {
            passed += 1;
        }
        let second_start = match strip {
            0 => space + 1,
            _ => start_after(&slashes[passed..], strip)?,
        };
        if space.checked_sub(first_start) == Some(names.len() - second_start) {
            return same(&names[..space], &names[space + 1..], strip);
        }
    }
    None
}

/// The position after this many slashes in a name.
fn start_after(slashes: &[usize], strip: usize) -> Option<usize> {
    match strip {
        0 => Some(0),
        _ => slashes.get(strip - 1).map(|slash| slash + 1),
    }
}

fn same(first: &[u8], second: &[u8], strip: usize) -> Option<Vec<u8>> {
    let first = without_parts(first, strip)?;
    (Some(first) == without_parts(second, strip)).then(|| first.to_vec())
}
