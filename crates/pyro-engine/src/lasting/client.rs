//! The *client* of a supervisor.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pyro_store::{Entry, History, random_hex};
use rustix::fs::{Mode, OFlags};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::wire::{Reply, Request, SOCKET, hear, line, say, say_input};
use super::{Lasting, diagnostics, off_thread};
use crate::capture::{Capture, Captured};
use crate::operations::vm::{out_of_memory, streams};
use crate::{Context, Error, Event};

/// How long a supervisor may take to end its VM in order: the guest writes to its disk.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take if nothing is to be kept.
const DISCARD_LIMIT: Duration = Duration::from_secs(5);
/// How long a process that was killed may take to go.
const KILL_LIMIT: Duration = Duration::from_secs(5);
const TOKEN_BYTES: usize = 16;
const OUTPUT_CHUNK_BYTES: usize = 64 * 1024;
const INPUT_PIECE_BYTES: usize = 64 * 1024;

type Output<'a> = &'a mut (dyn AsyncWrite + Send + Unpin);

/// A directory by a path that is short enough for a socket's address.
#[derive(Debug)]
pub(super) struct Short(OwnedFd);

impl Short {
    pub(super) fn new(directory: &Path) -> std::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(directory, flags, Mode::empty())?))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()).into()
    }
}

/// Where a command's output goes while it runs.
pub(crate) struct Outputs<'a> {
    pub(crate) stdout: Output<'a>,
    pub(crate) stderr: Output<'a>,
}

/// Runs a command to its end, with the caller's streams; returns the output too if there is no
/// other place for it. The command goes on without us if we die, and is ended if the caller does
/// not want it any more.
pub(crate) async fn exec(
    lasting: &Lasting,
    command: &str,
    timeout: Duration,
    context: &mut Context,
) -> Result<(Entry, [Captured; 2]), Error> {
    let mut captures = [Capture::default(), Capture::default()];
    let entry = {
        let (stdin, stdout, stderr) = streams(context, &mut captures);
        let outputs = Outputs { stdout, stderr };
        exec_with(lasting, command, timeout, stdin, outputs).await?
    };
    let printed = captures.map(Capture::finish);
    if entry.exit.as_ref().is_some_and(|exit| exit.oom_killed) {
        context
            .listener
            .tell(out_of_memory(lasting.record.spec.mem_mib));
    }
    let exit = entry.exit.as_ref();
    if let Some(reason) = exit.and_then(|exit| exit.not_flushed.as_ref()) {
        context.listener.tell(not_flushed(reason));
    }
    // Who is told that there was more is told enough.
    let is_known = |captured: &Captured| captured.truncated_from_bytes.is_some();
    match &entry.exit {
        Some(exit) if exit.dropped_bytes > 0 && !printed.iter().any(is_known) => {
            Err(Error::output_dropped(exit))
        }
        _ => Ok((entry, printed)),
    }
}

fn not_flushed(reason: &str) -> Event {
    let reason = pyro_text::line(reason);
    Event::Notice(format!(
        "what was written before is not all on the workspace's disk, and may get lost: {reason}"
    ))
}

async fn exec_with(
    lasting: &Lasting,
    command: &str,
    timeout: Duration,
    stdin: Option<&mut (dyn AsyncRead + Send + Unpin)>,
    outputs: Outputs<'_>,
) -> Result<Entry, Error> {
    let (mut reader, mut writer) = connect(lasting).await?;
    let token = random_hex(TOKEN_BYTES);
    let request = Request::Exec {
        command: command.to_owned(),
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        stdin: stdin.is_some(),
        token: Some(token.clone()),
    };
    // From now on it may run, whether or not we come to hear of it.
    let mut unwanted = KillOnDrop {
        lasting,
        end: Some(Request::Abandon { token }),
    };
    tell(lasting, &mut writer, &request).await?;
    let sequence = match reply(lasting, &mut reader).await? {
        Reply::Started { sequence } => sequence,
        Reply::Failed(error) => {
            unwanted.disarm();
            return Err(error.into());
        }
        other => return Err(unexpected(&other)),
    };
    unwanted.end = Some(Request::Kill { sequence });
    let input = async {
        match send_input(stdin, &mut writer).await {
            Ok(()) => std::future::pending().await,
            Err(error) => pyro_machine::Error::input(&error),
        }
    };
    let output = pass_on(lasting, sequence, &mut reader, outputs);
    let result = tokio::select! {
        biased;
        result = output => result,
        error = input => return Err(error.into()),
    };
    // Whose output gets nowhere goes on no longer than whose caller has gone.
    if !result.as_ref().is_err_and(Error::is_of_output) {
        unwanted.disarm();
    }
    result
}

/// Sends a command its input, to the end of it. Fails only when the input does: what the command
/// does not read is nobody's business.
async fn send_input(
    stdin: Option<&mut (dyn AsyncRead + Send + Unpin)>,
    writer: &mut OwnedWriteHalf,
) -> std::io::Result<()> {
    let Some(stdin) = stdin else { return Ok(()) };
    let mut piece = vec![0; INPUT_PIECE_BYTES];
    loop {
        let length = stdin.read(&mut piece).await?;
        let sent = say_input(writer, &piece[..length]).await;
        if sent.is_err() || length == 0 {
            return Ok(());
        }
    }
}

/// Passes the output of a command on, from its beginning until it ends.
pub(crate) async fn follow(
    lasting: &Lasting,
    sequence: u64,
    outputs: Outputs<'_>,
) -> Result<Entry, Error> {
    let (mut reader, mut writer) = connect(lasting).await?;
    tell(lasting, &mut writer, &Request::Follow { sequence }).await?;
    pass_on(lasting, sequence, &mut reader, outputs).await
}

/// Asks for something without waiting for the answer.
fn ask_now(lasting: &Lasting, request: &Request) -> std::io::Result<()> {
    let mut connection = connect_now(lasting)?;
    connection.set_write_timeout(Some(KILL_LIMIT))?;
    connection.write_all(&line(request))
}

/// Ends the VM, in order or at once, and returns when it is gone.
pub(crate) async fn stop(lasting: &Lasting, discard: bool) -> Result<(), Error> {
    let limit = if discard { DISCARD_LIMIT } else { STOP_LIMIT };
    let asked = async {
        let (mut reader, mut writer) = connect(lasting).await?;
        tell(lasting, &mut writer, &Request::Stop { discard }).await?;
        // It answers by ending.
        let _: Result<Option<Reply>, _> = hear(&mut reader).await;
        Ok::<_, Error>(())
    };
    let asked = tokio::time::timeout(limit, asked).await;
    if lasting.object.is_owned() {
        // It does not listen (yet, or any more), or did not get to its end.
        tracing::warn!(?asked, "the supervisor did not end by itself");
        let object = lasting.object.clone();
        if !off_thread(move || object.end_owner(KILL_LIMIT)).await {
            return Err(Error::no_supervisor("it cannot be ended"));
        }
    }
    Ok(())
}

/// A transfer into the guest.
pub(crate) struct Push {
    connection: StdUnixStream,
}

impl Push {
    /// Begins one.
    pub(crate) fn begin(lasting: &Lasting, destination: &str) -> Result<Self, Error> {
        let mut connection = connect_now(lasting).map_err(|_| gone(lasting))?;
        let destination = destination.to_owned();
        connection
            .write_all(&line(&Request::Push { destination }))
            .map_err(|_| gone(lasting))?;
        Ok(Self { connection })
    }

    /// What ends the transfer when it is dropped.
    pub(crate) fn hang_up(&self) -> std::io::Result<HangUp> {
        Ok(HangUp(self.connection.try_clone()?))
    }

    /// Waits for the guest to have everything in its place.
    pub(crate) fn end(mut self, lasting: &Lasting) -> Result<(), Error> {
        let _ = self.connection.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let read = self.connection.read_to_end(&mut answer);
        match read.map(|_| serde_json::from_slice(&answer)) {
            Ok(Ok(Reply::Pushed)) => Ok(()),
            Ok(Ok(Reply::Failed(error))) => Err(error.into()),
            Ok(Ok(other)) => Err(unexpected(&other)),
            Ok(Err(_)) | Err(_) => Err(gone(lasting)),
        }
    }
}

impl Write for Push {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.connection.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Ends a transfer, complete or not.
pub(crate) struct HangUp(StdUnixStream);

impl Drop for HangUp {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

/// Ends a command whose caller has lost interest in it.
struct KillOnDrop<'a> {
    lasting: &'a Lasting,
    /// What ends it, by the name under which it is known so far. Nothing, once it is wanted.
    end: Option<Request>,
}

impl KillOnDrop<'_> {
    fn disarm(mut self) {
        self.end = None;
    }
}

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        let Some(end) = &self.end else { return };
        if let Err(error) = ask_now(self.lasting, end) {
            tracing::debug!(%error, "a command could not be ended");
        }
    }
}

/// Passes on what a command prints, as its supervisor says that there is more.
async fn pass_on(
    lasting: &Lasting,
    sequence: u64,
    reader: &mut BufReader<OwnedReadHalf>,
    outputs: Outputs<'_>,
) -> Result<Entry, Error> {
    let history = lasting.history();
    let mut tail = Tail::open(&history, sequence)?;
    let Outputs { stdout, stderr } = outputs;
    // Who follows a command later is not told of what it had printed before.
    tail.pass_on(stdout, stderr).await?;
    loop {
        let reply = reply(lasting, reader).await;
        // Also what was printed before the supervisor died.
        tail.pass_on(stdout, stderr).await?;
        match reply? {
            Reply::Grown => {}
            Reply::Ended(entry) => return Ok(entry),
            Reply::Failed(error) => return Err(error.into()),
            other => return Err(unexpected(&other)),
        }
    }
}

/// The two outputs of a command, as far as they were read.
struct Tail {
    stdout: LogFile,
    stderr: LogFile,
    buffer: Vec<u8>,
}

struct LogFile {
    path: PathBuf,
    file: File,
}

impl Tail {
    fn open(history: &History, sequence: u64) -> Result<Self, Error> {
        let open = |path: PathBuf| match File::open(&path) {
            Ok(file) => Ok(LogFile { path, file }),
            Err(error) => Err(Error::unreadable_log(&path, &error)),
        };
        Ok(Self {
            stdout: open(history.stdout(sequence))?,
            stderr: open(history.stderr(sequence))?,
            buffer: vec![0; OUTPUT_CHUNK_BYTES],
        })
    }

    /// Passes on what has come since the last time.
    async fn pass_on(&mut self, stdout: Output<'_>, stderr: Output<'_>) -> Result<(), Error> {
        pass_rest_on(&mut self.stdout, &mut self.buffer, stdout).await?;
        pass_rest_on(&mut self.stderr, &mut self.buffer, stderr).await
    }
}

async fn pass_rest_on(
    log: &mut LogFile,
    buffer: &mut [u8],
    output: Output<'_>,
) -> Result<(), Error> {
    let failed = |error| pyro_machine::Error::output(&error);
    loop {
        let length = match log.file.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.map_err(|error| Error::unreadable_log(&log.path, &error))?,
        };
        if length == 0 {
            return Ok(output.flush().await.map_err(failed)?);
        }
        output.write_all(&buffer[..length]).await.map_err(failed)?;
    }
}

async fn connect(lasting: &Lasting) -> Result<(BufReader<OwnedReadHalf>, OwnedWriteHalf), Error> {
    let connect = async {
        let short = Short::new(lasting.object.path())?;
        UnixStream::connect(short.path(SOCKET)).await
    };
    let stream = connect.await.map_err(|error| {
        tracing::debug!(%error, "the supervisor does not answer");
        gone(lasting)
    })?;
    let (reader, writer) = stream.into_split();
    Ok((BufReader::new(reader), writer))
}

fn connect_now(lasting: &Lasting) -> std::io::Result<StdUnixStream> {
    let short = Short::new(lasting.object.path())?;
    StdUnixStream::connect(short.path(SOCKET))
}

async fn tell(
    lasting: &Lasting,
    writer: &mut OwnedWriteHalf,
    request: &Request,
) -> Result<(), Error> {
    say(writer, request).await.map_err(|_| gone(lasting))
}

async fn reply(lasting: &Lasting, reader: &mut BufReader<OwnedReadHalf>) -> Result<Reply, Error> {
    match hear(reader).await {
        Ok(Some(reply)) => Ok(reply),
        Ok(None) | Err(_) => Err(gone(lasting)),
    }
}

/// The supervisor went away in the middle of it.
fn gone(lasting: &Lasting) -> Error {
    let words = diagnostics::last_words(lasting.object.path());
    Error::supervisor_gone(lasting.kind.noun(), lasting.id()).said_last(words)
}

fn unexpected(reply: &Reply) -> Error {
    Error::no_supervisor(&format!("unexpected answer {reply:?}"))
}
