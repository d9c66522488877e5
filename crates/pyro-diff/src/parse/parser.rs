//! The *state* of a parser: its position, and its remaining limits.

use super::lines::Lines;
use crate::error::{ParseError, Problem};

pub(super) struct Parser<'a> {
    pub(super) lines: Lines<'a>,
    pub(super) strip: Option<usize>,
    pub(super) limit: usize,
    /// How many bytes may still be decompressed.
    pub(super) remaining: usize,
    pub(super) file: Option<Vec<u8>>,
    pub(super) hunk: Option<usize>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(
        patch: &'a [u8],
        limit: usize,
        strip: Option<usize>,
    ) -> Result<Self, ParseError> {
        let parser = Self {
            lines: Lines::new(patch),
            strip,
            limit,
            remaining: limit.saturating_sub(patch.len()),
            file: None,
            hunk: None,
        };
        if patch.len() > limit {
            return Err(parser.error(Problem::TooLarge { limit }));
        }
        Ok(parser)
    }

    /// Returns an error at the current line.
    pub(super) fn error(&self, problem: Problem) -> ParseError {
        self.error_at(self.lines.number(), problem)
    }

    pub(super) fn error_at(&self, line: usize, problem: Problem) -> ParseError {
        ParseError {
            line,
            file: self.file.clone(),
            hunk: self.hunk,
            problem,
        }
    }
}
