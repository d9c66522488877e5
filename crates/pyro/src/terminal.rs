//! One run of the program, from the command line to the exit status.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{IsTerminal, Read};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::task::{self, Poll};
use std::time::Instant;

use clap::ArgMatches;
use clap::error::ErrorKind as ArgumentErrorKind;
use pyro_engine::operation::Entry;
use pyro_engine::{
    Config, Context, Engine, Error, ErrorKind, Listener, OutputStreams, PARK_COMMAND,
    SUPERVISE_COMMAND, close_on_exec, raise_limits, variables,
};
use rustix::fs::Mode;
use rustix::process::umask;
use serde_json::Value;
use tokio::io::AsyncWrite;
use tokio::signal::unix::{SignalKind, signal};

use crate::plain::Plain;
use crate::progress::{ProgressDisplay, Verbosity};
use crate::raw::{self, RawMode};
use crate::render::{self, Part, Rendered};
use crate::setup::{configuration, runtime};
use crate::signals::{self, Ending, SIGNALLED};
use crate::standard::{self, READER_GONE, Stderr, to_stderr};
use crate::styles::ERROR;
use crate::trace::Trace;
use crate::{arguments, json, mcp};

/// The limit on the input of a process of ours: paths, numbers, a search path.
const DESCRIPTION_LIMIT_BYTES: u64 = 16 * 1024 * 1024;
/// The maximum size of a supervisor's log.
const DIAGNOSTICS_LIMIT_BYTES: usize = 1024 * 1024;

pub(crate) fn main() -> ExitCode {
    let begun = Instant::now();
    prepare_process();
    log_to_stderr(std::env::args_os().nth(1));
    let matches = match arguments::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return ExitCode::from(usage(&error)),
    };
    let (first, matches) = matches.subcommand().expect("clap requires a subcommand");
    match first {
        "completions" => return completions(matches),
        "manual" => return manual(),
        "mcp" => return mcp::main(matches),
        PARK_COMMAND => return keep_parked(),
        SUPERVISE_COMMAND => return supervise(),
        _ => {}
    }
    let (mut words, mut matches) = (vec![first], matches);
    while let Some((word, inner)) = matches.subcommand() {
        words.push(word);
        matches = inner;
    }
    let typed: Vec<_> = std::env::args_os().collect();
    if let Some(error) = arguments::missing_before_command(matches, &typed) {
        return ExitCode::from(usage(&error));
    }
    let entry = arguments::find(&words).expect("the commands were made from the table");
    ExitCode::from(perform(entry, matches, begun))
}

/// Shows help, or the error in the arguments; returns the exit status.
fn usage(error: &clap::Error) -> u8 {
    let status = u8::try_from(error.exit_code()).unwrap_or(2);
    let text = match error.kind() {
        ArgumentErrorKind::InvalidUtf8 => arguments::not_utf8(std::env::args_os()),
        _ => error.render().ansi().to_string(),
    };
    if error.use_stderr() {
        to_stderr(&text);
        return status;
    }
    standard::status(standard::print(&for_stdout(&text)), status)
}

/// Removes the styles of a text if standard output has no colours.
fn for_stdout(text: &str) -> Vec<u8> {
    let choice = anstream::AutoStream::choice(&std::io::stdout());
    let mut styled = anstream::AutoStream::new(Vec::new(), choice);
    let written = std::io::Write::write_all(&mut styled, text.as_bytes());
    written.expect("memory takes whatever is written");
    styled.into_inner()
}

/// Sets inherited descriptors to close-on-exec, sets the umask, and raises the soft limit on open
/// files to what pyro needs.
fn prepare_process() {
    // Child processes are also started without inherited descriptors.
    let _ = close_on_exec();
    raise_limits();
    let others_may_not_write = Mode::WGRP | Mode::WOTH;
    let wanted = umask(others_may_not_write) | others_may_not_write;
    umask(wanted);
}

/// Performs an operation and returns the exit status.
fn perform(entry: &Entry, matches: &ArgMatches, begun: Instant) -> u8 {
    let unseen = entry.name == arguments::DEMO && !std::io::stdout().is_terminal();
    let as_json = unseen || matches.get_flag("json");
    let wishes = Wishes::of(entry, matches);
    let quiet = as_json || matches.get_flag("quiet");
    let converses = entry.name == arguments::CONVERSATION;
    let verbose = converses && matches.get_flag(arguments::VERBOSE);
    let news = ProgressDisplay::new(match (quiet, verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    });
    let trace = matches.get_flag("trace").then(|| Trace::start(begun));
    let took = |step, begun| {
        if let Some(trace) = &trace {
            trace.took(step, begun);
        }
    };
    let begun = Instant::now();
    let output = LineEnds::default();
    let signalled = Arc::new(AtomicI32::new(0));
    let mut ending = None;

    let Wishes {
        harmless,
        exact,
        id_only,
        only_counts,
        ..
    } = wishes;

    let mut asked = Value::Null;
    let mut finished = begun;
    let result = request(entry, matches).and_then(|(config, request)| {
        let request = if exact { exactly(request) } else { request };
        asked = request.clone();
        let runtime = runtime()?;
        let (news, steps) = (news.clone(), trace.clone());
        let listen = move |event| {
            if let Some(steps) = &steps {
                steps.note(&event);
            }
            news.show(&event);
        };
        let mut context = Context {
            listener: Listener::new(listen),
            ..Context::default()
        };
        let result = runtime.block_on(async {
            let _raw_mode = wishes.connect(&mut context)?;
            if !as_json {
                context.output = Some(output.streams(harmless)?);
            }
            ending = Some(cancel_on_signals(&context, &signalled));
            let engine = Engine::open(config)?;
            took("setup", begun);
            let result = engine.call(entry, request, context).await;
            finished = Instant::now();
            result
        });
        // A thread may still be blocked reading standard input.
        runtime.shutdown_background();
        result
    });
    if let Some(ending) = ending {
        ending.call_is_over();
    }
    news.clear();
    let status = match (&result, news.lost()) {
        // Later output would also be lost.
        (Ok(_), Some(error)) => standard::status(Err(error), 0),
        (Ok(value), None) if exact => standard::status(standard::print(&render::content(value)), 0),
        (Ok(value), None) if id_only => print(&render::id(value), 0),
        (Ok(value), None) if as_json => {
            // First: for that it is read again, which takes as much memory as the text may take.
            let status = (entry.exit_status)(value);
            print(&json::pretty(value), status)
        }
        (Ok(value), None) => {
            let rendered = if only_counts {
                render::stat(value)
            } else {
                render::human(entry, &asked, value, verbose)
            };
            show(&rendered, quiet, harmless, &output)
        }
        (Err(error), _) => {
            let told = match (as_json, converses) {
                (true, _) => Told::AsJson,
                (false, true) => Told::InLine,
                (false, false) => Told::Apart,
            };
            fail(error, told, &signalled, &output)
        }
    };
    took("result", finished);
    if let Some(trace) = trace {
        trace.print();
    }
    status
}

/// The options that only the command line has.
#[derive(Clone, Copy, Debug)]
struct Wishes {
    /// Control sequences are escaped on a terminal.
    harmless: bool,
    /// Only the content is printed, byte for byte.
    exact: bool,
    id_only: bool,
    only_counts: bool,
    /// Standard input is forwarded.
    input: bool,
    /// Even if it is a terminal.
    interactive: bool,
    /// The command has a terminal.
    terminal: bool,
}

impl Wishes {
    fn of(entry: &Entry, matches: &ArgMatches) -> Self {
        use arguments::{ATTACH, CREATE, DIFF, DISK_READ, FILE_READ, LOGS, SHELL_OPEN};
        let is = |names: &[&str]| names.contains(&entry.name);
        let exact = is(&[FILE_READ, DISK_READ]) && matches.get_flag(arguments::CONTENT_ONLY);
        let executes = is(&arguments::EXEC);
        let attaches = is(&[ATTACH]);
        let interactive = attaches || (executes && matches.get_flag(arguments::INTERACTIVE));
        // A detached command gets no input, because it may never end.
        let detached = is(&["workspace_exec"]) && matches.get_flag("detach");
        Self {
            // Shown later, and explicitly without escaping.
            harmless: match entry.name {
                LOGS => !matches.get_flag(arguments::RAW),
                FILE_READ | DISK_READ => !exact,
                "service_logs" | "shell_read" => true,
                _ => false,
            },
            exact,
            id_only: is(&[CREATE, SHELL_OPEN]) && matches.get_flag(arguments::ID_ONLY),
            only_counts: is(&[DIFF]) && matches.get_flag(arguments::STAT),
            input: !matches.get_flag(arguments::NO_STDIN) && (interactive || !detached),
            interactive,
            terminal: attaches || (executes && matches.get_flag(arguments::TTY)),
        }
    }

    /// Connects standard input, and the terminal if the command gets one, until the result is
    /// dropped. Must be called in a runtime.
    fn connect(self, context: &mut Context) -> Result<Option<RawMode>, Error> {
        if self.input {
            context.stdin = standard::input(self.interactive).map(|input| Box::new(input) as _);
        }
        if !self.terminal {
            return Ok(None);
        }
        context.terminal = Some(raw::terminal());
        let entered = self.interactive.then(RawMode::enter).transpose();
        entered.map_err(|error| Error::resource(&error))
    }
}

/// Requests the exact bytes.
fn exactly(mut request: Value) -> Value {
    request["base64"] = true.into();
    request
}

fn request(entry: &Entry, matches: &ArgMatches) -> Result<(Config, Value), Error> {
    let config = configuration(matches)?;
    let request = (entry.read_arguments)(matches).unwrap_or_else(|error| error.exit());
    Ok((config, request))
}

/// Cancels the call on a signal to end, and records the signal.
fn cancel_on_signals(context: &Context, signalled: &Arc<AtomicI32>) -> Ending {
    let (cancel, signalled) = (context.cancel.clone(), Arc::clone(signalled));
    signals::on_end(move |number| {
        signalled.store(number, Ordering::Relaxed);
        cancel.cancel();
    })
}

/// Shows the result; returns the exit status.
fn show(rendered: &Rendered, quiet: bool, harmless: bool, output: &LineEnds) -> u8 {
    let plain = |text| {
        if harmless {
            pyro_text::escaped(text)
        } else {
            text.into()
        }
    };
    for part in &rendered.parts {
        let printed = match part {
            Part::Stdout(text) if std::io::stdout().is_terminal() => {
                standard::print(plain(text).as_bytes())
            }
            Part::Stdout(text) => standard::print(text.as_bytes()),
            Part::Patch(patch) if std::io::stdout().is_terminal() => {
                standard::print(&for_stdout(&render::coloured(patch)))
            }
            Part::Patch(patch) => standard::print(patch),
            Part::Stderr(text) if std::io::stderr().is_terminal() => {
                to_stderr(&plain(text));
                Ok(())
            }
            Part::Stderr(text) => {
                to_stderr(text);
                Ok(())
            }
        };
        if printed.is_err() {
            return standard::status(printed, rendered.status);
        }
    }
    if !quiet && !rendered.footer.is_empty() {
        output.end_line();
        to_stderr(&rendered.footer);
    }
    rendered.status
}

/// How an error is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    /// On standard output, as JSON.
    AsJson,
    /// On standard error.
    Apart,
    /// Only its message, on standard output after the other lines.
    InLine,
}

/// Shows an error; returns the exit status.
fn fail(error: &Error, told: Told, signalled: &AtomicI32, output: &LineEnds) -> u8 {
    let status = match (error.kind, signalled.load(Ordering::Relaxed)) {
        (ErrorKind::OutputClosed, _) => return READER_GONE,
        (ErrorKind::Cancelled, signal) => u8::try_from(SIGNALLED + signal).unwrap_or(1),
        (ErrorKind::InvalidInput | ErrorKind::Failed, _) => 1,
    };
    if told == Told::AsJson {
        let mut value = serde_json::to_value(error).expect("an error is a plain struct");
        value["ok"] = false.into();
        return print(&json::pretty(&value), status);
    }
    output.end_line();
    let message = pyro_text::escaped(&error.message);
    if told == Told::InLine {
        let status = print(&format!("[error] {message}\n"), status);
        to_stderr(&details(error));
        return status;
    }
    to_stderr(&format!(
        "{ERROR}[error]{ERROR:#} {message}\n{}",
        details(error)
    ));
    status
}

/// Formats the cause and the remedy of an error, for people.
fn details(error: &Error) -> String {
    let mut text = String::new();
    if let Some(cause) = &error.cause {
        let cause = pyro_text::escaped(cause).replace('\n', "\n    ");
        let _ = writeln!(text, "  caused by: {cause}");
    }
    if let Some(remedy) = &error.remedy {
        let _ = writeln!(text, "  hint: {remedy}");
    }
    let retry = if error.retry_safe {
        "yes, no command was started"
    } else {
        "unknown, a command may have run"
    };
    let _ = writeln!(text, "  code: {} (safe to retry: {retry})", error.code);
    text
}

fn print(text: &str, status: u8) -> u8 {
    standard::status(standard::print(text.as_bytes()), status)
}

fn completions(matches: &ArgMatches) -> ExitCode {
    let shell = *matches
        .get_one::<clap_complete::Shell>("shell")
        .expect("clap requires it");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut arguments::command(), "pyro", &mut script);
    print_bytes(&script)
}

fn manual() -> ExitCode {
    let mut page = Vec::new();
    match clap_mangen::Man::new(arguments::command()).render(&mut page) {
        Ok(()) => print_bytes(&page),
        Err(_) => ExitCode::FAILURE,
    }
}

/// Keeps a machine for the next call. Errors are not reported, because no process waits for this
/// one.
fn keep_parked() -> ExitCode {
    let description = description();
    let Ok(runtime) = runtime() else {
        return ExitCode::FAILURE;
    };
    let kept = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).ok();
        let terminated = async {
            match &mut terminate {
                Some(arrivals) => arrivals.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            kept = Engine::keep_parked(&description) => kept.is_ok(),
            _ = terminated => true,
        }
    });
    runtime.shutdown_background();
    status(kept)
}

/// Supervises a VM that outlives the call that started it; that call reads our standard output.
fn supervise() -> ExitCode {
    let description = description();
    let Ok(news) = std::io::stdout().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    // Its reader waits for its end.
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null);
    }
    let news = std::fs::File::from(news);
    // The process that waits for events reads the end of the stream.
    let supervised = runtime().and_then(|runtime| {
        let supervised = runtime.block_on(Engine::supervise(&description, news));
        // The supervisor is finished: background tasks need not complete.
        runtime.shutdown_background();
        supervised
    });
    status(supervised.is_ok())
}

/// Reads the input of a process of ours from the process that started it. The caller checks it.
fn description() -> String {
    let mut description = String::new();
    let stdin = std::io::stdin().lock();
    let _ = stdin
        .take(DESCRIPTION_LIMIT_BYTES)
        .read_to_string(&mut description);
    description
}

fn status(done: bool) -> ExitCode {
    if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print_bytes(bytes: &[u8]) -> ExitCode {
    ExitCode::from(standard::status(standard::print(bytes), 0))
}

/// Starts logging as PYRO_LOG says. A supervisor's standard error is a file in its object's
/// directory, which always gets its warnings, and whose size is limited.
fn log_to_stderr(first: Option<OsString>) {
    use tracing_subscriber::EnvFilter;
    let supervises = first.is_some_and(|first| first == SUPERVISE_COMMAND);
    let filter = match EnvFilter::try_from_env(variables::LOG) {
        Ok(filter) => filter,
        Err(_) if supervises => EnvFilter::new("warn"),
        Err(_) => return,
    };
    let room = Arc::new(AtomicUsize::new(if supervises {
        DIAGNOSTICS_LIMIT_BYTES
    } else {
        usize::MAX
    }));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Bounded(Arc::clone(&room)))
        .with_ansi(false)
        .init();
}

/// Standard error, up to this many bytes: further output is dropped.
struct Bounded(Arc<AtomicUsize>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let take = |room: usize| Some(room.saturating_sub(bytes.len()));
        let order = Ordering::Relaxed;
        let (Ok(room) | Err(room)) = self.0.fetch_update(order, order, take);
        if room == 0 {
            return Ok(bytes.len());
        }
        Stderr.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Stderr.flush()
    }
}

/// Tracks whether the command left an unterminated line on a stream to which our own lines are
/// written.
#[derive(Clone, Debug, Default)]
struct LineEnds {
    open: Arc<AtomicBool>,
}

impl LineEnds {
    /// Returns standard output and error for a command. An unterminated line matters on standard
    /// error, where our lines go, and on standard output if both are the same terminal. A
    /// `harmless` stream escapes control sequences on a terminal.
    fn streams(&self, harmless: bool) -> Result<OutputStreams, Error> {
        let [stdout, stderr] = standard::outputs().map_err(|error| Error::resource(&error))?;
        let shared = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let watched = |watch: bool| watch.then(|| Arc::clone(&self.open));
        Ok(OutputStreams {
            stdout: Box::new(Watched {
                inner: Plain::new(stdout, harmless && std::io::stdout().is_terminal()),
                open: watched(shared),
            }),
            stderr: Box::new(Watched {
                inner: Plain::new(stderr, harmless && std::io::stderr().is_terminal()),
                open: watched(true),
            }),
        })
    }

    fn end_line(&self) {
        if self.open.swap(false, Ordering::Relaxed) {
            to_stderr("\n");
        }
    }
}

/// A writer that tracks whether the last byte ended a line.
struct Watched<W> {
    inner: W,
    open: Option<Arc<AtomicBool>>,
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Watched<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let (Poll::Ready(Ok(length @ 1..)), Some(open)) = (&result, &self.open) {
            open.store(bytes[length - 1] != b'\n', Ordering::Relaxed);
        }
        result
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
