//! Unpacking an archive in the guest, below a directory there: all of it or nothing.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pyro_protocol::HostMessage;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Failure, Guest, Streams};

/// How much of what the guest says about it is kept. An honest one says a line.
const MAX_WORDS_BYTES: usize = 16 * 1024;

/// How an unpacking ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unpacked {
    /// Everything is in its place, and on the disk.
    Whole {
        /// Members of the archive.
        entries: u64,
        /// Contents of its regular files.
        bytes: u64,
    },
    /// The guest says why not. Nothing was changed, unless commands changed the same directories
    /// at the same time, or the disk is full.
    Refused {
        /// The cause, for people.
        message: String,
    },
    /// It took too long and was ended. It may still be finished later: by the next one, or by the
    /// next start.
    TimedOut,
}

/// What the agent prints when it is done.
#[derive(Deserialize)]
struct Totals {
    entries: u64,
    bytes: u64,
}

impl Guest {
    /// Unpacks the tar stream `archive` below `destination`, an absolute path in the guest. The
    /// stream has the form that [`HostMessage::Unpack`] describes.
    pub(crate) async fn unpack(
        &self,
        destination: &str,
        archive: &mut (dyn AsyncRead + Send + Unpin),
        limit: Option<Duration>,
    ) -> Result<Unpacked, Failure> {
        let opening = HostMessage::Unpack {
            destination: destination.to_owned(),
        };
        let (mut said, mut complaint) = (Words::default(), Words::default());
        let streams = Streams {
            stdin: Some(archive),
            stdout: &mut said,
            stderr: &mut complaint,
        };
        let outcome = self.run_stream(&opening, limit, streams).await?;
        if outcome.timed_out {
            return Ok(Unpacked::TimedOut);
        }
        Ok(match (outcome.code, outcome.signal) {
            (Some(0), _) => {
                let Totals { entries, bytes } = serde_json::from_slice(&said.0)
                    .map_err(|error| Failure::Protocol(format!("an unpacking said: {error}")))?;
                Unpacked::Whole { entries, bytes }
            }
            (_, Some(signal)) => Unpacked::Refused {
                message: format!("it was ended by signal {signal}"),
            },
            _ => Unpacked::Refused {
                message: String::from_utf8_lossy(&complaint.0).trim_end().to_owned(),
            },
        })
    }
}

/// The beginning of an output; the rest is dropped.
#[derive(Debug, Default)]
struct Words(Vec<u8>);

impl AsyncWrite for Words {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let room = MAX_WORDS_BYTES - self.0.len();
        self.0.extend(bytes.iter().take(room));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
