//! The files that a transfer *left out*, and the reasons.

use std::collections::BTreeMap;

use pyro_archive::Report;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The files that were not copied.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LeftOut {
    /// How many; a directory counts as one, regardless of its contents.
    pub count: u64,
    /// How many for each reason: `excluded`, `git_ignored`, `unreadable`, `vanished`, `socket`,
    /// `device`.
    pub reasons: BTreeMap<String, u64>,
    /// The first few of them.
    pub entries: Vec<LeftOutEntry>,
}

/// A file that was not copied.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LeftOutEntry {
    /// Its path in the source.
    pub path: String,
    /// Why it was left out.
    pub reason: String,
}

/// A warning about the copied files.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct TransferWarning {
    /// A stable code for programs.
    pub code: String,
    /// The message.
    pub message: String,
    /// The remedy.
    pub remedy: String,
}

impl LeftOut {
    /// Returns the summary of a report; `None` if nothing was left out.
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

    /// Returns one line of text: `3 left out (2 excluded, 1 socket): a, b, c`.
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
}
