//! One *reading* of a source.

use crate::content::Content;
use crate::error::Error;
use crate::member::{Member, What};
use crate::report::{Reason, Report, Warning};
use crate::selection::Selection;

/// The largest number of warnings.
const MOST_WARNINGS: usize = 10;

/// One reading of a source: what is wanted of it, who takes that, and what has become of it.
pub(crate) struct Reading<'a> {
    pub(crate) selection: &'a Selection,
    visit: &'a mut Visit<'a>,
    report: Report,
    /// The path that was left out last. What is below it is not reported again.
    excluded: Vec<u8>,
}

/// The function that receives members.
pub(crate) type Visit<'a> = dyn FnMut(Member, &mut dyn Content) -> Result<(), Error> + 'a;

impl<'a> Reading<'a> {
    pub(crate) fn new(selection: &'a Selection, visit: &'a mut Visit<'a>) -> Self {
        Self {
            selection,
            visit,
            report: Report::default(),
            excluded: Vec::new(),
        }
    }

    pub(crate) fn into_report(self) -> Report {
        self.report
    }

    /// Passes a member on.
    pub(crate) fn take(&mut self, member: Member, content: &mut dyn Content) -> Result<(), Error> {
        let size = match member.what {
            What::File { size, .. } => size,
            _ => 0,
        };
        (self.visit)(member, content)?;
        self.report.entry_count += 1;
        self.report.bytes_written += size;
        Ok(())
    }

    /// Whether an entry is not wanted, or a directory that it is in; then it is left out.
    pub(crate) fn excludes(&mut self, path: &[u8], is_directory: bool) -> bool {
        let Some(found) = self.selection.excluded(path, is_directory) else {
            return false;
        };
        if self.excluded != found {
            self.excluded = found.to_vec();
            self.leave_out(found, Reason::Excluded);
        }
        true
    }

    pub(crate) fn leave_out(&mut self, path: &[u8], reason: Reason) {
        self.report.left_out.add(path, reason);
    }

    pub(crate) fn warn(&mut self, warning: Warning) {
        let warnings = &mut self.report.warnings;
        if warnings.len() < MOST_WARNINGS && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}
