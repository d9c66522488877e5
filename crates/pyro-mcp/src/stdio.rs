//! The *stdio* transport: one client, which started the server and holds both pipes' other ends.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyro_engine::Config;
use rmcp::service::{ServerInitializeError, serve_server_with_ct};
use rustix::io::fcntl_dupfd_cloexec;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::calls::Calls;
use crate::lines::Lines;
use crate::server::{Offer, Server};

/// The streams of the client.
#[derive(Debug)]
pub struct Stdio {
    input: OwnedFd,
    output: OwnedFd,
}

impl Stdio {
    /// Reserves this process's standard input and output for the protocol: from now on, other
    /// writes to standard output, here or in a child, go to standard error, and other reads of
    /// standard input find it empty.
    ///
    /// # Errors
    /// When the process cannot open more files.
    pub fn take() -> Result<Self, Error> {
        let taken = || -> io::Result<Self> {
            // Above the numbers of the standard streams.
            let input = fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
            let output = fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
            rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
            rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
            Ok(Self { input, output })
        };
        taken().map_err(|source| Error::Resource {
            action: "take the standard streams",
            source,
        })
    }
}

/// Serves the client until its input has ended and it has its answers, it goes away, or `stop` is
/// cancelled. When this returns, every call has ended.
///
/// # Errors
/// When the process lacks a resource that a server needs, or a stream of the client fails.
pub async fn serve_stdio(
    config: Config,
    offer: Offer,
    stdio: Stdio,
    stop: CancellationToken,
) -> Result<(), Error> {
    let calls = Arc::new(Calls::start(config)?);
    let (lines, fault) =
        Lines::of(stdio.input, stdio.output, stop.clone()).map_err(|source| Error::Resource {
            action: "use the standard streams",
            source,
        })?;
    let opened = Arc::clone(&lines.opened);
    let server = Server::new(Arc::clone(&calls), offer).until(lines.last_word.clone());
    match serve_server_with_ct(server, lines, stop.clone()).await {
        Ok(running) => {
            opened.store(true, Ordering::Relaxed);
            // The session is over, however it ended.
            drop(running.waiting().await);
        }
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {}
        Err(error) => tracing::warn!(%error, "the client did not open a session"),
    }
    calls.end().await;
    fault.take().map_or(Ok(()), Err)
}
