//! A *descriptor* is an open file that this process inherited: a pipe, a file, a terminal, a
//! socket. Other processes may share it and may have set it to `O_NONBLOCK`, which applies to all
//! of them. This process must not change that, so its reads and writes wait with `poll` instead.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::{JoinHandle, spawn_blocking};

/// The most that is read or written at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Reads available data, and waits if there is none. Returns 0 at the end.
///
/// # Errors
/// When it cannot be read. The end is not an error, and an error is not the end.
pub fn read(descriptor: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::read(&descriptor, &mut *buffer) {
            Ok(length) => return Ok(length),
            Err(error) => wait_after(error, &descriptor, PollFlags::IN)?,
        }
    }
}

/// Writes all of `bytes`, and waits whenever there is no room.
///
/// # Errors
/// When it cannot be written; [`ErrorKind::BrokenPipe`] if the reader went away.
pub fn write_all(descriptor: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&descriptor, bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) => wait_after(error, &descriptor, PollFlags::OUT)?,
        }
    }
    Ok(())
}

/// Whether it was opened for reading. `nohup`, for example, gives programs an input that was not.
pub fn is_readable(descriptor: impl AsFd) -> bool {
    let mode = rustix::fs::fcntl_getfl(descriptor).map(|flags| flags & OFlags::RWMODE);
    mode.is_ok_and(|mode| mode != OFlags::WRONLY)
}

/// Returns when a retry may succeed.
fn wait_after(error: Errno, descriptor: &impl AsFd, wanted: PollFlags) -> io::Result<()> {
    match error {
        Errno::INTR => Ok(()),
        // Both are `EWOULDBLOCK` here. An error or a hang-up also ends the wait: the next attempt
        // reports which.
        Errno::AGAIN => match poll(&mut [PollFd::new(descriptor, wanted)], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        },
        error => Err(error.into()),
    }
}

/// Reads a descriptor, in a thread that may block.
#[derive(Debug)]
pub struct DescriptorReader {
    descriptor: Arc<OwnedFd>,
    under_way: Option<JoinHandle<io::Result<Vec<u8>>>>,
    /// Data that was read and not consumed yet.
    rest: Vec<u8>,
    taken: usize,
}

impl From<OwnedFd> for DescriptorReader {
    fn from(descriptor: OwnedFd) -> Self {
        Self {
            descriptor: Arc::new(descriptor),
            under_way: None,
            rest: Vec::new(),
            taken: 0,
        }
    }
}

impl AsyncRead for DescriptorReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.taken == self.rest.len() {
            let descriptor = Arc::clone(&self.descriptor);
            let wanted = buffer.remaining().min(CHUNK_BYTES);
            let under_way = self.under_way.get_or_insert_with(|| {
                spawn_blocking(move || {
                    let mut chunk = vec![0; wanted];
                    let length = read(&descriptor, &mut chunk)?;
                    chunk.truncate(length);
                    Ok(chunk)
                })
            });
            let chunk = ready!(Pin::new(under_way).poll(context));
            self.under_way = None;
            (self.rest, self.taken) = (chunk??, 0);
        }
        let left = &self.rest[self.taken..];
        let length = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..length]);
        self.taken += length;
        Poll::Ready(Ok(()))
    }
}

/// Writes a descriptor, in a thread that may block. A flush waits until all data is written.
#[derive(Debug)]
pub struct DescriptorWriter {
    descriptor: Arc<OwnedFd>,
    under_way: Option<JoinHandle<io::Result<()>>>,
}

impl From<OwnedFd> for DescriptorWriter {
    fn from(descriptor: OwnedFd) -> Self {
        Self {
            descriptor: Arc::new(descriptor),
            under_way: None,
        }
    }
}

impl AsyncWrite for DescriptorWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(context))?;
        let chunk = bytes[..bytes.len().min(CHUNK_BYTES)].to_vec();
        let length = chunk.len();
        let descriptor = Arc::clone(&self.descriptor);
        self.under_way = Some(spawn_blocking(move || write_all(&descriptor, &chunk)));
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(under_way) = &mut self.under_way else {
            return Poll::Ready(Ok(()));
        };
        let written = ready!(Pin::new(under_way).poll(context));
        self.under_way = None;
        Poll::Ready(written?)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}
