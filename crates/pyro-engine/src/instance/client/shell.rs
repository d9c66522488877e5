//! Shells of a running instance.

use pyro_machine::TerminalSize;
use tokio::io::{AsyncRead, AsyncReadExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::{ask, connect, reply, send_request, unexpected};
use crate::Error;
use crate::instance::find::Instance;
use crate::instance::shell_record::NewShell;
use crate::instance::wire::{PIECE_BYTES, Reply, Request, write_input};

/// Opens a shell.
pub(crate) async fn open_shell(instance: &Instance, mut new: NewShell) -> Result<(), Error> {
    new.options = new.options.or(&instance.record.defaults);
    ask(instance, &Request::OpenShell(new)).await
}

/// Sends a signal to the foreground process group of a shell.
pub(crate) async fn signal_shell(instance: &Instance, id: &str, signal: i32) -> Result<(), Error> {
    let shell_id = id.to_owned();
    ask(instance, &Request::ShellSignal { shell_id, signal }).await
}

/// Changes the size of a shell's terminal.
pub(crate) async fn resize_shell(
    instance: &Instance,
    id: &str,
    size: TerminalSize,
) -> Result<(), Error> {
    let shell_id = id.to_owned();
    ask(instance, &Request::ResizeShell { shell_id, size }).await
}

/// Ends a shell, if it is running.
pub(crate) async fn close_shell(instance: &Instance, id: &str) -> Result<(), Error> {
    let shell_id = id.to_owned();
    ask(instance, &Request::CloseShell { shell_id }).await
}

/// Sends input to a shell, until the end of the input.
pub(crate) async fn write_to_shell(
    instance: &Instance,
    id: &str,
    input: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<(), Error> {
    let (mut reader, mut writer) = connect(instance).await?;
    let shell_id = id.to_owned();
    send_request(instance, &mut writer, &Request::ShellInput { shell_id }).await?;
    let sent = async {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = input.read(&mut piece).await;
            let length = length.map_err(|error| pyro_machine::Error::input(&error))?;
            // If the supervisor stops reading, it sends the reason.
            if write_input(&mut writer, &piece[..length]).await.is_err() || length == 0 {
                return Ok::<_, Error>(());
            }
        }
    };
    let answered = async {
        match reply(instance, &mut reader).await? {
            Reply::Done => Ok(()),
            Reply::Failed(error) => Err(error.into()),
            other => Err(unexpected(&other)),
        }
    };
    tokio::pin!(answered);
    tokio::select! {
        biased;
        answer = &mut answered => answer,
        sent = sent => {
            sent?;
            answered.await
        }
    }
}

/// Waits for output.
pub(crate) struct Watch<'a> {
    instance: &'a Instance,
    reader: BufReader<OwnedReadHalf>,
    /// The connection stays open in both directions.
    _writer: OwnedWriteHalf,
}

impl<'a> Watch<'a> {
    /// Watches a shell.
    pub(crate) async fn shell(instance: &'a Instance, id: &str) -> Result<Self, Error> {
        let shell_id = id.to_owned();
        Self::begin(instance, &Request::FollowShell { shell_id }).await
    }

    /// Watches a service.
    pub(crate) async fn service(instance: &'a Instance, name: &str) -> Result<Self, Error> {
        let name = name.to_owned();
        Self::begin(instance, &Request::FollowService { name }).await
    }

    async fn begin(instance: &'a Instance, request: &Request) -> Result<Self, Error> {
        let (reader, mut writer) = connect(instance).await?;
        send_request(instance, &mut writer, request).await?;
        Ok(Self {
            instance,
            reader,
            _writer: writer,
        })
    }

    /// Returns true when there may be more output, false when the process has ended.
    pub(crate) async fn grown(&mut self) -> Result<bool, Error> {
        match reply(self.instance, &mut self.reader).await? {
            Reply::Grown => Ok(true),
            Reply::Done => Ok(false),
            Reply::Failed(error) => Err(error.into()),
            other => Err(unexpected(&other)),
        }
    }
}
