//! The *protocol* between the host and the guest agent, over one byte stream.
//!
//! The stream carries [frames](Frame). Each frame belongs to a numbered stream: stream 0 is the
//! connection itself, every other number is one [call](Call), chosen by the host and never reused
//! on the same connection. Control frames contain one JSON [message](HostMessage); data frames
//! contain raw bytes, so output is never re-encoded.
//!
//! **Flow control.** Either side may send at most [`INITIAL_WINDOW`] bytes of a data channel before
//! the receiver grants more with a [`FrameKind::Credit`] frame. A receiver grants credit only for
//! bytes that it has passed on, so neither side ever buffers more than one window of a channel. An
//! empty data frame ends its channel.
//!
//! **Generations.** The host opens with [`HostMessage::Hello`]; the agent answers with its own
//! generation and both speak the lower one. Fields are only ever added, and are optional; a
//! snapshot of the schema is kept per generation in `schema/`.
//!
//! **Names** in messages are bytes as text: see [`octets`].
//!
//! This crate does no I/O.
//!
//! `docs/glossary.md` defines the words.

mod call;
mod frame;
mod message;
pub mod octets;

pub use call::{
    Answer, Call, Exec, Exit, FileChange, FileEdit, FileEntry, FilePath, FileState, FileType,
    PACKED_NAME, PauseRule, REFUSAL_CHARACTERS, Refusal, RefusalReason, TerminalSize,
};
pub use frame::{Credit, Decoder, Error, Frame, FrameKind, HEADER_BYTES, MAX_PAYLOAD_BYTES};
pub use message::{Clocks, Disk, GuestMessage, HostMessage, Network, Tick};

/// The newest generation of the protocol that this crate implements.
pub const GENERATION: u32 = 5;

/// The stream that carries messages about the connection and the machine as a whole.
pub const CONNECTION: u32 = 0;

/// Bytes that a sender may send on one data channel before its first credit.
pub const INITIAL_WINDOW: u32 = 256 * 1024;

/// The most bytes that a sender puts into one data frame; small enough that the frames of
/// concurrent commands interleave.
pub const DATA_CHUNK_BYTES: usize = 64 * 1024;

/// The name of the last member of an archive that is unpacked. Its content is a line of JSON,
/// `{"entries":N,"bytes":M}`: the number of members before it, and the size of their regular files.
/// An archive without it is incomplete.
pub const ARCHIVE_END: &str = ".pyro-end";

/// The longest path that an unpacking takes, below its destination.
pub const UNPACKED_PATH_BYTES: usize = 4000;

/// How long the list of all paths of an unpacking may be: half a million of them. The guest keeps it
/// in one file, the destination first, each path with a few numbers.
pub const UNPACKED_LIST_BYTES: u64 = 32 * 1024 * 1024;

/// The name of the virtio-serial port on which the agent listens.
pub const PORT_NAME: &str = "pyro.agent";

/// Converts a duration to milliseconds, the unit of durations in messages.
pub fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
