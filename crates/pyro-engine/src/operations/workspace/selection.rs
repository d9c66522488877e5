//! Which files of a directory or an archive a request selects, and which of them a response reports
//! as left out.

use std::io::Read;

use pyro_archive::Selection;

use crate::request::host_path;
use crate::{Context, Error};

/// The limit on the size of a pattern file, in bytes.
const MAX_PATTERN_BYTES: u64 = 1 << 20;

/// The values of `git_ignored` and `unreadable`.
pub(super) const GIT_IGNORED: [&str; 2] = ["include", "exclude"];
pub(super) const UNREADABLE: [&str; 2] = ["fail", "skip"];

pub(super) fn include() -> String {
    GIT_IGNORED[0].into()
}

pub(super) fn fail() -> String {
    UNREADABLE[0].into()
}

/// The parameters of a request that select files.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) exclude: Option<&'a [String]>,
    pub(super) exclude_from: Option<&'a str>,
    pub(super) git_ignored: &'a str,
    pub(super) unreadable: &'a str,
}

impl Wanted<'_> {
    /// Whether no parameter is given.
    pub(super) fn is_all(&self) -> bool {
        self.exclude.is_none_or(<[_]>::is_empty)
            && self.exclude_from.is_none()
            && self.git_ignored == GIT_IGNORED[0]
            && self.unreadable == UNREADABLE[0]
    }

    /// Reads the patterns. Those from the file come first, so that the others take precedence.
    pub(super) fn selection(&self, context: &Context) -> Result<Selection, Error> {
        let without_git_ignored = second("git_ignored", self.git_ignored, &GIT_IGNORED)?;
        let skip_unreadable = second("unreadable", self.unreadable, &UNREADABLE)?;
        let text = match self.exclude_from {
            Some(path) => patterns(context, path)?,
            None => String::new(),
        };
        let is_pattern = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let of_file = text.lines().filter(is_pattern);
        let given = self.exclude.unwrap_or_default().iter();
        let given = given.map(String::as_str);
        let selection = Selection::without(of_file.chain(given))?;
        Ok(selection
            .without_git_ignored(without_git_ignored)
            .skip_unreadable(skip_unreadable))
    }
}

/// Returns whether the value is the second of two allowed words.
fn second(property: &str, word: &str, words: &[&str; 2]) -> Result<bool, Error> {
    match words.iter().position(|known| *known == word) {
        Some(position) => Ok(position == 1),
        None => Err(Error::invalid(format!(
            "{property} must be '{}' or '{}', not '{}'",
            words[0],
            words[1],
            pyro_text::line(word)
        ))),
    }
}

fn patterns(context: &Context, path: &str) -> Result<String, Error> {
    let file = context.permissions.open_file("exclude_from", path)?;
    let mut bytes = Vec::new();
    file.take(MAX_PATTERN_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::unreadable_source("exclude_from", &host_path(path), error))?;
    if bytes.len() as u64 > MAX_PATTERN_BYTES {
        let message = format!("exclude_from has more than {MAX_PATTERN_BYTES} bytes");
        return Err(Error::invalid(message));
    }
    String::from_utf8(bytes).map_err(|_| Error::invalid("exclude_from is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_none_is_named() {
        assert!(second("unreadable", "skip", &UNREADABLE).unwrap());
        let error = second("unreadable", "ignore", &UNREADABLE).unwrap_err();
        assert_eq!(
            error.message,
            "unreadable must be 'fail' or 'skip', not 'ignore'"
        );
    }
}
