//! *Signals* that ask this process to end. A signal that was ignored at the start stays ignored, as
//! `nohup` and shells with background jobs expect.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::raw;

/// Added to a signal's number for the exit status, as shells do.
pub(crate) const SIGNALLED: i32 = 128;

/// The numbers of Linux on all supported architectures (signal(7)).
const SIGXFSZ: i32 = 25;

/// Returns the arrivals of a signal, unless it was ignored when this process started.
fn arrivals(kind: SignalKind, ignored: u64) -> Option<Signal> {
    let number = u32::try_from(kind.as_raw_value()).ok()?;
    let mask = 1_u64.checked_shl(number.checked_sub(1)?)?;
    if ignored & mask != 0 {
        return None;
    }
    signal(kind).ok()
}

/// A signal that arrives twice within this time counts once: a terminal sends it to the whole
/// process group, and a parent such as `timeout` forwards it again.
const SAME_SIGNAL: Duration = Duration::from_millis(100);

/// How this process ends on a signal. The first one cancels the call; a further one, or one after
/// the call, ends the process immediately.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    over: Arc<AtomicBool>,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Ending {
    /// Records that the call is over: nothing needs to be cancelled any more.
    pub(crate) fn call_is_over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Handles a signal. Returns whether to cancel the call.
    fn take(&self, number: i32) -> bool {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.replace(now);
        if before.is_some_and(|before| now - before < SAME_SIGNAL) {
            return false;
        }
        if before.is_some() || self.over.load(Ordering::Relaxed) {
            raw::restore();
            std::process::exit(SIGNALLED + number);
        }
        true
    }
}

/// Calls `end` with the number of the first signal that asks this process to end. A separate thread
/// waits for signals, because the calling one may be blocked in a write.
pub(crate) fn on_end(end: impl Fn(i32) + Clone + Send + 'static) -> Ending {
    let ending = Ending {
        over: Arc::default(),
        last: Arc::default(),
    };
    let (give, take) = channel::<Runtime>();
    let wait = move || take.recv().map(|runtime| runtime.block_on(pending::<()>()));
    let started = thread::Builder::new().name("signals".into()).spawn(wait);
    let runtime = Builder::new_current_thread().enable_io().build();
    let (Ok(_), Ok(runtime)) = (started, runtime) else {
        // Without the handlers, signals end this process by default.
        return ending;
    };
    let ignored = ignored();
    // From here on they no longer end this process by default.
    let waiting = runtime.enter();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let Some(mut arrivals) = arrivals(kind, ignored) else {
            continue;
        };
        let (end, ending) = (end.clone(), ending.clone());
        tokio::spawn(async move {
            while arrivals.recv().await.is_some() {
                if ending.take(kind.as_raw_value()) {
                    end(kind.as_raw_value());
                }
            }
        });
    }
    drop(waiting);
    // The other thread is waiting for it.
    let _ = give.send(runtime);
    ending
}

/// Makes a write beyond the file size limit (`ulimit -f`) fail with an error instead of killing
/// this process with SIGXFSZ. Must be called in a runtime.
pub(crate) fn survive_file_limit() {
    // The handler stays installed when the stream is dropped.
    drop(signal(SignalKind::from_raw(SIGXFSZ)));
}

/// Returns the signals that this process ignores: bit N - 1 stands for signal N (proc(5),
/// `SigIgn`).
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}
