//! The *stdio* transport: one client, which started the server and holds both ends. Messages are
//! lines.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyro_engine::Config;
use pyro_engine::descriptor::{DescriptorReader, DescriptorWriter};
use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, RequestId, ServerJsonRpcMessage};
use rmcp::service::{
    RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage, serve_server_with_ct,
};
use rmcp::transport::Transport;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::fcntl_dupfd_cloexec;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::calls::Calls;
use crate::face::{Face, Offer};
use crate::message::{MESSAGE_LIMIT_BYTES, Understood, too_long, understand};

/// How many answers to what is no message wait for a client that does not read.
const COMPLAINTS: usize = 1024;
/// How long what was asked may take once the client says no more: as long as a machine lives by
/// default.
const REST_LIMIT: Duration = Duration::from_secs(600);
/// How often it is looked then whether anybody still reads.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// The streams of the client.
#[derive(Debug)]
pub struct Stdio {
    input: OwnedFd,
    output: OwnedFd,
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
            Ok(Self { input, output })
        };
        taken().map_err(|source| Error::Resource {
            action: "take the standard streams",
            source,
        })
    }
}

/// Serves the client until it says no more and has its answers, goes away, or `stop` is cancelled.
/// When this returns, every call has ended.
///
/// # Errors
/// When the process cannot have what a server needs, or a stream of the client fails.
pub async fn serve_stdio(
    config: Config,
    offer: Offer,
    stdio: Stdio,
    stop: CancellationToken,
) -> Result<(), Error> {
    let calls = Arc::new(Calls::start(config)?);
    let (lines, fault) = Lines::of(stdio, stop.clone()).map_err(|source| Error::Resource {
        action: "use the standard streams",
        source,
    })?;
    let opened = Arc::clone(&lines.opened);
    let face = Face::new(Arc::clone(&calls), offer);
    match serve_server_with_ct(face, lines, stop.clone()).await {
        Ok(running) => {
            opened.store(true, Ordering::Relaxed);
            // Whatever made it end, the client wants no more.
            drop(running.waiting().await);
        }
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {}
        Err(error) => tracing::warn!(%error, "the client did not open a session"),
    }
    calls.end().await;
    fault.take().map_or(Ok(()), Err)
}

/// What went wrong with a stream, for who served it.
#[derive(Clone, Debug, Default)]
struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    fn note(&self, action: &'static str, source: io::Error) {
        // A client that goes away does not fail.
        if source.kind() != io::ErrorKind::BrokenPipe {
            lock(&self.0).get_or_insert(Error::Resource { action, source });
        }
    }

    fn take(&self) -> Option<Error> {
        lock(&self.0).take()
    }
}

/// The requests that are not answered yet.
#[derive(Debug, Default)]
struct Unanswered {
    ids: Mutex<HashSet<RequestId>>,
    changed: Notify,
}

impl Unanswered {
    fn add(&self, id: RequestId) {
        lock(&self.ids).insert(id);
    }

    fn remove(&self, id: &RequestId) {
        lock(&self.ids).remove(id);
        self.changed.notify_one();
    }

    fn is_empty(&self) -> bool {
        lock(&self.ids).is_empty()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where messages go. Cancelled when that is over.
#[derive(Clone, Debug)]
struct Sink {
    writer: Arc<tokio::sync::Mutex<DescriptorWriter>>,
    fault: Fault,
    gone: CancellationToken,
}

impl Sink {
    async fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut writer = self.writer.lock().await;
        let written = async {
            writer.write_all(line).await?;
            writer.flush().await
        };
        let written = written.await;
        if let Err(error) = &written {
            let copy = error
                .raw_os_error()
                .map_or(error.kind().into(), io::Error::from_raw_os_error);
            self.fault.note("write to the client", copy);
            self.gone.cancel();
        }
        written
    }
}

/// A transport of lines.
struct Lines {
    reader: BufReader<DescriptorReader>,
    line: Vec<u8>,
    /// The rest of the line is of a message that was too long.
    skipping: bool,
    /// The client says no more.
    ended: bool,
    /// Whether the session is open: before that, a server need not end for what nobody may send.
    opened: Arc<AtomicBool>,
    unanswered: Arc<Unanswered>,
    complaints: mpsc::Sender<Value>,
    sink: Sink,
    /// To see whether anybody reads.
    output: OwnedFd,
}

impl Lines {
    fn of(stdio: Stdio, gone: CancellationToken) -> io::Result<(Self, Fault)> {
        let fault = Fault::default();
        let sink = Sink {
            writer: Arc::new(tokio::sync::Mutex::new(stdio.output.try_clone()?.into())),
            fault: fault.clone(),
            gone,
        };
        let (complaints, mut to_write) = mpsc::channel::<Value>(COMPLAINTS);
        let writer = sink.clone();
        tokio::spawn(async move {
            while let Some(complaint) = to_write.recv().await {
                if writer
                    .write(format!("{complaint}\n").as_bytes())
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
        let lines = Self {
            reader: BufReader::new(stdio.input.into()),
            line: Vec::new(),
            skipping: false,
            ended: false,
            opened: Arc::default(),
            unanswered: Arc::default(),
            complaints,
            sink,
            output: stdio.output,
        };
        Ok((lines, fault))
    }

    /// Reads on to the end of a line, and says whether there was one. Whoever drops this while it
    /// waits loses nothing.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(available.len(), |end| end + 1);
            if !self.skipping {
                self.line.extend_from_slice(&available[..length]);
            }
            self.reader.consume(length);
            if self.line.len() > MESSAGE_LIMIT_BYTES {
                self.complain(too_long(&self.line));
                self.line = Vec::new();
                self.skipping = true;
            }
            if end.is_some() && !std::mem::take(&mut self.skipping) {
                return Ok(true);
            }
        }
    }

    /// Answers what is no message, unless the client has many such answers to read.
    fn complain(&self, answer: Value) {
        if self.complaints.try_send(answer).is_err() {
            tracing::debug!("the client does not read what is wrong with its messages");
        }
    }

    /// Waits until the client has its answers, or is gone.
    async fn let_the_rest_end(&self) {
        let answered = async {
            while !self.unanswered.is_empty() {
                let look = tokio::time::timeout(LOOK_INTERVAL, self.unanswered.changed.notified());
                if look.await.is_err() && !is_read(&self.output) {
                    return;
                }
            }
            // Those, too, to whom nothing was answered but what was wrong.
            while self.complaints.capacity() < COMPLAINTS && is_read(&self.output) {
                tokio::time::sleep(LOOK_INTERVAL / 20).await;
            }
        };
        if tokio::time::timeout(REST_LIMIT, answered).await.is_err() {
            tracing::warn!("what was asked takes longer than {REST_LIMIT:?}; it is cancelled");
        }
        self.sink.gone.cancel();
    }

    fn take(
        &mut self,
        message: RxJsonRpcMessage<RoleServer>,
    ) -> Option<RxJsonRpcMessage<RoleServer>> {
        match &message {
            ClientJsonRpcMessage::Request(request) => self.unanswered.add(request.id.clone()),
            // Who cancels is not answered.
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.unanswered.remove(id);
                }
            }
            _ => {}
        }
        let is_request = matches!(message, ClientJsonRpcMessage::Request(_));
        (is_request || self.opened.load(Ordering::Relaxed)).then_some(message)
    }
}

/// Whether there is still somebody who could read what is written.
fn is_read(output: impl AsFd) -> bool {
    let mut descriptors = [PollFd::new(&output, PollFlags::empty())];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let _ = poll(&mut descriptors, Some(&at_once));
    !descriptors[0]
        .revents()
        .intersects(PollFlags::ERR | PollFlags::HUP)
}

impl Transport<RoleServer> for Lines {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let (sink, unanswered) = (self.sink.clone(), Arc::clone(&self.unanswered));
        async move {
            let mut line = serde_json::to_vec(&message)?;
            line.push(b'\n');
            let written = sink.write(&line).await;
            match message {
                ServerJsonRpcMessage::Response(response) => unanswered.remove(&response.id),
                ServerJsonRpcMessage::Error(error) => {
                    error.id.iter().for_each(|id| unanswered.remove(id));
                }
                _ => {}
            }
            written
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        while !self.ended {
            match self.read_line().await {
                Ok(true) => {}
                // What comes last need not end its line.
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.sink.fault.note("read from the client", error);
                    self.sink.gone.cancel();
                    return None;
                }
            }
            let line = std::mem::take(&mut self.line);
            match understand(&line) {
                Understood::Message(message) => {
                    if let Some(message) = self.take(*message) {
                        return Some(message);
                    }
                }
                Understood::Nothing => {}
                Understood::Wrong(answers) => {
                    for answer in answers {
                        self.complain(answer);
                    }
                }
            }
        }
        self.let_the_rest_end().await;
        None
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        Ok(())
    }
}
