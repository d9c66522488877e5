//! The *wire* is the protocol between a supervisor and its clients: lines of JSON over a Unix
//! socket, one request on each connection.
//!
//! After a `call`, and after an `exec` with input, the client sends the input in pieces: the length
//! of each in 4 bytes, the lowest byte first, then its bytes. A piece of length 0 is the end. A
//! client that was killed sends no end, so incomplete input is never taken for complete. The output
//! of a call comes in pieces, too, each after an `output` line. The output of an `exec` is not
//! sent: it is in files that both sides can read.
//!
//! **Versions.** A supervisor may be older or newer than its client. Every request names the
//! [`VERSION`] of its client, and a supervisor refuses every other version but its own. Within a
//! version, fields are only added, and are optional, and requests are only added. `stop` is
//! understood in every version, and in the form without a version that came before the first one:
//! so every program can stop what another one has started.

use std::io;

use pyro_machine::{Answer, Call, TerminalSize};
use pyro_store::HistoryEntry;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedReadHalf;

use super::published::Published;
use super::record::Content;
use super::services::ServiceDefinition;
use super::shell_record::NewShell;
use crate::Error;
use crate::command_options::CommandOptions;
use crate::error::WireError;

/// The socket's name in the instance's directory.
pub(super) const SOCKET: &str = "supervisor.sock";
/// The version that this program speaks.
pub(super) const VERSION: u32 = 1;
/// The most bytes in one piece of input or output.
pub(super) const PIECE_BYTES: usize = 64 * 1024;
/// Longer than any request: a command line has at most 128 KiB, which escaping may lengthen six
/// times.
const LINE_LIMIT_BYTES: u64 = 1024 * 1024;

/// The request of a client.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Run a command.
    Exec {
        command: String,
        timeout_ms: u64,
        stdin: bool,
        /// The client's name for the command until the client learns the number.
        #[serde(default)]
        token: Option<String>,
    },
    /// Run a command with options. This is a request of its own so that supervisors that do not
    /// know it refuse it; they would ignore unknown fields of `exec`.
    ExecWith {
        command: String,
        /// The time limit, if there is one.
        timeout_ms: Option<u64>,
        stdin: bool,
        token: Option<String>,
        #[serde(default)]
        options: CommandOptions,
        #[serde(default)]
        terminal: Option<TerminalSize>,
    },
    /// Report when a command's output grows, and when it ends.
    Follow { sequence: u64 },
    /// Kill a command.
    Kill { sequence: u64 },
    /// Send a signal to a command. The answer is `Sent`.
    Signal { sequence: u64, signal: i32 },
    /// Change the size of a command's terminal.
    Resize { sequence: u64, size: TerminalSize },
    /// Kill the command with this token, or do not start it.
    Abandon { token: String },
    /// Carry out a call in the guest.
    Call { call: Call },
    /// Open a shell.
    OpenShell(NewShell),
    /// Send a shell the input that follows, in pieces.
    ShellInput { shell_id: String },
    /// Send a signal to the foreground process group of a shell.
    ShellSignal { shell_id: String, signal: i32 },
    /// Change the size of a shell's terminal.
    ResizeShell {
        shell_id: String,
        size: TerminalSize,
    },
    /// Report when a shell's output grows, and when it ends.
    FollowShell { shell_id: String },
    /// End a shell.
    CloseShell { shell_id: String },
    /// Start a service, and answer when it is ready or has failed.
    StartService(ServiceDefinition),
    /// Stop a service, if it is running.
    StopService { name: String },
    /// Report when a service's output grows, until it is over.
    FollowService { name: String },
    /// Copy the disk into a new snapshot.
    Snapshot {
        name: String,
        #[serde(default)]
        content: Option<Content>,
    },
    /// Publish a port: after the reply `done`, the client passes the descriptor of the listening
    /// socket.
    Publish { port: Published },
    /// Stop publishing a port.
    TakeBack { host_port: u16 },
    /// Answer when everything that was written until now is on the disk.
    Flush,
    /// Copy the disk to a new file on the host, for a client that compares it.
    CopyDisk { to: String },
    /// End the VM: by a shutdown, or at once because its disk is to be discarded.
    Stop { discard: bool },
}

/// The reply of a supervisor.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// The command runs, and has this number.
    Started { sequence: u64 },
    /// The command's output has grown.
    Grown,
    /// The command ended.
    Ended(HistoryEntry),
    /// This many bytes of a call's output follow.
    Output { bytes: u32 },
    /// The call was carried out.
    Answered(Answer),
    /// Whether the signal was sent: false if the command had ended.
    Sent { running: bool },
    /// The request was carried out, or will be.
    Done,
    /// The request failed.
    Failed(WireError),
}

/// What a starting supervisor reports on its standard output to the process that started it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StartEvent {
    /// Something the user should know.
    Notice(String),
    /// Something the user must not overlook.
    Warning(String),
    /// How long a step took.
    Timing { name: String, seconds: f64 },
    /// The VM runs.
    Ready,
    /// The start failed.
    Failed(WireError),
}

/// A request as it is sent.
#[derive(Serialize)]
struct Versioned<'a> {
    version: u32,
    request: &'a Request,
}

/// A request as it is received, with any version or none.
#[derive(Deserialize)]
struct Received {
    #[serde(default)]
    version: Option<u32>,
    #[serde(default)]
    request: Option<serde_json::Value>,
    /// `stop` in the form without a version.
    #[serde(default)]
    stop: Option<Stop>,
}

#[derive(Deserialize)]
struct Stop {
    discard: bool,
}

/// Returns the line of a request.
pub(super) fn request_line(request: &Request) -> Vec<u8> {
    match request {
        // Supervisors of every version understand it.
        Request::Stop { .. } => line(request),
        request => line(&Versioned {
            version: VERSION,
            request,
        }),
    }
}

/// Reads a request; `None` if the client has hung up.
///
/// # Errors
/// When it is invalid, or of another version.
pub(super) async fn read_request(
    reader: &mut BufReader<OwnedReadHalf>,
) -> Result<Option<Request>, Error> {
    let malformed =
        |error: &dyn std::fmt::Display| Error::no_supervisor(&format!("not a request: {error}"));
    let received = read_line(reader).await.map_err(|error| malformed(&error))?;
    received.map(understand).transpose()
}

fn understand(received: Received) -> Result<Request, Error> {
    match received {
        Received {
            stop: Some(Stop { discard }),
            ..
        } => Ok(Request::Stop { discard }),
        Received {
            version: Some(VERSION),
            request: Some(request),
            ..
        } => serde_json::from_value(request).map_err(|error| Error::not_understood(&error)),
        Received { version, .. } => Err(Error::other_version(version, VERSION)),
    }
}

/// Writes one line.
pub(super) async fn write_line(
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
pub(super) async fn write_input(
    writer: &mut (impl AsyncWrite + Unpin),
    piece: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
    writer.write_u32_le(length).await?;
    writer.write_all(piece).await
}

/// Forwards pieces of input. Returns true at the end of the input, false if the client disconnected
/// before it.
pub(super) async fn relay_pieces(
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut (impl AsyncWrite + Unpin),
) -> bool {
    while let Ok(length) = reader.read_u32_le().await {
        if length == 0 {
            return true;
        }
        let mut piece = (&mut *reader).take(length.into());
        match tokio::io::copy(&mut piece, writer).await {
            Ok(passed) if passed == u64::from(length) => {}
            _ => break,
        }
    }
    false
}

/// Reads one piece, which is empty at the end of the input; `None` if the client went away.
pub(super) async fn read_piece(reader: &mut BufReader<OwnedReadHalf>) -> Option<Vec<u8>> {
    let length = usize::try_from(reader.read_u32_le().await.ok()?).ok()?;
    if length > PIECE_BYTES {
        return None;
    }
    let mut piece = vec![0; length];
    reader.read_exact(&mut piece).await.ok()?;
    Some(piece)
}

/// Forwards the pieces of a command's input, and returns at its end. If the client disconnects
/// before that, this does not return: the command's input stays open without further data.
pub(super) async fn relay_input(
    reader: &mut BufReader<OwnedReadHalf>,
    writer: &mut (impl AsyncWrite + Unpin),
) {
    if !relay_pieces(reader, writer).await {
        std::future::pending::<()>().await;
    }
}

/// Reads one line; `None` at the end.
pub(super) async fn read_line<T: DeserializeOwned>(
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

/// Sends a call's output in pieces, until its end.
pub(super) async fn send_output(
    output: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = output.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        let bytes = u32::try_from(length).map_err(io::Error::other)?;
        write_line(writer, &Reply::Output { bytes }).await?;
        writer.write_all(&piece[..length]).await?;
    }
}
