//! The *stdio* transport: one client, which started the server and holds both ends.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use pyro_engine::Config;
use rmcp::RoleServer;
use rmcp::model::ClientJsonRpcMessage;
use rmcp::service::{
    RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage, serve_server_with_ct,
};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rustix::io::fcntl_dupfd_cloexec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::calls::Calls;
use crate::face::{Face, Offer};

/// The longest message: more than any request can need, less than would hurt.
const MESSAGE_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// The streams of the client.
#[derive(Debug)]
pub struct Stdio {
    input: File,
    output: File,
}

impl Stdio {
    /// Takes this process's standard input and output for the protocol alone: whatever else
    /// writes to standard output from now on, here or in a child, writes to standard error, and
    /// whatever reads standard input finds nothing.
    ///
    /// # Errors
    /// When the process can have no more open files.
    pub fn take() -> Result<Self, Error> {
        let taken = || -> io::Result<Self> {
            // Above the numbers that have a meaning.
            let input = fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
            let output = fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
            rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
            rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
            Ok(Self {
                input: input.into(),
                output: output.into(),
            })
        };
        taken().map_err(|source| Error::Resource {
            action: "take the standard streams",
            source,
        })
    }
}

/// Serves the client until it closes a stream or `stop` is cancelled. When this returns, every
/// call has ended.
///
/// # Errors
/// When the process cannot have what a server needs.
pub async fn serve_stdio(
    config: Config,
    offer: Offer,
    stdio: Stdio,
    stop: CancellationToken,
) -> Result<(), Error> {
    let calls = Calls::start(config)?;
    let calls = Arc::new(calls);
    let watched = |file| Watched {
        file: tokio::fs::File::from_std(file),
        gone: stop.clone(),
    };
    let transport = AsyncRwTransport::new_server(watched(stdio.input), watched(stdio.output))
        .with_max_line_length(MESSAGE_LIMIT_BYTES);
    let opened = Arc::new(AtomicBool::new(false));
    let transport = Opening {
        transport,
        opened: Arc::clone(&opened),
    };
    let face = Face::new(Arc::clone(&calls), offer);
    match serve_server_with_ct(face, transport, stop.clone()).await {
        Ok(running) => {
            opened.store(true, Ordering::Relaxed);
            // Whatever made it end, the client is gone.
            drop(running.waiting().await);
        }
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {}
        Err(error) => tracing::warn!(%error, "the client did not open a session"),
    }
    calls.end().await;
    Ok(())
}

/// A stream that tells when the client is gone.
struct Watched {
    file: tokio::fs::File,
    gone: CancellationToken,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.file).poll_read(context, buffer));
        if result.is_err() || buffer.filled().len() == before {
            self.gone.cancel();
        }
        Poll::Ready(result)
    }
}

impl Watched {
    fn note<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(_)) = result {
            self.gone.cancel();
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.file).poll_write(context, bytes);
        self.note(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.file).poll_flush(context);
        self.note(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.file).poll_shutdown(context);
        self.note(result)
    }
}

/// A transport that passes over what nobody may send before the session is open: a server need
/// not end for it.
struct Opening<T> {
    transport: T,
    opened: Arc<AtomicBool>,
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Opening<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.transport.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let message = self.transport.receive().await?;
            let request = matches!(message, ClientJsonRpcMessage::Request(_));
            if request || self.opened.load(Ordering::Relaxed) {
                return Some(message);
            }
            tracing::debug!("the client sent something before it opened the session");
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.transport.close()
    }
}
