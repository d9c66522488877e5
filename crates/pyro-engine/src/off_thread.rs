//! Work that may wait for the host's disk, or for another process.

use std::io;
use std::os::unix::net::UnixStream;

/// Returns both ends of a pipe from a task to a thread.
pub(crate) fn pipe() -> io::Result<(tokio::net::UnixStream, UnixStream)> {
    let (output, input) = tokio::net::UnixStream::pair()?;
    let input = input.into_std()?;
    input.set_nonblocking(false)?;
    Ok((output, input))
}

/// Runs work on another thread that may wait for the host's disk, or for another process.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("what is done there does not panic, and nobody aborts it")
}
