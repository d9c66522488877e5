//! The *output* of a command in results. A capture collects it, up to a limit: a guest decides how
//! much it prints, the host how much of it is kept.

use std::fmt::Write;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;

/// The maximum that is kept of one output of one command.
pub(crate) const CAPTURE_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// Collected output.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    kept: Vec<u8>,
    total: u64,
}

/// Passes what is written to it to a function.
pub(crate) struct Each<F>(pub(crate) F);

impl<F: FnMut(&[u8]) -> io::Result<()> + Unpin> AsyncWrite for Each<F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready((self.0)(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// For counts that are omitted from results if they are 0.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Collected output as text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct CapturedOutput {
    pub(crate) text: String,
    /// The number of bytes, if some that are not UTF-8 were replaced.
    pub(crate) lossy_from_bytes: Option<u64>,
    /// The number of bytes, if not all of them were kept.
    pub(crate) truncated_from_bytes: Option<u64>,
}

/// The output of a command, as it appears in results.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
pub struct CommandOutput {
    /// Its standard output, unless that was streamed.
    pub stdout: String,
    /// Its standard error, unless that was streamed.
    pub stderr: String,
    /// Present if bytes in `stdout` that are not UTF-8 were replaced.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stdout_lossy: bool,
    /// Present if bytes in `stderr` that are not UTF-8 were replaced.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stderr_lossy: bool,
    /// Present with `stdout_lossy`: the number of bytes before the replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_lossy_from_bytes: Option<u64>,
    /// Present with `stderr_lossy`: the number of bytes before the replacement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_lossy_from_bytes: Option<u64>,
    /// Present if `stdout` is truncated: how many bytes the command printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_truncated_from_bytes: Option<u64>,
    /// Present if `stderr` is truncated: how many bytes the command printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_truncated_from_bytes: Option<u64>,
}

impl From<[CapturedOutput; 2]> for CommandOutput {
    fn from([stdout, stderr]: [CapturedOutput; 2]) -> Self {
        Self {
            stdout: stdout.text,
            stderr: stderr.text,
            stdout_lossy: stdout.lossy_from_bytes.is_some(),
            stderr_lossy: stderr.lossy_from_bytes.is_some(),
            stdout_lossy_from_bytes: stdout.lossy_from_bytes,
            stderr_lossy_from_bytes: stderr.lossy_from_bytes,
            stdout_truncated_from_bytes: stdout.truncated_from_bytes,
            stderr_truncated_from_bytes: stderr.truncated_from_bytes,
        }
    }
}

impl Capture {
    /// Returns the bytes that were kept, and whether they are complete.
    pub(crate) fn into_bytes(self) -> (Vec<u8>, bool) {
        let is_whole = self.total == self.kept.len() as u64;
        (self.kept, is_whole)
    }

    pub(crate) fn finish(self) -> CapturedOutput {
        CapturedOutput::part(self.kept, self.total)
    }
}

impl CapturedOutput {
    /// Converts `kept`, which is all or a part of `total` bytes, to text.
    pub(crate) fn part(mut kept: Vec<u8>, total: u64) -> Self {
        let truncated = total > kept.len() as u64;
        if truncated {
            drop_partial_character(&mut kept);
        }
        let (text, lossy_from_bytes) = match String::from_utf8(kept) {
            Ok(text) => (text, None),
            Err(error) => {
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                (text, Some(total))
            }
        };
        Self {
            text,
            lossy_from_bytes,
            truncated_from_bytes: truncated.then_some(total),
        }
    }
}

/// Removes the beginning of a character whose end was cut off.
pub(crate) fn drop_partial_character(bytes: &mut Vec<u8>) {
    if let Err(error) = std::str::from_utf8(bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
}

impl AsyncWrite for Capture {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let room = CAPTURE_LIMIT_BYTES - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.total += bytes.len() as u64;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Whether to omit an optional key from a result.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// Returns bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn captured(chunks: &[&[u8]]) -> CapturedOutput {
        let mut capture = Capture::default();
        for chunk in chunks {
            capture.write_all(chunk).await.unwrap();
        }
        capture.finish()
    }

    #[tokio::test]
    async fn text_is_kept_as_it_is() {
        let text = captured(&["gr\u{fc}".as_bytes(), "\u{df}e\n".as_bytes()]).await;
        assert_eq!(
            text,
            CapturedOutput {
                text: "gr\u{fc}\u{df}e\n".into(),
                ..CapturedOutput::default()
            }
        );
    }

    #[tokio::test]
    async fn other_bytes_are_replaced_and_flagged() {
        let binary = captured(&[b"a\xffb"]).await;
        assert_eq!(binary.text, "a\u{fffd}b");
        assert_eq!(binary.lossy_from_bytes, Some(3));
    }

    #[tokio::test]
    async fn too_much_is_cut_and_flagged() {
        // The limit falls into the middle of a character.
        let long = "\u{fc}".repeat(CAPTURE_LIMIT_BYTES);
        let cut = captured(&[b"x", long.as_bytes()]).await;
        assert_eq!(cut.text.len(), CAPTURE_LIMIT_BYTES - 1);
        assert_eq!(cut.lossy_from_bytes, None);
        assert_eq!(cut.truncated_from_bytes, Some(1 + long.len() as u64));
    }
}
