//! The parts that all *commands* share: the caller's streams, and how an exit is reported.

use std::time::Duration;

use pyro_machine::{Outcome, octets};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::output::Capture;
use crate::request::{half_a_minute, positive_seconds};
use crate::{Context, Error, Event};

/// The `exit_code` of a command that exceeded its time limit, as in coreutils' `timeout`.
const TIMED_OUT: i32 = 124;
/// Added to the number of the signal that killed a command, as shells do.
const SIGNALLED: i32 = 128;

type Input<'a> = Option<&'a mut (dyn AsyncRead + Send + Unpin)>;
type Output<'a> = &'a mut (dyn AsyncWrite + Send + Unpin);

/// The time limit of a command. The default limit is for callers that wait without seeing the
/// output; `unbounded` commands have none by default.
pub(crate) fn time_limit(seconds: i64, unbounded: bool) -> Result<Option<Duration>, Error> {
    let limit = positive_seconds("timeout_seconds", seconds)?;
    Ok(Some(limit).filter(|_| !unbounded || seconds != half_a_minute()))
}

/// Sets the command's standard input to `text`, if given.
pub(crate) fn set_input(context: &mut Context, text: Option<&str>) {
    if let Some(text) = text {
        let bytes = octets::decode(text).into_owned();
        context.stdin = Some(Box::new(std::io::Cursor::new(bytes)));
    }
}

/// The caller's streams, or captures for those that are not set.
pub(crate) fn streams<'a>(
    context: &'a mut Context,
    captures: &'a mut [Capture; 2],
) -> (Input<'a>, Output<'a>, Output<'a>) {
    let stdin: Input<'a> = match &mut context.stdin {
        Some(stdin) => Some(stdin.as_mut()),
        None => None,
    };
    let [captured_stdout, captured_stderr] = captures;
    match &mut context.output {
        Some(output) => (stdin, output.stdout.as_mut(), output.stderr.as_mut()),
        None => (stdin, captured_stdout, captured_stderr),
    }
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn exit_code(outcome: &Outcome) -> i32 {
    match (outcome.timed_out, outcome.code, outcome.signal) {
        (true, ..) => TIMED_OUT,
        (false, Some(code), _) => code,
        (false, None, signal) => SIGNALLED + signal.unwrap_or(0),
    }
}

/// The event that reports that a guest ran out of memory.
pub(crate) fn out_of_memory(mem_mib: u32) -> Event {
    Event::Warning(format!(
        "the guest's kernel killed a process of the command because the machine's memory was used \
         up (mem_mib: {mem_mib}); it may need a machine with more"
    ))
}

/// The exit status of a program that reports the exit code of a command. A guest reports the code
/// that `wait` returns: 0 to 255.
pub(crate) fn exit_status(exit_code: i32) -> u8 {
    u8::try_from(exit_code & 0xff).unwrap_or(1)
}
