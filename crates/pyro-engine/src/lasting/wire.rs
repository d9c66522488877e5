//! What a supervisor and its clients say to each other: lines of JSON over a Unix socket, one
//! request a connection. After a `push` the client's bytes follow, and after an `exec` with input
//! that input in pieces: the length of each in 4 bytes, the lowest first, then its bytes. A piece
//! of length 0 is the end. A client that was killed sends none, so that its command does not take
//! a half for the whole: it waits, as for somebody who types no more.
//! A command's output is not sent: it is in files that both can read.

use std::io;

use pyro_store::Entry;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedReadHalf;

use crate::error::Portable;

/// The socket's name in the object's directory.
pub(super) const SOCKET: &str = "supervisor.sock";
/// Longer than any request: a command line has at most 128 KiB, which escaping may make six times
/// as long.
const LINE_LIMIT_BYTES: u64 = 1024 * 1024;

/// What a client asks.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Run a command.
    Exec {
        command: String,
        timeout_ms: u64,
        stdin: bool,
        /// What the client calls it until it is told its number.
        #[serde(default)]
        token: Option<String>,
    },
    /// Say when a command's output grows, and when it ends.
    Follow { sequence: u64 },
    /// End a command.
    Kill { sequence: u64 },
    /// End the command with this token, or do not begin it.
    Abandon { token: String },
    /// Unpack the tar stream that follows below a directory.
    Push { destination: String },
    /// End the VM: in order, or at once because nobody wants its disk any more.
    Stop { discard: bool },
}

/// What a supervisor answers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// The command has this number and runs.
    Started { sequence: u64 },
    /// Its output has grown.
    Grown,
    /// It ended.
    Ended(Entry),
    /// The stream is unpacked and in its place.
    Pushed,
    /// It was done, or will be.
    Done,
    /// It was not done.
    Failed(Portable),
}

/// What a supervisor that starts tells who started it, on its standard output.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum News {
    /// Something the user should know.
    Notice(String),
    /// How long a step took.
    Timing { name: String, seconds: f64 },
    /// The VM runs.
    Ready,
    /// It does not.
    Failed(Portable),
}

/// Writes one line.
pub(super) async fn say(
    writer: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> io::Result<()> {
    writer.write_all(&line(message)).await
}

pub(super) fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line =
        serde_json::to_vec(message).expect("it is a plain enum because only those are sent here");
    line.push(b'\n');
    line
}

/// Sends one piece of a command's input.
pub(super) async fn say_input(
    writer: &mut (impl AsyncWrite + Unpin),
    piece: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
    writer.write_u32_le(length).await?;
    writer.write_all(piece).await
}

/// Passes the pieces of a command's input on, and returns at its end. Where the client went away
/// before that, this does not return.
pub(super) async fn pass_input(
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut (impl AsyncWrite + Unpin),
) {
    while let Ok(length) = reader.read_u32_le().await {
        if length == 0 {
            return;
        }
        let mut piece = (&mut *reader).take(length.into());
        match tokio::io::copy(&mut piece, writer).await {
            Ok(passed) if passed == u64::from(length) => {}
            _ => break,
        }
    }
    std::future::pending::<()>().await;
}

/// Reads one line; `None` at the end.
pub(super) async fn hear<T: DeserializeOwned>(
    reader: &mut BufReader<OwnedReadHalf>,
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    (&mut *reader)
        .take(LINE_LIMIT_BYTES)
        .read_until(b'\n', &mut line)
        .await?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}
