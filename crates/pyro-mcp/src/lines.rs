//! *Lines* are the transport of a client on two streams: one message on each line.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyro_engine::descriptor::{DescriptorReader, DescriptorWriter};
use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, RequestId, ServerJsonRpcMessage};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::id::IdFinder;
use crate::message::{MESSAGE_LIMIT_BYTES, Understood, given_twice, too_long, understand};

/// How many answers to invalid messages may wait for a client that does not read. Beyond that, no
/// more is read from the client, because every message is answered.
const COMPLAINTS: usize = 1024;
/// How long the remaining calls may take once the client's input has ended: as long as a machine
/// lives by default. `pyro mcp serve --help` promises it.
const REST_LIMIT: Duration = Duration::from_secs(600);
/// How often to check then whether the output still has a reader.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// The error of a stream, for the caller that served it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<Error>>>);

impl Fault {
    fn note(&self, action: &'static str, source: io::Error) {
        // A client that disconnects is no error.
        if source.kind() != io::ErrorKind::BrokenPipe {
            lock(&self.0).get_or_insert(Error::Resource { action, source });
        }
    }

    pub(crate) fn take(&self) -> Option<Error> {
        lock(&self.0).take()
    }
}

/// The requests without an answer so far.
#[derive(Debug, Default)]
struct Unanswered {
    ids: Mutex<HashSet<RequestId>>,
    changed: Notify,
}

impl Unanswered {
    /// Adds a request; returns whether its id was unused.
    fn add(&self, id: RequestId) -> bool {
        lock(&self.ids).insert(id)
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

/// The destination of messages; cancels its token when it closes or fails.
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
pub(crate) struct Lines {
    reader: BufReader<DescriptorReader>,
    line: Vec<u8>,
    /// While a message is too long: the search for its id, up to the end of its line.
    skipped: Option<IdFinder>,
    /// The deadline of the remaining calls, once the client's input has ended.
    deadline: Option<Instant>,
    rest_limit: Duration,
    /// Cancelled when the client's input has ended.
    pub(crate) last_word: CancellationToken,
    /// Whether the session is open: before that there are no calls to wait for.
    pub(crate) opened: Arc<AtomicBool>,
    unanswered: Arc<Unanswered>,
    /// The errors of the last line that are not queued yet.
    wrong: VecDeque<Value>,
    complaints: Complaints,
    sink: Sink,
    /// For checking whether the output has a reader.
    output: OwnedFd,
}

/// Answers to invalid messages, on their way to the client.
struct Complaints {
    to_write: Option<mpsc::Sender<Value>>,
    written: JoinHandle<()>,
}

impl Complaints {
    fn to(sink: Sink) -> Self {
        let (to_write, mut complaints) = mpsc::channel::<Value>(COMPLAINTS);
        let written = tokio::spawn(async move {
            while let Some(complaint) = complaints.recv().await {
                let line = format!("{complaint}\n");
                if sink.write(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        Self {
            to_write: Some(to_write),
            written,
        }
    }

    /// Queues the first of these when there is room; returns whether there are more.
    async fn take(&self, from: &mut VecDeque<Value>) -> bool {
        if from.is_empty() {
            return false;
        }
        let Some(to_write) = &self.to_write else {
            return false;
        };
        // The client is gone.
        let Ok(place) = to_write.reserve().await else {
            return false;
        };
        if let Some(first) = from.pop_front() {
            place.send(first);
        }
        true
    }

    /// Waits until all are written.
    async fn end(&mut self) {
        self.to_write = None;
        if !self.written.is_finished() {
            let _ = (&mut self.written).await;
        }
    }
}

impl Lines {
    /// Reads and writes these streams. `gone` is cancelled when one of them fails, or at the end.
    pub(crate) fn of(
        input: OwnedFd,
        output: OwnedFd,
        gone: CancellationToken,
    ) -> io::Result<(Self, Fault)> {
        let fault = Fault::default();
        let sink = Sink {
            writer: Arc::new(tokio::sync::Mutex::new(output.try_clone()?.into())),
            fault: fault.clone(),
            gone,
        };
        let lines = Self {
            reader: BufReader::new(input.into()),
            line: Vec::new(),
            skipped: None,
            deadline: None,
            rest_limit: REST_LIMIT,
            last_word: CancellationToken::new(),
            opened: Arc::default(),
            unanswered: Arc::default(),
            wrong: VecDeque::new(),
            complaints: Complaints::to(sink.clone()),
            sink,
            output,
        };
        Ok((lines, fault))
    }

    /// Reads up to the end of a line; returns whether there was one. Dropping the future loses no
    /// data.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(available.len(), |end| end + 1);
            if let Some(finder) = &mut self.skipped {
                finder.read(&available[..length]);
            } else {
                self.line.extend_from_slice(&available[..length]);
            }
            self.reader.consume(length);
            if self.line.len() > MESSAGE_LIMIT_BYTES {
                let mut finder = IdFinder::default();
                finder.read(&std::mem::take(&mut self.line));
                self.skipped = Some(finder);
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// Waits until the client has its answers, or is gone. The future may be dropped and created
    /// again, without extending the deadline.
    async fn finish_pending(&mut self) {
        self.last_word.cancel();
        let deadline = self.deadline.unwrap_or_else(Instant::now);
        let (unanswered, output) = (&self.unanswered, &self.output);
        let (complaints, wrong) = (&mut self.complaints, &mut self.wrong);
        let answered = async {
            while complaints.take(wrong).await {}
            complaints.end().await;
            while !unanswered.is_empty() {
                let look = tokio::time::timeout(LOOK_INTERVAL, unanswered.changed.notified());
                if look.await.is_err() && !is_read(output) {
                    return;
                }
            }
        };
        if tokio::time::timeout_at(deadline, answered).await.is_err() {
            let limit = self.rest_limit;
            tracing::warn!("what was asked takes longer than {limit:?}; it is cancelled");
        }
        self.sink.gone.cancel();
    }

    /// Returns the message in the line that was read, if it is valid.
    fn next_of_line(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        if let Some(finder) = self.skipped.take() {
            self.wrong.push_back(too_long(finder));
            return None;
        }
        match understand(&std::mem::take(&mut self.line)) {
            Understood::Message(message) => self.take(*message),
            Understood::Nothing => None,
            Understood::Wrong(answers) => {
                self.wrong.extend(answers);
                None
            }
        }
    }

    /// Records a message; returns whether to pass it on.
    fn take(
        &mut self,
        message: RxJsonRpcMessage<RoleServer>,
    ) -> Option<RxJsonRpcMessage<RoleServer>> {
        match &message {
            ClientJsonRpcMessage::Request(request) => {
                let first = self.unanswered.add(request.id.clone());
                // Of two requests with the same id only one would be answered.
                let refusal = (!first).then(|| given_twice(&request.id));
                self.wrong.extend(refusal);
                return first.then_some(message);
            }
            // A cancelled request gets no answer.
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
        self.opened.load(Ordering::Relaxed).then_some(message)
    }
}

/// Whether the output still has a reader.
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
        while self.deadline.is_none() {
            while self.complaints.take(&mut self.wrong).await {}
            let ended = match self.read_line().await {
                Ok(whole) => !whole,
                Err(error) => {
                    self.sink.fault.note("read from the client", error);
                    self.sink.gone.cancel();
                    return None;
                }
            };
            if ended {
                // The last message may lack the end of its line.
                self.deadline = Some(Instant::now() + self.rest_limit);
            }
            if let Some(message) = self.next_of_line() {
                return Some(message);
            }
        }
        self.finish_pending().await;
        None
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
