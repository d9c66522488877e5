//! What of a directory or an archive is copied, as requests say it, and what was not, as responses
//! do.

use std::collections::BTreeMap;
use std::io::Read;

use pyro_archive::{Report, Selection};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::host_path;
use crate::{Context, Error};

/// More patterns than anybody writes.
const MAX_PATTERN_BYTES: u64 = 1 << 20;

/// The words for `git_ignored` and `unreadable`.
pub(super) const GIT_IGNORED: [&str; 2] = ["include", "exclude"];
pub(super) const UNREADABLE: [&str; 2] = ["fail", "skip"];

pub(super) fn include() -> String {
    GIT_IGNORED[0].into()
}

pub(super) fn fail() -> String {
    UNREADABLE[0].into()
}

/// What a request says about what is to be copied.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) exclude: Option<&'a [String]>,
    pub(super) exclude_from: Option<&'a str>,
    pub(super) git_ignored: &'a str,
    pub(super) unreadable: &'a str,
}

impl Wanted<'_> {
    /// Whether nothing is said.
    pub(super) fn is_all(&self) -> bool {
        self.exclude.is_none_or(<[_]>::is_empty)
            && self.exclude_from.is_none()
            && self.git_ignored == GIT_IGNORED[0]
            && self.unreadable == UNREADABLE[0]
    }

    /// Reads the patterns; those of the file come before the others, which decide.
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

/// Whether the second of two words was given.
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

/// What was not copied.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LeftOut {
    /// How many; a directory counts as one, whatever is in it.
    pub count: u64,
    /// How many for each reason: `excluded`, `git_ignored`, `unreadable`, `vanished`, `socket`,
    /// `device`.
    pub reasons: BTreeMap<String, u64>,
    /// The first of them.
    pub entries: Vec<LeftOutEntry>,
}

/// Something that was not copied.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LeftOutEntry {
    /// Where it is in the source.
    pub path: String,
    /// Why it was left out.
    pub reason: String,
}

/// What should be known of what was copied.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct TransferWarning {
    /// A stable name for programs.
    pub code: String,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl LeftOut {
    /// Returns what a report says of it; none if nothing was.
    pub(crate) fn of(report: &Report) -> Option<Self> {
        let left_out = &report.left_out;
        if left_out.is_empty() {
            return None;
        }
        let reasons = left_out.counts();
        let entries = left_out.named().iter();
        Some(Self {
            count: left_out.count(),
            reasons: reasons
                .map(|(reason, count)| (reason.code().to_owned(), count))
                .collect(),
            entries: entries
                .map(|(path, reason)| LeftOutEntry {
                    path: path.clone(),
                    reason: reason.code().to_owned(),
                })
                .collect(),
        })
    }

    /// Returns one line for people: `3 left out (2 excluded, 1 socket): a, b, c`.
    pub(crate) fn line(&self) -> String {
        let reasons = self.reasons.iter();
        let reasons: Vec<String> = reasons
            .map(|(reason, count)| format!("{count} {}", reason.replace('_', " ")))
            .collect();
        let names: Vec<&str> = self.entries.iter().map(|entry| &entry.path[..]).collect();
        let more = if self.count > names.len() as u64 {
            ", ..."
        } else {
            ""
        };
        format!(
            "{} left out ({}): {}{more}",
            self.count,
            reasons.join(", "),
            names.join(", ")
        )
    }
}

impl TransferWarning {
    pub(crate) fn all(report: &Report) -> Vec<Self> {
        let warnings = report.warnings.iter();
        warnings
            .map(|warning| Self {
                code: warning.code().to_owned(),
                message: warning.to_string(),
                remedy: warning.remedy().to_owned(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_a_line_for_people() {
        let entry = |path: &str| LeftOutEntry {
            path: path.into(),
            reason: "excluded".into(),
        };
        let mut left_out = LeftOut {
            count: 2,
            reasons: [("excluded".to_owned(), 1), ("git_ignored".to_owned(), 1)].into(),
            entries: vec![entry("a"), entry("b")],
        };
        assert_eq!(
            left_out.line(),
            "2 left out (1 excluded, 1 git ignored): a, b"
        );
        left_out.count = 3;
        assert!(left_out.line().ends_with(": a, b, ..."));
    }

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
