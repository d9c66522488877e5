//! *QMP* is QEMU's control protocol: a line of JSON for every command, answer and event.
//!
//! Commands are written without waiting for earlier answers, even before QEMU runs. A task reads
//! all of QEMU's messages as they come, whether or not anything waits for them: QEMU buffers unread
//! messages, and a guest whose disk fails causes one for every request.

use std::collections::HashMap;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Longer than any line: QEMU's have a few hundred bytes.
const LINE_LIMIT_BYTES: usize = 1024 * 1024;

/// A control connection.
#[derive(Debug)]
pub(crate) struct Qmp {
    commands: mpsc::UnboundedSender<Outgoing>,
    shared: Arc<Shared>,
    last_id: AtomicU64,
    tasks: [JoinHandle<()>; 2],
}

/// Why a command failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum QmpError {
    /// QEMU's error message; it keeps running as before.
    #[error("{0}")]
    Refused(String),
    /// The connection has ended, or a message was invalid: nothing more can be received.
    #[error("{0}")]
    Closed(String),
}

/// A command that waits to be written.
#[derive(Debug)]
struct Outgoing {
    line: String,
    descriptor: Option<OwnedFd>,
}

#[derive(Debug)]
struct Shared {
    /// The receivers of answers to commands, by id.
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<(), QmpError>>>>,
    seen: watch::Sender<Seen>,
}

/// The events of QEMU so far that callers may wait for.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The guest's processors run.
    resumed: bool,
    /// All of the state was written, or read.
    migrated: bool,
    /// The error that ends all waits: a command without a receiver was refused, or the connection
    /// has ended.
    trouble: Option<QmpError>,
}

impl Qmp {
    /// Takes over this end of the connection and begins the QMP session.
    pub(crate) fn connect(stream: StdUnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(stream)?.into_split();
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            seen: watch::Sender::new(Seen::default()),
        });
        let (commands, outgoing) = mpsc::unbounded_channel();
        let tasks = [
            tokio::spawn(read(BufReader::new(reader), Arc::clone(&shared))),
            tokio::spawn(write(writer, outgoing, Arc::clone(&shared))),
        ];
        let qmp = Self {
            commands,
            shared,
            last_id: AtomicU64::new(0),
            tasks,
        };
        qmp.send("qmp_capabilities", &json!({}));
        Ok(qmp)
    }

    /// Sends a command without a receiver for its answer. If it is refused, waits for events fail.
    pub(crate) fn send(&self, command: &str, arguments: &Value) {
        self.send_line(self.next_id(), command, arguments, None);
    }

    /// Passes QEMU a file descriptor, to which other commands refer by `name`.
    pub(crate) fn send_descriptor(&self, name: &str, descriptor: OwnedFd) {
        let arguments = json!({"fdname": name});
        self.send_line(self.next_id(), "getfd", &arguments, Some(descriptor));
    }

    /// Executes a command, and returns when it is done. QEMU executes it even if this is dropped.
    pub(crate) async fn execute(&self, command: &str) -> Result<(), QmpError> {
        let id = self.next_id();
        let (answered, answer) = oneshot::channel();
        self.shared.waiting().insert(id, answered);
        self.send_line(id, command, &json!({}), None);
        answer.await.unwrap_or_else(|_| Err(self.closed()))
    }

    /// Waits until the guest's processors run, after the state was read.
    pub(crate) async fn resumed(&self) -> Result<(), QmpError> {
        self.wait_for(|seen| seen.resumed).await
    }

    /// Waits until all of the state is written.
    pub(crate) async fn migrated(&self) -> Result<(), QmpError> {
        self.wait_for(|seen| seen.migrated).await
    }

    async fn wait_for(&self, happened: impl Fn(&Seen) -> bool) -> Result<(), QmpError> {
        let mut seen = self.shared.seen.subscribe();
        let waited = seen.wait_for(|seen| happened(seen) || seen.trouble.is_some());
        let Ok(seen) = waited.await else {
            return Err(self.closed());
        };
        match &seen.trouble {
            Some(trouble) if !happened(&seen) => Err(trouble.clone()),
            _ => Ok(()),
        }
    }

    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn send_line(&self, id: u64, command: &str, arguments: &Value, descriptor: Option<OwnedFd>) {
        let line = json!({"execute": command, "arguments": arguments, "id": id});
        let line = format!("{line}\n");
        let outgoing = Outgoing { line, descriptor };
        if self.commands.send(outgoing).is_err() {
            // The writer has ended, and has set the error.
            self.shared.waiting().remove(&id);
        }
    }

    fn closed(&self) -> QmpError {
        let seen = self.shared.seen.borrow();
        let closed = || QmpError::Closed("QEMU closed its control connection".into());
        seen.trouble.clone().unwrap_or_else(closed)
    }
}

impl Drop for Qmp {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Result<(), QmpError>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive_line(&self, line: &[u8]) -> Result<(), QmpError> {
        tracing::trace!(line = %String::from_utf8_lossy(line), "QMP");
        let message: Value = serde_json::from_slice(line).map_err(|_| {
            let words = plain(&String::from_utf8_lossy(line));
            QmpError::Closed(format!("not QMP: {words}"))
        })?;
        if let Some(event) = message["event"].as_str() {
            self.note(event, &message["data"]);
            return Ok(());
        }
        let result = match message.get("error") {
            Some(error) => {
                let words = plain(error["desc"].as_str().unwrap_or("unknown error"));
                Err(QmpError::Refused(words))
            }
            None => Ok(()),
        };
        let id = message["id"].as_u64();
        match id.and_then(|id| self.waiting().remove(&id)) {
            // The receiver may be gone.
            Some(waiting) => drop(waiting.send(result)),
            None => {
                if let Err(refusal) = result {
                    self.trouble(refusal);
                }
            }
        }
        Ok(())
    }

    fn note(&self, event: &str, data: &Value) {
        match (event, data["status"].as_str()) {
            ("RESUME", _) => self.see(|seen| seen.resumed = true),
            ("MIGRATION", Some("completed")) => self.see(|seen| seen.migrated = true),
            ("MIGRATION", Some("failed")) => {
                self.trouble(QmpError::Refused("the migration failed".into()));
            }
            _ => {}
        }
    }

    fn see(&self, note: impl FnOnce(&mut Seen)) {
        self.seen.send_modify(note);
    }

    /// Sets the first error; later ones follow from it.
    fn trouble(&self, refusal: QmpError) {
        self.see(|seen| {
            seen.trouble.get_or_insert(refusal);
        });
    }

    /// Notes that there will be no more answers.
    fn end(&self, refusal: QmpError) {
        self.see(|seen| match &seen.trouble {
            Some(QmpError::Closed(_)) => {}
            // QEMU's own message from before the end explains more.
            Some(QmpError::Refused(words)) => seen.trouble = Some(QmpError::Closed(words.clone())),
            None => seen.trouble = Some(refusal),
        });
        // The receivers see that no answer will come, and query the error.
        self.waiting().clear();
    }
}

async fn read(mut reader: BufReader<OwnedReadHalf>, shared: Arc<Shared>) {
    loop {
        let heard = match next_line(&mut reader).await {
            Ok(line) => shared.receive_line(&line),
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = heard {
            return shared.end(refusal);
        }
    }
}

async fn next_line(reader: &mut BufReader<OwnedReadHalf>) -> Result<Vec<u8>, QmpError> {
    let mut line = Vec::new();
    let limit = LINE_LIMIT_BYTES as u64;
    let read = reader.take(limit).read_until(b'\n', &mut line).await;
    match read {
        Ok(_) if line.ends_with(b"\n") => Ok(line),
        Ok(_) if line.len() < LINE_LIMIT_BYTES => Err(QmpError::Closed(
            "QEMU closed its control connection".into(),
        )),
        Ok(_) => Err(QmpError::Closed("QEMU sent a line without an end".into())),
        Err(error) => Err(QmpError::Closed(error.to_string())),
    }
}

async fn write(
    mut writer: OwnedWriteHalf,
    mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
    shared: Arc<Shared>,
) {
    while let Some(Outgoing { line, descriptor }) = outgoing.recv().await {
        let written = match descriptor {
            Some(descriptor) => send_with(&mut writer, line.as_bytes(), &descriptor).await,
            None => writer.write_all(line.as_bytes()).await,
        };
        if let Err(error) = written {
            tracing::debug!(%error, "QEMU is not told");
            // An exited VMM may have left its reason in unread data: that comes first.
            if error.kind() != std::io::ErrorKind::BrokenPipe {
                shared.end(QmpError::Closed(error.to_string()));
            }
            return;
        }
    }
}

/// Writes a line together with a descriptor.
async fn send_with(
    writer: &mut OwnedWriteHalf,
    line: &[u8],
    descriptor: &OwnedFd,
) -> std::io::Result<()> {
    let stream = writer.as_ref();
    stream.writable().await?;
    let once = || {
        let descriptors = [descriptor.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let parts = [IoSlice::new(line)];
        let flags = SendFlags::NOSIGNAL;
        sendmsg(stream.as_fd(), &parts, &mut ancillary, flags).map_err(std::io::Error::from)
    };
    let sent = stream.async_io(Interest::WRITABLE, once).await?;
    // The descriptor was sent with the first byte.
    writer.write_all(&line[sent..]).await
}

/// QEMU's words, made safe to show: a guest that has broken out controls them.
fn plain(words: &str) -> String {
    pyro_text::line(words)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, Write};
    use std::time::Duration;

    use super::*;

    /// A connection, and its other end after it has received the first command.
    fn pair() -> (Qmp, StdUnixStream) {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        (Qmp::connect(ours).unwrap(), theirs)
    }

    async fn wait_against(lines: &'static str) -> Result<(), QmpError> {
        let (qmp, mut theirs) = pair();
        theirs.write_all(lines.as_bytes()).unwrap();
        let told = tokio::task::spawn_blocking(move || {
            let mut sent = String::new();
            std::io::BufReader::new(&theirs)
                .read_line(&mut sent)
                .unwrap();
            sent
        });
        assert!(told.await.unwrap().contains("qmp_capabilities"));
        qmp.resumed().await
    }

    #[tokio::test]
    async fn an_event_is_found_among_other_messages() {
        let lines =
            "{\"QMP\": {}}\n{\"return\": {}}\n{\"event\": \"STOP\"}\n{\"event\": \"RESUME\"}\n";
        assert_eq!(wait_against(lines).await, Ok(()));
    }

    #[tokio::test]
    async fn failures_are_told() {
        let refused = "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n";
        let refusal = wait_against(refused).await.unwrap_err();
        assert_eq!(refusal.to_string(), "no");
        let failed = "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"failed\"}}\n";
        assert!(wait_against(failed).await.is_err());
        assert!(wait_against("").await.is_err());
        assert!(wait_against("nonsense\n").await.is_err());
        let nested = format!("{}\n", "[".repeat(100_000));
        assert!(wait_against(nested.leak()).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_goes_to_whoever_asked() {
        let (qmp, mut theirs) = pair();
        let stop = qmp.execute("stop");
        let cont = qmp.execute("cont");
        // The second command is answered first, and the first one is refused.
        theirs
            .write_all(
                b"{\"return\": {}, \"id\": 3}\n{\"error\": {\"desc\": \"not now\"}, \"id\": 2}\n",
            )
            .unwrap();
        let (stopped, continued) = tokio::join!(stop, cont);
        assert_eq!(stopped, Err(QmpError::Refused("not now".into())));
        assert_eq!(continued, Ok(()));
        // A refusal that had a receiver does not affect others.
        theirs.write_all(b"{\"event\": \"RESUME\"}\n").unwrap();
        assert_eq!(qmp.resumed().await, Ok(()));
        drop(theirs);
        let closed = qmp.execute("cont").await;
        assert!(matches!(closed, Err(QmpError::Closed(_))), "{closed:?}");
    }

    #[tokio::test]
    async fn an_answer_that_nobody_waits_for_any_more_is_nobody_elses() {
        let (qmp, mut theirs) = pair();
        let limit = Duration::from_millis(1);
        let late = tokio::time::timeout(limit, qmp.execute("stop")).await;
        assert!(late.is_err());
        let cont = qmp.execute("cont");
        theirs
            .write_all(
                b"{\"error\": {\"desc\": \"late\"}, \"id\": 2}\n{\"return\": {}, \"id\": 3}\n",
            )
            .unwrap();
        assert_eq!(cont.await, Ok(()));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_read_all_the_same() {
        let (qmp, theirs) = pair();
        let event = "{\"event\": \"BLOCK_IO_ERROR\", \"data\": {\"device\": \"rw\"}}\n";
        let all = event.repeat(100_000);
        let said = tokio::task::spawn_blocking(move || {
            (&theirs).write_all(all.as_bytes()).unwrap();
            theirs
        });
        // The write would not finish if nothing read it: a socket buffers some hundred kilobytes.
        let theirs = said.await.unwrap();
        drop(theirs);
        assert!(qmp.resumed().await.is_err());
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_not_kept() {
        let (qmp, theirs) = pair();
        let flood = tokio::task::spawn_blocking(move || {
            let mut sent = 0;
            while (&theirs).write_all(&[b'A'; 4096]).is_ok() && sent < 64 * LINE_LIMIT_BYTES {
                sent += 4096;
            }
            sent
        });
        let refusal = qmp.resumed().await.unwrap_err().to_string();
        assert!(refusal.contains("without an end"), "{refusal}");
        drop(qmp);
        assert!(flood.await.unwrap() < 8 * LINE_LIMIT_BYTES);
    }

    #[tokio::test]
    async fn a_descriptor_goes_with_its_line() {
        let (qmp, theirs) = pair();
        let (given, kept) = StdUnixStream::pair().unwrap();
        qmp.send_descriptor("state", given.into());
        let heard = tokio::task::spawn_blocking(move || {
            let mut lines = std::io::BufReader::new(theirs).lines();
            [lines.next(), lines.next()].map(|line| line.unwrap().unwrap())
        });
        let [_, line] = heard.await.unwrap();
        assert!(line.contains("getfd") && line.contains("state"), "{line}");
        drop(kept);
    }
}
