//! Calls into the guest, which the supervisor relays.

use std::io::{self, BufRead as _, BufReader as StdBufReader, Write};
use std::os::unix::net::UnixStream as StdUnixStream;

use pyro_machine::{Answer, Call};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{check_version, connect, connect_now, gone, reply, send_request, unexpected};
use crate::Error;
use crate::instance::find::Instance;
use crate::instance::wire::{PIECE_BYTES, Reply, Request, request_line, write_input};

/// Carries out a call whose input is in memory. Its output is passed to `output` as it arrives. If
/// the future is dropped, the guest ends the call.
pub(crate) async fn call(
    instance: &Instance,
    call: &Call,
    input: &[u8],
    output: &mut (dyn AsyncWrite + Send + Unpin),
) -> Result<Answer, Error> {
    let (mut reader, mut writer) = connect(instance).await?;
    let request = Request::Call { call: call.clone() };
    send_request(instance, &mut writer, &request).await?;
    let sent = async {
        for piece in input.chunks(PIECE_BYTES) {
            write_input(&mut writer, piece).await?;
        }
        write_input(&mut writer, &[]).await
    };
    let received = async {
        loop {
            match reply(instance, &mut reader).await? {
                Reply::Output { bytes } => {
                    let mut piece = vec![0; bytes as usize];
                    let read = reader.read_exact(&mut piece).await;
                    read.map_err(|_| gone(instance))?;
                    let written = output.write_all(&piece).await;
                    written.map_err(|error| pyro_machine::Error::output(&error))?;
                }
                Reply::Answered(answer) => return Ok(answer),
                Reply::Failed(error) => return Err(error.into()),
                other => return Err(unexpected(&other)),
            }
        }
    };
    tokio::pin!(sent, received);
    tokio::select! {
        biased;
        answer = &mut received => answer,
        // If the supervisor stops reading, it sends the reason.
        _ = &mut sent => received.await,
    }
}

/// An unpacking in progress, for a thread that may block. The archive is written to it.
pub(crate) struct Push {
    connection: StdUnixStream,
}

impl Push {
    /// Begins an unpacking.
    pub(crate) fn begin(instance: &Instance, destination: &str) -> Result<Self, Error> {
        check_version(instance)?;
        let mut connection = connect_now(instance).map_err(|_| gone(instance))?;
        let call = Call::Unpack {
            destination: destination.to_owned(),
            owner: None,
        };
        connection
            .write_all(&request_line(&Request::Call { call }))
            .map_err(|_| gone(instance))?;
        Ok(Self { connection })
    }

    /// Returns the handle that ends the transfer when it is dropped.
    pub(crate) fn hang_up(&self) -> io::Result<HangUp> {
        Ok(HangUp(self.connection.try_clone()?))
    }

    /// Waits until the guest has moved all files to their places.
    pub(crate) fn end(mut self, instance: &Instance) -> Result<(), Error> {
        // It fails if the supervisor has hung up; its reply gives the reason.
        let _sent = self.connection.write_all(&0_u32.to_le_bytes());
        let mut answer = Vec::new();
        let mut reader = StdBufReader::new(&self.connection);
        let read = reader.read_until(b'\n', &mut answer);
        match read.map(|_| serde_json::from_slice(&answer)) {
            Ok(Ok(Reply::Answered(_))) => Ok(()),
            // Repeating a push is safe, whatever became of this one.
            Ok(Ok(Reply::Failed(error))) => Err(Error {
                retry_safe: true,
                ..error.into()
            }),
            Ok(Ok(other)) => Err(unexpected(&other)),
            Ok(Err(_)) | Err(_) => Err(Error {
                retry_safe: true,
                ..gone(instance)
            }),
        }
    }
}

impl Write for Push {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        if piece.is_empty() {
            return Ok(0);
        }
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        self.connection.write_all(&length.to_le_bytes())?;
        self.connection.write_all(piece)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Ends a transfer, complete or not.
pub(crate) struct HangUp(StdUnixStream);

impl Drop for HangUp {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}
