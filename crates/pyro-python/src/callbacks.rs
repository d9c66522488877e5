//! The *callbacks* of one call: Python functions that receive its output and events, and the
//! exception that one of them, or a signal handler, raised.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::process::getpid;
use rustix::thread::gettid;
use tokio::io::AsyncWrite;
use tokio_util::sync::CancellationToken;

/// The Python caller of a call.
pub(crate) struct Callbacks {
    on_output: Option<Py<PyAny>>,
    on_news: Option<Py<PyAny>>,
    wanted: Option<Py<PyAny>>,
    /// Only the main thread handles signals.
    on_main_thread: bool,
    failure: Mutex<Option<PyErr>>,
    /// Cancels the call.
    pub(crate) cancel: CancellationToken,
}

impl Callbacks {
    pub(crate) fn new(
        on_output: Option<Py<PyAny>>,
        on_news: Option<Py<PyAny>>,
        wanted: Option<Py<PyAny>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            on_output,
            on_news,
            wanted,
            on_main_thread: gettid() == getpid(),
            failure: Mutex::default(),
            cancel: CancellationToken::new(),
        })
    }

    pub(crate) fn wants_output(&self) -> bool {
        self.on_output.is_some()
    }

    /// Takes the first raised exception.
    pub(crate) fn failure(&self) -> Option<PyErr> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    /// Asks whether the call should continue.
    pub(crate) fn look(&self) {
        if !self.on_main_thread && self.wanted.is_none() {
            return;
        }
        self.with_python(|py| {
            if self.on_main_thread {
                py.check_signals()?;
            }
            if let Some(wanted) = &self.wanted
                && !wanted.call0(py)?.is_truthy(py)?
            {
                self.cancel.cancel();
            }
            Ok(())
        });
    }

    pub(crate) fn report(&self, level: &str, text: &str) {
        if let Some(on_news) = &self.on_news {
            self.with_python(|py| on_news.call1(py, (level, text)).map(drop));
        }
    }

    fn print(&self, stream: &str, bytes: &[u8]) {
        if let Some(on_output) = &self.on_output {
            self.with_python(|py| {
                let bytes = PyBytes::new(py, bytes);
                on_output.call1(py, (stream, bytes)).map(drop)
            });
        }
    }

    /// Calls Python. An exception cancels the call, and so does the shutdown of the interpreter.
    fn with_python(&self, ask: impl FnOnce(Python<'_>) -> PyResult<()>) {
        if let Some(Ok(())) = Python::try_attach(|py| ask(py).map_err(|raised| self.note(raised))) {
            return;
        }
        self.cancel.cancel();
    }

    fn note(&self, raised: PyErr) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(raised);
    }
}

/// One stream of a command.
pub(crate) struct Output {
    callbacks: Arc<Callbacks>,
    stream: &'static str,
}

impl Output {
    pub(crate) fn new(callbacks: Arc<Callbacks>, stream: &'static str) -> Self {
        Self { callbacks, stream }
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A cancelled call may write the same bytes again.
        if !self.callbacks.cancel.is_cancelled() {
            self.callbacks.print(self.stream, bytes);
        }
        if self.callbacks.cancel.is_cancelled() {
            // The caller wants no more output. An error would mean that the reader is gone, which a
            // command may survive; waiting ends with the call.
            return Poll::Pending;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
