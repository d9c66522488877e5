//! A *supervised* machine outlives the call that started it: its owner runs many commands in it at
//! once, pauses it while there are none, and shuts it down.

use std::path::Path;
use std::time::Duration;

use pyro_protocol::{Answer, Call, Refusal, RefusalReason};
use pyro_store::{MachineDirectory, Slot};
use tokio::sync::Mutex;

use super::parts::{MachineParts, PostMortem};
use crate::Error;
use crate::accelerator::Accelerator;
use crate::deadline::{Deadline, Passed};
use crate::error::Tails;
use crate::guest::{Command, Failure, Guest, Outcome, Streams, WARM_UP_LIMIT, run_error};
use crate::network::Network;
use crate::phases::Phase;
use crate::process::{Exited, describe};
use crate::vmm::qemu::{Qmp, QmpError};

/// How long a guest may take to write everything to its disk and power off.
const SHUT_DOWN_LIMIT: Duration = Duration::from_secs(20);
/// How long QEMU may take to stop the guest's processors. A pause is not urgent, and a client that
/// comes meanwhile must not wait longer.
const PAUSE_LIMIT: Duration = Duration::from_secs(5);
/// How long QEMU may take to resume them: a host short of memory must read the guest's back first.
const RESUME_LIMIT: Duration = Duration::from_secs(30);
/// How long the guest may take to flush its cache. A longer flush goes on.
const FLUSH_LIMIT: Duration = Duration::from_secs(60);
/// How long a running guest may take to read a message.
const MESSAGE_LIMIT: Duration = Duration::from_secs(30);

/// A machine in which many commands run; killed on drop.
#[derive(Debug)]
pub struct SupervisedMachine {
    // Dropped in this order: the connections, the process, then the files that the process used.
    guest: Guest,
    control: Qmp,
    /// The process id of the VMM.
    vmm: u32,
    exited: Exited,
    last: Mutex<PostMortem>,
    accelerator: Accelerator,
    phases: Vec<Phase>,
    _network: Option<Network>,
    directory: MachineDirectory,
    _slot: Slot,
}

impl SupervisedMachine {
    /// Assembles a machine whose guest is ready, with the slot that it holds.
    pub(crate) fn new(parts: MachineParts, slot: Slot) -> Result<Self, Error> {
        let exited = parts.last.vmm.exited().map_err(|source| Error::Spawn {
            program: "pidfd".into(),
            source,
        })?;
        Ok(Self {
            guest: parts.guest,
            control: parts.control,
            vmm: parts.last.vmm.id(),
            exited,
            last: Mutex::new(parts.last),
            accelerator: parts.accelerator,
            phases: parts.phases,
            _network: parts.network,
            directory: parts.directory,
            _slot: slot,
        })
    }

    /// The directory of its files on the host, except those that an instance keeps.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its accelerator.
    pub fn accelerator(&self) -> Accelerator {
        self.accelerator
    }

    /// The phases of its start.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// Why not all files of an earlier push are in their places, if one was interrupted and could
    /// not be finished.
    pub fn unfinished_push(&self) -> Option<&str> {
        self.guest.unfinished()
    }

    /// Runs a command in the guest to its end.
    ///
    /// # Errors
    /// When the command could not be started, or the machine stopped while it ran.
    pub async fn run(&self, command: &Command, streams: Streams<'_>) -> Result<Outcome, Error> {
        match self.guest.run(command, streams).await {
            Ok(outcome) => Ok(outcome),
            Err(failure) => Err(self.error(failure).await),
        }
    }

    /// Carries out a call in the guest to its end.
    ///
    /// # Errors
    /// When the guest refuses it, or the machine stopped meanwhile.
    pub async fn call(&self, call: &Call, streams: Streams<'_>) -> Result<Answer, Error> {
        match self.guest.call(call, streams).await {
            Ok(answer) => Ok(answer),
            Err(failure) => Err(self.error(failure).await),
        }
    }

    /// Makes the guest unpack files into a hidden directory, so that the next unpacking is faster.
    ///
    /// # Errors
    /// When the machine stopped meanwhile.
    pub async fn warm_up_unpacking(&self) -> Result<(), Error> {
        self.warmed_up(self.guest.warm_up_unpacking()).await
    }

    /// Makes the guest run a command that removes the unpacked files.
    ///
    /// # Errors
    /// When the machine stopped meanwhile, or has no shell.
    pub async fn warm_up_command(&self) -> Result<(), Error> {
        self.warmed_up(self.guest.warm_up_command()).await
    }

    async fn warmed_up(
        &self,
        warm_up: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Error> {
        match self.deadline(WARM_UP_LIMIT).bound(warm_up).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(self.error(failure).await),
            Err(Passed) => Err(Error::Refused(Refusal::new(
                RefusalReason::Refused,
                "the warm-up took too long",
            ))),
        }
    }

    /// Makes the guest write everything to its disk. Returns the number of processes in it, besides
    /// those that always run.
    ///
    /// # Errors
    /// When the machine stopped meanwhile, or its disk cannot take everything, or not in time; in
    /// the latter cases the machine keeps running.
    pub async fn flush(&self) -> Result<u32, Error> {
        let failed = |message: String| Err(Error::NotFlushed { message });
        match self.deadline(FLUSH_LIMIT).bound(self.guest.sync()).await {
            Ok(Ok(processes)) => Ok(processes),
            Ok(Err(Failure::Setup(message))) => failed(message),
            Ok(Err(failure)) => Err(self.error(failure).await),
            Err(Passed) => failed(format!("it takes longer than {} s", FLUSH_LIMIT.as_secs())),
        }
    }

    /// Stops the guest's processors, so that it costs nothing. If this fails or is dropped, they
    /// may be stopped already, or later: [`resume`](Self::resume) resumes them.
    ///
    /// # Errors
    /// When QEMU does not do it, or the machine stopped.
    pub async fn pause(&self) -> Result<(), Error> {
        self.control("pause", "stop", PAUSE_LIMIT).await
    }

    /// Resumes the guest's processors, if they are stopped, and sends the guest the time.
    ///
    /// # Errors
    /// When QEMU does not do it, and the machine is unchanged; or when the machine stopped.
    pub async fn resume(&self) -> Result<(), Error> {
        self.control("resume", "cont", RESUME_LIMIT).await?;
        let told = self.guest.set_clock();
        match self.deadline(MESSAGE_LIMIT).bound(told).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(self.error(failure).await),
            Err(Passed) => Err(Error::NotControlled {
                action: "resume",
                reason: "the guest takes no messages".into(),
            }),
        }
    }

    /// Shuts the guest down: everything is on its disk afterwards.
    ///
    /// # Errors
    /// When it does not power off in time.
    pub async fn shut_down(&self) -> Result<(), Error> {
        // A guest that does not read also blocks the sending of this message.
        let done = self.deadline(SHUT_DOWN_LIMIT).bound(async {
            self.guest.shut_down().await?;
            self.ended().await;
            Ok(())
        });
        match done.await {
            Ok(Ok(())) => self.ended_in_order().await,
            Ok(Err(failure)) => Err(self.error(failure).await),
            Err(Passed) => Err(Error::NotShutDown {
                seconds: SHUT_DOWN_LIMIT.as_secs(),
            }),
        }
    }

    /// Fails unless the VMM has exited because its guest powered off.
    async fn ended_in_order(&self) -> Result<(), Error> {
        let mut last = self.last.lock().await;
        match last.vmm.kill() {
            Ok(status) if status.success() => Ok(()),
            status => {
                let status = status.map_or_else(|error| error.to_string(), describe);
                let tails = last.tails().await;
                Err(Error::Stopped { status, tails })
            }
        }
    }

    /// Waits until the VMM is gone.
    pub async fn ended(&self) {
        self.exited.wait().await;
    }

    /// Ends the VMM, if it has not ended; returns how it ended and the last output of VMM and
    /// guest.
    pub async fn last_words(&self) -> (String, Tails) {
        let mut last = self.last.lock().await;
        let status = last
            .vmm
            .kill()
            .map_or_else(|error| error.to_string(), describe);
        let tails = last.tails().await;
        (status, tails)
    }

    fn deadline(&self, limit: Duration) -> Deadline {
        Deadline::new(Some(self.vmm), limit)
    }

    /// Makes QEMU do something. A refusal is no reason to end the machine.
    async fn control(
        &self,
        action: &'static str,
        command: &str,
        limit: Duration,
    ) -> Result<(), Error> {
        let refused = |reason: String| Err(Error::NotControlled { action, reason });
        match self
            .deadline(limit)
            .bound(self.control.execute(command))
            .await
        {
            Ok(Ok(())) => Ok(()),
            Ok(Err(QmpError::Refused(words))) => refused(words),
            Ok(Err(closed @ QmpError::Closed(_))) => Err(self.error(closed.into()).await),
            Err(Passed) => refused(format!("it did not answer within {} s", limit.as_secs())),
        }
    }

    async fn error(&self, failure: Failure) -> Error {
        if let Some(error) = run_error(failure) {
            return error;
        }
        // If the connection closed, the VMM is about to exit by itself: wait, so that its status
        // shows the cause.
        let _ = tokio::time::timeout(Duration::from_millis(500), self.ended()).await;
        let (status, tails) = self.last_words().await;
        Error::Stopped { status, tails }
    }
}
