//! The *client* of a supervisor.

mod call;
mod exec;
mod ports;
mod service;
mod shell;

use std::io::Write;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use pyro_store::SocketDirectory;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

pub(crate) use call::{Push, call};
pub(crate) use exec::{NewCommand, Outputs, exec, exec_detached, follow, send_signal};
pub(crate) use ports::{publish, take_back};
pub(crate) use service::{start_service, stop_service};
pub(crate) use shell::{
    Watch, close_shell, open_shell, resize_shell, signal_shell, write_to_shell,
};

use super::diagnostics;
use super::find::Instance;
use super::wire::{Reply, Request, SOCKET, VERSION, read_line, request_line};
use crate::Error;
use crate::off_thread::off_thread;

/// How long a supervisor may take to shut its VM down: the guest writes to its disk.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take if the disk is to be discarded.
const DISCARD_LIMIT: Duration = Duration::from_secs(5);
/// How long a killed process may take to exit.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Ends the VM, by a shutdown or immediately, and returns when it has ended.
pub(super) async fn stop(instance: &Instance, discard: bool) -> Result<(), Error> {
    let limit = if discard { DISCARD_LIMIT } else { STOP_LIMIT };
    let asked = async {
        let (mut reader, mut writer) = connect(instance).await?;
        send_request(instance, &mut writer, &Request::Stop { discard }).await?;
        // The supervisor answers by closing the connection when it exits.
        let _: Result<Option<Reply>, _> = read_line(&mut reader).await;
        Ok::<_, Error>(())
    };
    let asked = tokio::time::timeout(limit, asked).await;
    if instance.object.is_owned() {
        // It does not listen (not yet, or no longer), or did not finish in time.
        tracing::warn!(?asked, "the supervisor did not end by itself");
        let object = instance.object.clone();
        if !off_thread(move || object.end_owner(KILL_LIMIT)).await {
            return Err(Error::no_supervisor("it cannot be ended"));
        }
    }
    Ok(())
}

/// Sends a request and waits until it was carried out.
pub(super) async fn ask(instance: &Instance, request: &Request) -> Result<(), Error> {
    let (mut reader, mut writer) = connect(instance).await?;
    send_request(instance, &mut writer, request).await?;
    match reply(instance, &mut reader).await? {
        Reply::Done => Ok(()),
        Reply::Failed(error) => Err(error.into()),
        other => Err(unexpected(&other)),
    }
}

/// Returns when everything that was written in the machine until now is on its disk, or cannot be
/// written there.
pub(crate) async fn flush(instance: &Instance) -> Result<(), Error> {
    ask(instance, &Request::Flush).await
}

/// Sends a request without waiting for the answer.
fn ask_now(instance: &Instance, request: &Request) -> std::io::Result<()> {
    let mut connection = connect_now(instance)?;
    connection.set_write_timeout(Some(KILL_LIMIT))?;
    connection.write_all(&request_line(request))
}

async fn connect(instance: &Instance) -> Result<(BufReader<OwnedReadHalf>, OwnedWriteHalf), Error> {
    let connect = async {
        let short = SocketDirectory::open(instance.object.path())?;
        UnixStream::connect(short.path(SOCKET)).await
    };
    let stream = connect.await.map_err(|error| {
        tracing::debug!(%error, "the supervisor does not answer");
        gone(instance)
    })?;
    let (reader, writer) = stream.into_split();
    Ok((BufReader::new(reader), writer))
}

fn connect_now(instance: &Instance) -> std::io::Result<StdUnixStream> {
    let short = SocketDirectory::open(instance.object.path())?;
    StdUnixStream::connect(short.path(SOCKET))
}

async fn send_request(
    instance: &Instance,
    writer: &mut OwnedWriteHalf,
    request: &Request,
) -> Result<(), Error> {
    if !matches!(request, Request::Stop { .. }) {
        check_version(instance)?;
    }
    let sent = writer.write_all(&request_line(request)).await;
    sent.map_err(|_| gone(instance))
}

/// Refuses requests to a supervisor of another version that would not understand them.
fn check_version(instance: &Instance) -> Result<(), Error> {
    match instance.record.wire {
        Some(VERSION) => Ok(()),
        other => Err(Error::other_version(other, VERSION)),
    }
}

async fn reply(instance: &Instance, reader: &mut BufReader<OwnedReadHalf>) -> Result<Reply, Error> {
    match read_line(reader).await {
        Ok(Some(reply)) => Ok(reply),
        Ok(None) | Err(_) => Err(gone(instance)),
    }
}

/// The error of a call during which the supervisor ended.
fn gone(instance: &Instance) -> Error {
    let words = diagnostics::last_words(instance.object.path());
    Error::supervisor_gone(instance.kind.noun(), instance.id()).with_log_end(words)
}

fn unexpected(reply: &Reply) -> Error {
    Error::no_supervisor(&format!("unexpected answer {reply:?}"))
}
