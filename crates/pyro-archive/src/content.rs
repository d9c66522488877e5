//! The *content* of a member, read piece by piece.

use crate::error::Error;

/// The content of a member.
pub(crate) trait Content {
    /// Reads the next piece. Data is put into the buffer.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Error>;
}

/// A piece of a content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// This many bytes were put into the buffer: at least one.
    Data(usize),
    /// A hole of this many bytes: at least one.
    Hole(u64),
    /// The end; there were exactly as many bytes as the member has.
    End,
}

/// The content of a member that is not a file.
pub(crate) struct Nothing;

impl Content for Nothing {
    fn read(&mut self, _: &mut [u8]) -> Result<Piece, Error> {
        Ok(Piece::End)
    }
}
