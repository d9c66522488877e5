//! Wall-clock times, in seconds since the Unix epoch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The current time in seconds since the Unix epoch.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// Waits until a wall-clock time, even if the clock is set in the meantime.
pub(super) async fn until(end: Option<f64>) {
    let Some(end) = end else {
        return std::future::pending().await;
    };
    loop {
        let left = end - now();
        if left <= 0.0 {
            return;
        }
        tokio::time::sleep(Duration::from_secs_f64(left.min(10.0))).await;
    }
}
