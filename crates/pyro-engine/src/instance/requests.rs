//! Answers the *requests* of clients, each on a connection of its own.

use std::path::PathBuf;
use std::sync::Arc;

use pyro_machine::{Call, Control, Streams, copy_disk};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::commands::CommandRequest;
use super::files::disk;
use super::record::Content;
use super::snapshots;
use super::supervisor::{End, Supervisor};
use super::wire::{
    PIECE_BYTES, Reply, Request, read_request, relay_pieces, send_output, write_line,
};
use crate::Error;
use crate::command_options::CommandOptions;
use crate::off_thread::off_thread;
use crate::request::host_path;

impl Supervisor {
    /// Answers one connection.
    pub(super) async fn answer(
        self: Arc<Self>,
        connection: UnixStream,
        under_way: watch::Receiver<()>,
    ) {
        let (reader, mut writer) = connection.into_split();
        let mut reader = BufReader::new(reader);
        let request = match read_request(&mut reader).await {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(error) => {
                let _ = write_line(&mut writer, &Reply::Failed(error.into())).await;
                return;
            }
        };
        let answered = match request {
            Request::Exec {
                command,
                timeout_ms,
                stdin,
                token,
            } => {
                let input = stdin.then_some(reader);
                let going_on = under_way.clone();
                let asked = CommandRequest {
                    command,
                    timeout_ms: Some(timeout_ms),
                    token,
                    options: CommandOptions::default(),
                    terminal: None,
                };
                self.commands
                    .exec(asked, input, &mut writer, going_on)
                    .await
            }
            Request::ExecWith {
                command,
                timeout_ms,
                stdin,
                token,
                options,
                terminal,
            } => {
                let input = stdin.then_some(reader);
                let going_on = under_way.clone();
                let asked = CommandRequest {
                    command,
                    timeout_ms,
                    token,
                    options,
                    terminal,
                };
                self.commands
                    .exec(asked, input, &mut writer, going_on)
                    .await
            }
            Request::Signal { sequence, signal } => {
                let running = self.commands.control(sequence, Control::Signal(signal));
                Ok(Reply::Sent { running })
            }
            Request::Resize { sequence, size } => {
                self.commands.control(sequence, Control::Resize(size));
                Ok(Reply::Done)
            }
            Request::Follow { sequence } => self.commands.follow(sequence, &mut writer).await,
            Request::Kill { sequence } => {
                self.commands.end(sequence);
                Ok(Reply::Done)
            }
            Request::Abandon { token } => {
                self.commands.abandon(token);
                Ok(Reply::Done)
            }
            Request::Call { call } => self.relay(&call, reader, &mut writer).await,
            Request::OpenShell(new) => {
                let directory = self.kind.working_directory().unwrap_or("/root");
                self.shells.open(new, directory).await
            }
            Request::ShellInput { shell_id } => self.shells.input(&shell_id, &mut reader).await,
            Request::ShellSignal { shell_id, signal } => {
                self.shells.signal(&shell_id, signal).await
            }
            Request::ResizeShell { shell_id, size } => self.shells.resize(&shell_id, size).await,
            Request::FollowShell { shell_id } => self.shells.follow(&shell_id, &mut writer).await,
            Request::CloseShell { shell_id } => self.shells.close(&shell_id).await,
            Request::StartService(definition) => self.services.start(definition).await,
            Request::StopService { name } => self.services.stop(&name).await,
            Request::FollowService { name } => self.services.follow(&name, &mut writer).await,
            Request::Snapshot { name, content } => self.snapshot(name, content).await,
            Request::Publish { port } => self.ports.publish(port, &reader, &mut writer).await,
            Request::TakeBack { host_port } => self.ports.take_back(host_port).await,
            Request::Flush => self.flush().await,
            Request::CopyDisk { to } => self.copy_disk(host_path(&to)).await,
            Request::Stop { discard } => {
                // The connection closes when this process exits: that is the answer.
                drop(under_way);
                let _ = self.ends.send(End::Stop { discard }).await;
                return std::future::pending().await;
            }
        };
        let reply = answered.unwrap_or_else(|error| Reply::Failed(error.into()));
        // It fails if the client went away.
        let _ = write_line(&mut writer, &reply).await;
    }

    /// Flushes the machine's disk, as far as that is possible: what cannot be written is in the log.
    async fn flush(&self) -> Result<Reply, Error> {
        let _on = self.power.on(&self.machine).await?;
        self.power.flush(&self.machine).await;
        Ok(Reply::Done)
    }

    /// Carries out a call in the guest: the client's input goes in, the output goes to the client.
    /// If the client goes away, the call is ended.
    async fn relay(
        &self,
        call: &Call,
        mut client: BufReader<OwnedReadHalf>,
        writer: &mut OwnedWriteHalf,
    ) -> Result<Reply, Error> {
        let activity = self.activity.clone();
        off_thread(move || activity.note()).await;
        let _on = self.power.on(&self.machine).await?;
        let (mut input, mut to_input) = tokio::io::simplex(PIECE_BYTES);
        let (mut output, mut to_output) = tokio::io::simplex(PIECE_BYTES);
        let called = async {
            let streams = Streams {
                stdin: Some(&mut input),
                stdout: &mut to_output,
                stderr: &mut tokio::io::sink(),
                controls: None,
                started: None,
            };
            let answer = self.machine.call(call, streams).await;
            let _ = to_output.shutdown().await;
            answer
        };
        let gone = async {
            relay_pieces(&mut client, &mut to_input).await;
            let _ = to_input.shutdown().await;
            // A client that waits for the answer sends nothing more: this returns when it hangs up.
            let _ = client.read_u8().await;
        };
        let answered = async { tokio::join!(called, send_output(&mut output, writer)).0 };
        tokio::select! {
            answer = answered => match answer {
                Ok(answer) => Ok(Reply::Answered(answer)),
                Err(error) => Err(self.commands.explained(error)),
            },
            () = gone => Ok(Reply::Done),
        }
    }

    /// Copies the disk into a new snapshot while the machine is paused.
    async fn snapshot(&self, name: String, content: Option<Content>) -> Result<Reply, Error> {
        let object = self.object.clone();
        let copied = off_thread(move || snapshots::make(&object, &name, content));
        self.power.while_paused(&self.machine, copied).await??;
        Ok(Reply::Done)
    }

    /// Copies the disk while the machine is paused. The copy is in the client's directory, and the
    /// client removes it; if the client dies, the copy is removed with the directory.
    async fn copy_disk(&self, to: PathBuf) -> Result<Reply, Error> {
        let source = disk(&self.object);
        let copied = off_thread(move || copy_disk(&source, &to));
        self.power.while_paused(&self.machine, copied).await??;
        Ok(Reply::Done)
    }
}
