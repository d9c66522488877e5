//! A *temporary machine* works for one operation, on a disk of its own, and leaves nothing.

use std::path::{Path, PathBuf};

use pyro_machine::{Answer, Call, LaunchEvent, Streams, SupervisedMachine};
use pyro_store::MachineDirectory;
use tokio::io::AsyncWrite;

use crate::disk_limit::{DiskLimit, allocated_bytes};
use crate::{Engine, Error, Event, Listener};

/// A running machine with its files; both are removed on drop.
pub(crate) struct TemporaryMachine {
    // The fields are dropped in this order.
    pub(crate) machine: SupervisedMachine,
    files: MachineDirectory,
    limit: DiskLimit,
    /// What people call it, for error messages.
    noun: &'static str,
}

impl TemporaryMachine {
    pub(crate) fn new(
        engine: &Engine,
        machine: SupervisedMachine,
        files: MachineDirectory,
        noun: &'static str,
    ) -> Self {
        Self {
            machine,
            files,
            limit: DiskLimit::of(&engine.config),
            noun,
        }
    }

    /// Carries out a call that reads; its output is passed to `output` as it arrives.
    pub(crate) async fn read(
        &self,
        call: &Call,
        output: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Answer, pyro_machine::Error> {
        let streams = Streams {
            stdin: None,
            stdout: output,
            stderr: &mut tokio::io::sink(),
            controls: None,
            started: None,
        };
        self.machine.call(call, streams).await
    }

    /// Waits for work of the machine, but fails as soon as its files are larger than the limit
    /// allows.
    pub(crate) async fn within_limit<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error>
    where
        Error: From<E>,
    {
        let grown_too_big = self
            .limit
            .watch(|| allocated_bytes(self.files.path()), async || {});
        tokio::select! {
            done = work => Ok(done?),
            exceeded = grown_too_big => Err(exceeded.ended(self.noun)),
        }
    }

    /// The directory of its files.
    pub(crate) fn directory(&self) -> &Path {
        self.files.path()
    }

    /// A place for what it sends, which counts as its own.
    pub(crate) fn received(&self) -> PathBuf {
        self.files.path().join("received")
    }

    /// Ends the machine, and returns its files.
    pub(crate) fn end(self) -> MachineDirectory {
        self.files
    }
}

/// Passes on what is worth knowing about a start.
pub(crate) fn notices(listener: &Listener) -> impl Fn(LaunchEvent<'_>) + Send + Sync {
    |event| match event {
        LaunchEvent::Starting(_) => {}
        LaunchEvent::Notice(text) => listener.report(Event::Notice(text)),
    }
}
