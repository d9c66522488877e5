//! Commands in a running instance, and their output.

use std::convert::Infallible;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use pyro_machine::TerminalSize;
use pyro_store::{History, HistoryEntry, random_hex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::sync::CancellationToken;

use super::{ask, ask_now, connect, reply, send_request, unexpected};
use crate::command::{out_of_memory, streams};
use crate::command_options::CommandOptions;
use crate::instance::find::Instance;
use crate::instance::wire::{PIECE_BYTES, Reply, Request, write_input};
use crate::output::{Capture, CapturedOutput};
use crate::{Context, Error, Event, Terminal};

const TOKEN_BYTES: usize = 16;
const OUTPUT_CHUNK_BYTES: usize = 64 * 1024;

type Output<'a> = &'a mut (dyn AsyncWrite + Send + Unpin);

/// The destination of a command's output while it runs.
pub(crate) struct Outputs<'a> {
    pub(crate) stdout: Output<'a>,
    pub(crate) stderr: Output<'a>,
}

/// A command for a running instance.
#[derive(Debug)]
pub(crate) struct NewCommand {
    /// The line for the shell.
    pub(crate) line: String,
    /// The time limit, if there is one.
    pub(crate) timeout: Option<Duration>,
    pub(crate) options: CommandOptions,
}

impl NewCommand {
    fn request(
        mut self,
        defaults: &CommandOptions,
        stdin: bool,
        token: &str,
        terminal: Option<TerminalSize>,
    ) -> Request {
        self.options = self.options.or(defaults);
        let timeout_ms = self
            .timeout
            .map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        let token = Some(token.to_owned());
        match timeout_ms {
            // Every supervisor of this protocol version supports this request.
            Some(timeout_ms) if self.options.are_none() && terminal.is_none() => Request::Exec {
                command: self.line,
                timeout_ms,
                stdin,
                token,
            },
            timeout_ms => Request::ExecWith {
                command: self.line,
                timeout_ms,
                stdin,
                token,
                options: self.options,
                terminal,
            },
        }
    }
}

/// Runs a command to its end, with the caller's streams; returns the output if the caller gave no
/// streams for it. The command keeps running if this process dies, and is killed if the caller
/// drops the call. If the context sends it to the background, it has not ended on return.
pub(crate) async fn exec(
    instance: &Instance,
    command: NewCommand,
    context: &mut Context,
) -> Result<(HistoryEntry, [CapturedOutput; 2]), Error> {
    let mut captures = [Capture::default(), Capture::default()];
    let mut terminal = context.terminal.take();
    let background = context.background.clone();
    let entry = {
        let (stdin, stdout, stderr) = streams(context, &mut captures);
        let outputs = Outputs { stdout, stderr };
        exec_with(
            instance,
            command,
            stdin,
            outputs,
            terminal.as_mut(),
            &background,
        )
        .await?
    };
    let printed = captures.map(Capture::finish);
    if entry.exit.as_ref().is_some_and(|exit| exit.oom_killed) {
        context
            .listener
            .report(out_of_memory(instance.record.spec.mem_mib));
    }
    let exit = entry.exit.as_ref();
    if let Some(reason) = exit.and_then(|exit| exit.not_flushed.as_ref()) {
        context.listener.report(not_flushed(reason));
    }
    // Truncated output already tells the caller that there was more.
    let is_known = |captured: &CapturedOutput| captured.truncated_from_bytes.is_some();
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
    instance: &Instance,
    command: NewCommand,
    stdin: Option<&mut (dyn AsyncRead + Send + Unpin)>,
    outputs: Outputs<'_>,
    terminal: Option<&mut Terminal>,
    background: &CancellationToken,
) -> Result<HistoryEntry, Error> {
    let size = terminal.as_ref().map(|terminal| terminal.size);
    let Begun {
        sequence,
        mut reader,
        mut writer,
        unwanted,
    } = begin(instance, command, stdin.is_some(), size).await?;
    let resizes = pass_sizes_on(instance, sequence, terminal);
    let input = async {
        let sent = send_input(stdin, &mut writer).await;
        sent.map_err(|error| pyro_machine::Error::input(&error))?;
        background.cancelled().await;
        Ok::<(), pyro_machine::Error>(())
    };
    let output = pass_on(instance, sequence, &mut reader, outputs);
    let result = tokio::select! {
        biased;
        result = output => result,
        sent = input => {
            sent?;
            unwanted.disarm();
            return Ok(instance.history().entry(sequence)?);
        }
        never = resizes => match never {},
    };
    // A command whose output cannot be delivered is killed, like one whose caller is gone.
    if !result.as_ref().is_err_and(Error::is_of_output) {
        unwanted.disarm();
    }
    result
}

/// A command that was started.
struct Begun<'a> {
    sequence: u64,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// Kills the command on drop, unless disarmed.
    unwanted: KillOnDrop<'a>,
}

async fn begin(
    instance: &Instance,
    command: NewCommand,
    stdin: bool,
    terminal: Option<TerminalSize>,
) -> Result<Begun<'_>, Error> {
    let (mut reader, mut writer) = connect(instance).await?;
    let token = random_hex(TOKEN_BYTES);
    let request = command.request(&instance.record.defaults, stdin, &token, terminal);
    // From now on the command may run, even if no reply arrives.
    let mut unwanted = KillOnDrop {
        instance,
        end: Some(Request::Abandon { token }),
    };
    send_request(instance, &mut writer, &request).await?;
    let sequence = match reply(instance, &mut reader).await? {
        Reply::Started { sequence } => sequence,
        Reply::Failed(error) => {
            unwanted.disarm();
            return Err(error.into());
        }
        other => return Err(unexpected(&other)),
    };
    unwanted.end = Some(Request::Kill { sequence });
    Ok(Begun {
        sequence,
        reader,
        writer,
        unwanted,
    })
}

/// Starts a command that runs in the background once it has all its input. Returns its number.
pub(crate) async fn exec_detached(
    instance: &Instance,
    command: NewCommand,
    context: &mut Context,
) -> Result<u64, Error> {
    let stdin = context.stdin.as_mut().map(|stdin| stdin.as_mut() as _);
    let mut begun = begin(instance, command, stdin.is_some(), None).await?;
    let sent = send_input(stdin, &mut begun.writer).await;
    sent.map_err(|error| pyro_machine::Error::input(&error))?;
    begun.unwanted.disarm();
    Ok(begun.sequence)
}

/// Sends a signal to a command. Returns whether the command was running.
pub(crate) async fn send_signal(
    instance: &Instance,
    sequence: u64,
    signal: i32,
) -> Result<bool, Error> {
    let (mut reader, mut writer) = connect(instance).await?;
    send_request(instance, &mut writer, &Request::Signal { sequence, signal }).await?;
    match reply(instance, &mut reader).await? {
        Reply::Sent { running } => Ok(running),
        Reply::Failed(error) => Err(error.into()),
        other => Err(unexpected(&other)),
    }
}

/// Forwards changes of the size of the caller's terminal.
async fn pass_sizes_on(
    instance: &Instance,
    sequence: u64,
    terminal: Option<&mut Terminal>,
) -> Infallible {
    if let Some(terminal) = terminal {
        while let Some(size) = terminal.sizes.recv().await {
            if let Err(error) = ask(instance, &Request::Resize { sequence, size }).await {
                tracing::debug!(%error, "a terminal keeps its size");
            }
        }
    }
    std::future::pending().await
}

/// Sends a command's input until its end. Fails only if reading the input fails: a command need not
/// read all of it.
async fn send_input(
    stdin: Option<&mut (dyn AsyncRead + Send + Unpin)>,
    writer: &mut OwnedWriteHalf,
) -> std::io::Result<()> {
    let Some(stdin) = stdin else { return Ok(()) };
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = stdin.read(&mut piece).await?;
        let sent = write_input(writer, &piece[..length]).await;
        if sent.is_err() || length == 0 {
            return Ok(());
        }
    }
}

/// Forwards the output of a command, from its beginning until the command ends.
pub(crate) async fn follow(
    instance: &Instance,
    sequence: u64,
    outputs: Outputs<'_>,
) -> Result<HistoryEntry, Error> {
    let (mut reader, mut writer) = connect(instance).await?;
    send_request(instance, &mut writer, &Request::Follow { sequence }).await?;
    pass_on(instance, sequence, &mut reader, outputs).await
}

/// Kills a command when its caller drops the call.
struct KillOnDrop<'a> {
    instance: &'a Instance,
    /// The request that kills it: by token at first, then by number. `None` when disarmed.
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
        if let Err(error) = ask_now(self.instance, end) {
            tracing::debug!(%error, "a command could not be ended");
        }
    }
}

/// Forwards a command's output whenever the supervisor reports more.
async fn pass_on(
    instance: &Instance,
    sequence: u64,
    reader: &mut BufReader<OwnedReadHalf>,
    outputs: Outputs<'_>,
) -> Result<HistoryEntry, Error> {
    let history = instance.history();
    let mut tail = Tail::open(&history, sequence)?;
    let Outputs { stdout, stderr } = outputs;
    // The supervisor does not report output from before this connection.
    tail.pass_on(stdout, stderr).await?;
    loop {
        let reply = reply(instance, reader).await;
        // Read before the reply is examined, to include output from before the supervisor died.
        tail.pass_on(stdout, stderr).await?;
        match reply? {
            Reply::Grown => {}
            Reply::Ended(entry) => return Ok(entry),
            Reply::Failed(error) => return Err(error.into()),
            other => return Err(unexpected(&other)),
        }
    }
}

/// The two logs of a command, and the read positions.
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

    /// Forwards the output since the last call.
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
