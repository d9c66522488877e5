//! Work that may wait for the host's disk, or for another process.

/// Runs work on another thread that may wait for the host's disk, or for another process.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.expect("what is done there does not panic, and nobody aborts it")
}
