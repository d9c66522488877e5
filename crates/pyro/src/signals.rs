//! *Signals* that ask this process to end. One that was ignored when it started stays ignored:
//! that is how `nohup`, and shells for what they run in the background, ask for it.

use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// Calls `end` with the number of each signal that asks this process to end.
pub(crate) fn on_end(end: impl Fn(i32) + Clone + Send + 'static) {
    let ignored = ignored();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let Some(mut arrivals) = arrivals(kind, ignored) else {
            continue;
        };
        let end = end.clone();
        tokio::spawn(async move {
            if arrivals.recv().await.is_some() {
                end(kind.as_raw_value());
            }
        });
    }
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
