//! *Signals* that ask this process to end. One that was ignored when it started stays ignored:
//! that is how `nohup`, and shells for what they run in the background, ask for it.

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

/// Of Linux on every architecture that guests have (signal(7)).
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

/// A signal that arrives twice within this time counts once: a terminal sends it to all processes,
/// and a program such as `timeout` that started this one passes it on.
const SAME_SIGNAL: Duration = Duration::from_millis(100);

/// How this process ends on a signal. The first one is for the call to end in order; a further one,
/// or one after the call is over, ends the process at once.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    over: Arc<AtomicBool>,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Ending {
    /// Says that the call is over: nothing is left that would have to end in order.
    pub(crate) fn call_is_over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Takes a signal. Returns whether the call is to end for it.
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

/// Calls `end` with the number of the first signal that asks this process to end. Signals are
/// waited for on a thread of their own: the calling one may be in a write that does not return.
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
        // Signals end this process as they end any other.
        return ending;
    };
    let ignored = ignored();
    // From here on none of them ends this process by itself.
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
    // The thread is waiting for it.
    let _ = give.send(runtime);
    ending
}

/// Has the kernel answer a write beyond the limit of a file's size (`ulimit -f`) with an error,
/// which can be told, instead of killing this process. Belongs into a runtime.
pub(crate) fn survive_file_limit() {
    // The handler stays when the arrivals are dropped.
    drop(signal(SignalKind::from_raw(SIGXFSZ)));
}

/// The signals that this process ignores: bit N - 1 stands for signal N (proc(5), `SigIgn`).
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}
