//! *QMP* is QEMU's control protocol: a line of JSON for every command, answer and event.
//!
//! Commands are written without waiting for the answers to those before, even before QEMU runs.
//! Its greeting and the answers to what succeeded are of no interest; what failed is.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream as StdUnixStream;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// A line of QEMU's is a few hundred bytes.
const LINE_LIMIT_BYTES: usize = 1024 * 1024;

/// A control connection.
#[derive(Debug)]
pub(crate) struct Qmp {
    reader: BufReader<OwnedReadHalf>,
    /// What there is of a line that has not ended.
    line: Vec<u8>,
    writer: OwnedWriteHalf,
}

/// Why a command did not do what it should: QEMU's words.
pub(crate) type Refusal = String;

impl Qmp {
    /// Takes over our end of the connection and asks QEMU to listen.
    pub(crate) async fn connect(stream: StdUnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(stream)?.into_split();
        let mut qmp = Self {
            reader: BufReader::new(reader),
            line: Vec::new(),
            writer,
        };
        qmp.execute("qmp_capabilities", &json!({})).await?;
        Ok(qmp)
    }

    /// Sends a command.
    pub(crate) async fn execute(
        &mut self,
        command: &str,
        arguments: &Value,
    ) -> std::io::Result<()> {
        let line = json!({"execute": command, "arguments": arguments});
        self.writer.write_all(format!("{line}\n").as_bytes()).await
    }

    /// Hands QEMU a file descriptor, which other commands then know by `name`.
    pub(crate) async fn send_descriptor(
        &mut self,
        name: &str,
        fd: BorrowedFd<'_>,
    ) -> std::io::Result<()> {
        let line = format!(
            "{}\n",
            json!({"execute": "getfd", "arguments": {"fdname": name}})
        );
        let stream = self.writer.as_ref();
        stream.writable().await?;
        let descriptors = [fd];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        let parts = [IoSlice::new(line.as_bytes())];
        let sent = sendmsg(stream.as_fd(), &parts, &mut ancillary, SendFlags::NOSIGNAL)?;
        // A line of fifty bytes fits into the empty buffer of a socket.
        if sent < line.len() {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        Ok(())
    }

    /// Reads on until the event `wanted` arrives for which `accept` is true.
    pub(crate) async fn wait_for(
        &mut self,
        wanted: &str,
        accept: impl Fn(&Value) -> bool,
    ) -> Result<(), Refusal> {
        loop {
            let line = self.next_line().await?;
            tracing::trace!(line = %String::from_utf8_lossy(&line), "QMP");
            let message: Value = serde_json::from_slice(&line)
                .map_err(|_| format!("not QMP: {}", plain(&String::from_utf8_lossy(&line))))?;
            if let Some(error) = message.get("error") {
                return Err(plain(error["desc"].as_str().unwrap_or("unknown error")));
            }
            let data = &message["data"];
            if message["event"] == "MIGRATION" && data["status"] == "failed" {
                return Err("the migration failed".into());
            }
            if message["event"] == wanted && accept(data) {
                return Ok(());
            }
        }
    }

    /// Reads a line. May be given up and asked for again.
    async fn next_line(&mut self) -> Result<Vec<u8>, Refusal> {
        loop {
            let room = (LINE_LIMIT_BYTES - self.line.len()) as u64;
            let mut limited = (&mut self.reader).take(room);
            let read = limited.read_until(b'\n', &mut self.line).await;
            if self.line.ends_with(b"\n") {
                return Ok(std::mem::take(&mut self.line));
            }
            match read {
                Ok(0) if room > 0 => return Err("QEMU closed its control connection".into()),
                Ok(_) if self.line.len() < LINE_LIMIT_BYTES => {}
                Ok(_) => return Err("QEMU sent a line without an end".into()),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// QEMU's words, which a guest that has broken out may choose.
fn plain(words: &str) -> String {
    pyro_text::line(words)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, Write};

    use super::*;

    async fn wait_against(lines: &'static str) -> Result<(), Refusal> {
        let (ours, mut theirs) = StdUnixStream::pair().unwrap();
        let mut qmp = Qmp::connect(ours).await.unwrap();
        theirs.write_all(lines.as_bytes()).unwrap();
        let mut sent = String::new();
        std::io::BufReader::new(&theirs)
            .read_line(&mut sent)
            .unwrap();
        assert!(sent.contains("qmp_capabilities"));
        drop(theirs);
        qmp.wait_for("RESUME", |_| true).await
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
        assert_eq!(wait_against(refused).await, Err("no".into()));
        let failed = "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"failed\"}}\n";
        assert!(wait_against(failed).await.is_err());
        assert!(wait_against("").await.is_err());
        assert!(wait_against("nonsense\n").await.is_err());
        let nested = format!("{}\n", "[".repeat(100_000));
        assert!(wait_against(nested.leak()).await.is_err());
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_not_kept() {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let mut qmp = Qmp::connect(ours).await.unwrap();
        let flood = std::thread::spawn(move || {
            let mut sent = 0;
            while (&theirs).write_all(&[b'A'; 4096]).is_ok() && sent < 64 * LINE_LIMIT_BYTES {
                sent += 4096;
            }
        });
        let refusal = qmp.wait_for("RESUME", |_| true).await.unwrap_err();
        assert!(refusal.contains("without an end"), "{refusal}");
        assert!(qmp.line.capacity() <= 2 * LINE_LIMIT_BYTES);
        drop(qmp);
        flood.join().unwrap();
    }
}
