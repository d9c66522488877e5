//! Runs blocking work, which may wait for the host's disk or for another process, off the runtime's
//! thread.

use std::io;
use std::os::unix::net::UnixStream;

/// Returns both ends of a connection between a task and a thread.
pub(crate) fn pipe() -> io::Result<(tokio::net::UnixStream, UnixStream)> {
    let (task, thread) = tokio::net::UnixStream::pair()?;
    let thread = thread.into_std()?;
    thread.set_nonblocking(false)?;
    Ok((task, thread))
}

/// Runs blocking work on another thread.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("the work does not panic, and is not aborted")
}
