//! A *parser* reads what `git diff` and `diff -u` print. What is neither a header nor a hunk is
//! passed over, as git does: messages, mails, lines of `diff -r`.

mod binary;
mod header;
mod hunk;
mod lines;
mod parser;
mod path;
mod traditional;

use crate::error::{ParseError, Problem};
use crate::patch::Patch;
use parser::Parser;

/// How a patch is read.
#[derive(Clone, Copy, Debug)]
pub struct ParseOptions {
    /// How many bytes the patch and what is packed in it may have together. Memory stays within a
    /// small multiple of it.
    pub limit: usize,
    /// How many leading parts of each path are taken away. `None` takes away one where git has
    /// printed the header, two where git compared two directories by name (`--no-index`), and from
    /// `diff -u` what both sides do not have in common.
    pub strip: Option<usize>,
}

/// Reads a patch.
pub fn parse(patch: &[u8], options: ParseOptions) -> Result<Patch<'_>, ParseError> {
    let result = Parser::new(patch, options.limit, options.strip).and_then(Parser::patch);
    // `git diff --no-index old new` prints 'a/old/file b/new/file': one part more to take away, and
    // the same in the whole patch, because the name of a new file does not show it.
    if let (Err(error), None) = (&result, options.strip)
        && matches!(error.problem, Problem::NamesDiffer { .. })
    {
        let again = Parser::new(patch, options.limit, Some(2)).and_then(Parser::patch);
        return again.or(result);
    }
    result
}

impl<'a> Parser<'a> {
    fn patch(mut self) -> Result<Patch<'a>, ParseError> {
        let mut files = Vec::new();
        while let Some(line) = self.lines.peek() {
            self.file = None;
            self.hunk = None;
            let found = if line.starts_with(b"diff --git ") {
                self.git_file()?
            } else {
                self.traditional_file()?
            };
            if let Some(file) = found {
                files.push(file);
                continue;
            }
            self.refuse_what_is_left_out(line)?;
            self.lines.next();
        }
        if files.is_empty() {
            return Err(self.error(Problem::NoChange));
        }
        Ok(Patch { files })
    }

    /// A patch is applied as a whole: what it mentions and does not contain is not passed over.
    fn refuse_what_is_left_out(&self, line: &[u8]) -> Result<(), ParseError> {
        if line.starts_with(b"@@ -") && hunk::Range::parse(line).is_some() {
            return Err(self.error(Problem::NoFile));
        }
        if line.starts_with(b"@@@ -") {
            return Err(self.error(Problem::Combined));
        }
        if binary::says_that_files_differ(line) {
            return Err(self.error(Problem::BinaryLeftOut));
        }
        Ok(())
    }
}
