//! A *parser* for the output of `git diff` and `diff -u`. As in git, lines that are neither a
//! header nor a hunk are ignored: commit messages, mails, lines of `diff -r`.

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

/// The options of a parser.
#[derive(Clone, Copy, Debug)]
pub struct ParseOptions {
    /// The limit on the size of the patch together with its decompressed contents, in bytes. Memory
    /// use is bounded by a small multiple of it.
    pub limit: usize,
    /// How many leading components of each path are removed. `None` removes one if the header is
    /// git's, two if git compared two directories (`--no-index`), and for `diff -u` the components
    /// in which the two sides differ.
    pub strip: Option<usize>,
}

/// Parses a patch.
pub fn parse(patch: &[u8], options: ParseOptions) -> Result<Patch<'_>, ParseError> {
    let result = Parser::new(patch, options.limit, options.strip).and_then(Parser::patch);
    // `git diff --no-index old new` prints 'a/old/file b/new/file': one more component is removed,
    // in the whole patch, because the name of a new file alone does not show it.
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
            self.refuse_missing_content(line)?;
            self.lines.next();
        }
        if files.is_empty() {
            return Err(self.error(Problem::NoChange));
        }
        Ok(Patch { files })
    }

    /// A patch is applied as a whole: changes that it mentions but does not contain are errors.
    fn refuse_missing_content(&self, line: &[u8]) -> Result<(), ParseError> {
        if line.starts_with(b"@@ -") && hunk::Range::parse(line).is_some() {
            return Err(self.error(Problem::NoFile));
        }
        if line.starts_with(b"@@@ -") {
            return Err(self.error(Problem::Combined));
        }
        if binary::announces_binary_difference(line) {
            return Err(self.error(Problem::BinaryLeftOut));
        }
        Ok(())
    }
}
