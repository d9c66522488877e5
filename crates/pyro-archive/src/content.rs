//! The *content* of a member, read piece by piece.

use crate::error::Error;

/// The content of a member.
pub(crate) trait Content {
    /// Reads the next piece of it, into the buffer if it is data.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Error>;
}

/// A piece of a content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// So many bytes, which are in the buffer now: at least one.
    Data(usize),
    /// So many zeros that nobody has written: at least one.
    Hole(u64),
    /// Nothing; there were exactly as many bytes as the member has.
    End,
}

/// The content of what is no file.
pub(crate) struct Nothing;

impl Content for Nothing {
    fn read(&mut self, _: &mut [u8]) -> Result<Piece, Error> {
        Ok(Piece::End)
    }
}
