//! A *supervised* machine outlives the call that started it: its owner runs many commands in it
//! at once, pauses it while there are none, and ends it in order.

use std::path::Path;
use std::time::Duration;

use pyro_store::{MachineDirectory, Slot};
use serde_json::json;
use tokio::io::AsyncRead;
use tokio::sync::Mutex;

use crate::accelerator::Accelerator;
use crate::console::Console;
use crate::deadline::{Deadline, Passed};
use crate::error::Tails;
use crate::files::{Files, KeptFiles};
use crate::guest::{Command, Guest, Outcome, REHEARSAL_LIMIT, Streams, Unpacked, run_error};
use crate::launch::{Listener, Machines, Start};
use crate::network::Network;
use crate::process::{Exited, OwnedProcess, describe};
use crate::qemu::Qmp;
use crate::spec::{MachineSpec, Phase};
use crate::{Error, Failure};

/// How long a guest may take to write everything to its disk and power off.
const SHUT_DOWN_LIMIT: Duration = Duration::from_secs(20);
/// How long QEMU may take to stop the guest's processors, or to let them go on.
const CONTROL_LIMIT: Duration = Duration::from_secs(5);

/// A machine that many commands run in; ended, at once, when dropped.
#[derive(Debug)]
pub struct SupervisedMachine {
    // Dropped in this order: the connections, the process, then what the process used.
    guest: Guest,
    control: Mutex<Qmp>,
    /// The process id of the VMM.
    vmm: u32,
    exited: Exited,
    last: Mutex<Last>,
    accelerator: Accelerator,
    phases: Vec<Phase>,
    _network: Option<Network>,
    directory: MachineDirectory,
    _slot: Slot,
}

/// What is asked when it is over.
#[derive(Debug)]
pub(crate) struct Last {
    pub(crate) vmm: OwnedProcess,
    pub(crate) console: Console,
    pub(crate) vmm_messages: Console,
}

/// What a machine consists of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) guest: Guest,
    pub(crate) control: Qmp,
    pub(crate) last: Last,
    pub(crate) accelerator: Accelerator,
    pub(crate) phases: Vec<Phase>,
    pub(crate) network: Option<Network>,
    pub(crate) directory: MachineDirectory,
}

impl Machines {
    /// Starts a machine that works on files somebody else keeps, and returns it once its guest is
    /// ready for commands. Waits at most `patience` for a place among the active machines.
    ///
    /// Must be called on a thread that lives as long as the machine: the VMM dies with it. If no
    /// place is free in time, this process goes on to wait for one until it ends.
    ///
    /// # Errors
    /// When the machine does not come up; nothing but the files is left of it then.
    pub async fn launch_supervised(
        &self,
        spec: &MachineSpec,
        start: Start,
        files: KeptFiles<'_>,
        patience: Duration,
        listener: Listener<'_>,
    ) -> Result<SupervisedMachine, Error> {
        // Who asked for a network is not given a machine without one.
        self.access_for(spec)?;
        let slot = tokio::time::timeout(patience, self.slot(listener))
            .await
            .map_err(|_| Error::TooManyActive {
                limit: self.active_limit,
            })??;
        let machine = self
            .start(spec, start, Files::Kept(files), listener)
            .await?;
        let parts = machine.into_parts();
        let exited = parts.last.vmm.exited().map_err(|source| Error::Spawn {
            program: "pidfd".into(),
            source,
        })?;
        Ok(SupervisedMachine {
            guest: parts.guest,
            control: Mutex::new(parts.control),
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
}

impl SupervisedMachine {
    /// Where its files are on the host, but for those that somebody keeps.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What runs its guest.
    pub fn accelerator(&self) -> Accelerator {
        self.accelerator
    }

    /// What its start consisted of.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
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

    /// Unpacks the tar stream `archive` below `destination`, an absolute path in the guest.
    ///
    /// # Errors
    /// When the machine stopped meanwhile.
    pub async fn unpack(
        &self,
        destination: &str,
        archive: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<Unpacked, Error> {
        match self.guest.unpack(destination, archive).await {
            Ok(unpacked) => Ok(unpacked),
            Err(failure) => Err(self.error(failure).await),
        }
    }

    /// Has the guest unpack what nobody needs, where no command looks, so that the next time takes
    /// less.
    ///
    /// # Errors
    /// When the machine stopped meanwhile.
    pub async fn rehearse_unpacking(&self) -> Result<(), Error> {
        self.rehearsed(self.guest.rehearse_unpacking()).await
    }

    /// Has the guest run a command that removes what was unpacked.
    ///
    /// # Errors
    /// When the machine stopped meanwhile, or has no shell.
    pub async fn rehearse_command(&self) -> Result<(), Error> {
        self.rehearsed(self.guest.rehearse_command()).await
    }

    async fn rehearsed(
        &self,
        rehearsal: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Error> {
        match self.deadline(REHEARSAL_LIMIT).bound(rehearsal).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(self.error(failure).await),
            Err(Passed) => Err(Error::NotStarted {
                message: "the rehearsal took too long".into(),
            }),
        }
    }

    /// Has the guest write everything to its disk. Returns how many processes run in it, beside
    /// those that always do.
    ///
    /// # Errors
    /// When the machine stopped meanwhile, or its disk does not take everything; then it runs on.
    pub async fn flush(&self) -> Result<u32, Error> {
        match self.guest.sync().await {
            Ok(processes) => Ok(processes),
            Err(Failure::Setup(message)) => Err(Error::GuestSetup {
                message,
                tails: Tails::default(),
            }),
            Err(failure) => Err(self.error(failure).await),
        }
    }

    /// Stops the guest's processors: it costs nothing then.
    ///
    /// # Errors
    /// When QEMU does not.
    pub async fn pause(&self) -> Result<(), Error> {
        self.control("stop", "STOP").await
    }

    /// Lets the guest's processors go on, and tells it how late it is.
    ///
    /// # Errors
    /// When QEMU does not.
    pub async fn resume(&self) -> Result<(), Error> {
        self.control("cont", "RESUME").await?;
        match self.guest.set_clock().await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.error(failure).await),
        }
    }

    /// Has the guest power off in order: everything is on its disk then.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn shut_down(&self) -> Result<(), Error> {
        // A guest that does not read is not told either.
        let done = self.deadline(SHUT_DOWN_LIMIT).bound(async {
            self.guest.shut_down().await?;
            self.ended().await;
            Ok(())
        });
        match done.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(self.error(failure).await),
            Err(Passed) => Err(Error::NotShutDown {
                seconds: SHUT_DOWN_LIMIT.as_secs(),
            }),
        }
    }

    /// Waits until the VMM is gone.
    pub async fn ended(&self) {
        self.exited.wait().await;
    }

    /// Ends the VMM, if it has not ended, and returns why it did and what it and its guest said
    /// last.
    pub async fn last_words(&self) -> (String, Tails) {
        let mut last = self.last.lock().await;
        let status = last
            .vmm
            .kill()
            .map_or_else(|error| error.to_string(), describe);
        let console = last.console.last_words().await;
        let vmm = last.vmm_messages.last_words().await;
        (status, Tails { console, vmm })
    }

    fn deadline(&self, limit: Duration) -> Deadline {
        Deadline::new(Some(self.vmm), limit)
    }

    async fn control(&self, command: &str, event: &str) -> Result<(), Error> {
        let mut control = self.control.lock().await;
        let done = async {
            let sent = control.execute(command, &json!({})).await;
            sent.map_err(|error| error.to_string())?;
            control.wait_for(event, |_| true).await
        };
        let result = match self.deadline(CONTROL_LIMIT).bound(done).await {
            Ok(result) => result,
            Err(Passed) => Err(format!("QEMU did not answer to {command}")),
        };
        match result {
            Ok(()) => Ok(()),
            Err(reason) => Err(self.error(Failure::Control(reason)).await),
        }
    }

    async fn error(&self, failure: Failure) -> Error {
        if let Some(error) = run_error(failure) {
            return error;
        }
        // A connection that closed means a VMM about to exit by itself: it gets the time to say
        // how.
        let _ = tokio::time::timeout(Duration::from_millis(500), self.ended()).await;
        let (status, tails) = self.last_words().await;
        Error::Stopped { status, tails }
    }
}
