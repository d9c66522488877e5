//! The *console* is the output of the guest's kernel and of QEMU: kept in a file for people, with
//! its end in memory for error messages. Both are bounded, because the guest decides how much it
//! prints.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use pyro_store::create_private_file;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::vmm::qemu::NO_PEER;

/// The file starts over when it has grown to this size.
const FILE_LIMIT_BYTES: usize = 1024 * 1024;
/// How much is kept in memory.
const TAIL_LIMIT_BYTES: usize = 16 * 1024;
/// How many lines an error message shows.
const SHOWN_LINES: usize = 20;

/// Reads one stream of messages until its end.
#[derive(Debug)]
pub(crate) struct Console {
    tail: Arc<Mutex<VecDeque<u8>>>,
    reader: JoinHandle<()>,
}

impl Console {
    /// Starts to read from `stream` into the file at `path`.
    pub(crate) fn start(stream: StdUnixStream, path: &Path) -> std::io::Result<Self> {
        let file = create_private_file(path)?;
        stream.set_nonblocking(true)?;
        let stream = UnixStream::from_std(stream)?;
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let reader = tokio::spawn(read(stream, file, Arc::clone(&tail)));
        Ok(Self { tail, reader })
    }

    /// Waits until the other end is closed, for a moment at most, and returns the last lines. May
    /// be called repeatedly.
    pub(crate) async fn last_words(&mut self) -> String {
        let limit = std::time::Duration::from_millis(500);
        // A finished task must not be awaited again. A reader that is not finished yet has still
        // read nearly everything.
        if !self.reader.is_finished() {
            let _ = tokio::time::timeout(limit, &mut self.reader).await;
        }
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = tail.iter().copied().collect();
        last_lines(&String::from_utf8_lossy(&bytes))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Returns the last lines of a console's file, for processes that do not read the stream.
pub(crate) fn last_words_in(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(
            length.saturating_sub(TAIL_LIMIT_BYTES as u64),
        ))?;
        file.take(TAIL_LIMIT_BYTES as u64).read_to_end(&mut bytes)
    });
    if let Err(error) = read {
        tracing::debug!(%error, "messages cannot be read");
    }
    last_lines(&String::from_utf8_lossy(&bytes))
}

async fn read(mut stream: UnixStream, mut file: File, tail: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = vec![0; 4096];
    let mut written = 0;
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let bytes = &buffer[..length];
        if written + length > FILE_LIMIT_BYTES {
            written = 0;
            let _ = file.set_len(0).and_then(|()| file.rewind());
        }
        // The file is a convenience: a full disk must not stop the machine.
        if file.write_all(bytes).is_ok() {
            written += length;
        }
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(bytes);
        let excess = tail.len().saturating_sub(TAIL_LIMIT_BYTES);
        tail.drain(..excess);
    }
}

/// Messages that every machine prints and that look like the cause of a failure.
const SAID_OF_ALL: [&str; 3] = [
    NO_PEER,
    // The machine has no PCI, on purpose.
    "PCI: Fatal: No config space access function found",
    "PCI: System does not support PCI",
];

/// Returns the last lines of `text`, which comes from the guest, without control characters that a
/// terminal would obey.
fn last_lines(text: &str) -> String {
    let clean: String = text
        .chars()
        .filter(|character| matches!(character, '\n' | '\t') || !pyro_text::is_obeyed(*character))
        .collect();
    let lines: Vec<&str> = clean
        .lines()
        .filter(|line| {
            !line.trim().is_empty() && !SAID_OF_ALL.iter().any(|said| line.ends_with(said))
        })
        .collect();
    let hidden = lines.len().saturating_sub(SHOWN_LINES);
    // A panic is one line, before the many lines of a trace.
    let panic = lines[..hidden]
        .iter()
        .rfind(|line| line.contains("Kernel panic"));
    let shown = panic.into_iter().chain(&lines[hidden..]);
    shown.copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_are_few_and_harmless() {
        let text = format!("{}\x1b[31mred\r\n\n", "line\n".repeat(100));
        let shown = last_lines(&text);
        assert_eq!(shown.lines().count(), SHOWN_LINES);
        assert!(shown.ends_with("[31mred"));
        assert!(!shown.contains('\x1b'));
    }

    #[test]
    fn what_is_said_of_every_machine_is_not_told() {
        let text = "qemu-system-x86_64: warning: nic card has no peer\nwrong\n\
                    [    0.2] PCI: Fatal: No config space access function found\n";
        assert_eq!(last_lines(text), "wrong");
    }

    #[test]
    fn a_panic_is_not_lost_behind_its_trace() {
        let trace = "[1.0] ? function+0x1/0x2\n".repeat(30);
        let shown = last_lines(&format!(
            "quiet\n[1.0] Kernel panic - not syncing: x\n{trace}"
        ));
        assert!(shown.starts_with("[1.0] Kernel panic - not syncing: x\n[1.0] ?"));
        assert_eq!(shown.lines().count(), SHOWN_LINES + 1);
    }

    #[tokio::test]
    async fn a_flood_fills_neither_memory_nor_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.log");
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        let mut console = Console::start(ours, &path).unwrap();
        let writer = std::thread::spawn(move || {
            for _ in 0..3000 {
                (&theirs).write_all(&[b'x'; 1024]).unwrap();
            }
        });
        while !writer.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(console.last_words().await.ends_with('x'));
        assert!(console.tail.lock().unwrap().len() <= TAIL_LIMIT_BYTES);
        assert!(std::fs::metadata(&path).unwrap().len() <= FILE_LIMIT_BYTES as u64);
    }
}
