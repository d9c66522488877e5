//! An *owned* machine is one whose VMM is a child of this process.

use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command as ProcessCommand, Stdio};
use std::time::{Duration, Instant};

use pyro_store::{MachineDirectory, VmId};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::parts::{MachineParts, PostMortem};
use crate::Error;
use crate::accelerator::Accelerator;
use crate::cell::Cell;
use crate::clocks;
use crate::console::Console;
use crate::deadline::{Deadline, Passed};
use crate::error::Tails;
use crate::guest::{Command, Failure, Guest, Layers, Outcome, Streams, WARM_UP_LIMIT, run_error};
use crate::network::{Access, Network};
use crate::phases::{Phase, PhaseClock};
use crate::platform::Platform;
use crate::process::{Lock, OwnedProcess, describe};
use crate::spec::MachineSpec;
use crate::vmm::qemu::{Channels, Preload, Qmp, command_line};
use crate::vmm::{Disks, Memory};

/// The limit on the state of a machine's devices. It takes a third of a megabyte.
const STATE_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// How long QEMU may take to stop the guest's processors.
const PAUSE_LIMIT: Duration = Duration::from_secs(20);
/// How long a VMM whose guest is gone may take to exit.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// A machine of this process; on drop it is ended and removed from the host.
#[derive(Debug)]
pub(crate) struct OwnedMachine {
    // Dropped in this order: the connections, the process, then the files that the process used.
    guest: Guest,
    /// A second handle to the guest's connection, for a process that takes the machine over.
    agent: UnixStream,
    control: Qmp,
    vmm: OwnedProcess,
    network: Option<Network>,
    console: Console,
    vmm_messages: Console,
    accelerator: Accelerator,
    /// The rate of the host's time-stamp counter.
    tsc_khz: u64,
    name: VmId,
    directory: MachineDirectory,
    clock: PhaseClock,
}

impl OwnedMachine {
    pub(crate) fn id(&self) -> &VmId {
        self.directory.id()
    }

    pub(crate) fn accelerator(&self) -> Accelerator {
        self.accelerator
    }

    pub(crate) fn phases(&self) -> &[Phase] {
        &self.clock.phases
    }

    pub(crate) async fn run(
        &mut self,
        command: &Command,
        streams: Streams<'_>,
    ) -> Result<Outcome, Error> {
        let failure = match self.guest.run(command, streams).await {
            Ok(outcome) => return Ok(outcome),
            Err(failure) => failure,
        };
        if let Some(error) = run_error(failure) {
            return Err(error);
        }
        let (status, tails) = self.post_mortem().await;
        Err(Error::Stopped { status, tails })
    }

    /// Makes the guest do once what its clones may do first. If that fails, the clones do more.
    pub(crate) async fn warm_up(&self) {
        let deadline = || self.deadline(WARM_UP_LIMIT);
        let unpacked = deadline().bound(self.guest.warm_up_unpacking()).await;
        let ran = deadline().bound(self.guest.warm_up_command()).await;
        let flushed = deadline().bound(self.guest.sync()).await;
        tracing::debug!(?unpacked, ?ran, ?flushed, "warmed_up");
    }

    /// Starts the VMM. The confinement of its process is decided here.
    pub(crate) fn spawn(
        platform: &Platform,
        spec: &MachineSpec,
        memory: Memory<'_>,
        disks: Disks<'_>,
        access: Option<&Access>,
        directory: MachineDirectory,
        clock: PhaseClock,
    ) -> Result<Self, Error> {
        let program = &platform.program.path;
        let failed = |source| Error::Spawn {
            program: program.clone(),
            source,
        };
        let pair = || UnixStream::pair().map_err(failed);
        let (agent, agent_vmm) = pair()?;
        let (console, console_vmm) = pair()?;
        let (control, control_vmm) = pair()?;
        let (messages, messages_vmm) = pair()?;
        let (network, card_vmm) = match access {
            Some(access) => {
                let (card, card_vmm) = pair()?;
                let network = Network::start(access, card, directory.path())?;
                (Some(network), Some(card_vmm))
            }
            None => (None, None),
        };
        let channels = Channels {
            agent: agent_vmm.as_raw_fd(),
            console: console_vmm.as_raw_fd(),
            control: control_vmm.as_raw_fd(),
            network: card_vmm.as_ref().map(AsRawFd::as_raw_fd),
        };
        let preload = Preload::of(platform.program.version, memory, &platform.base_dir)?;
        let mut command = ProcessCommand::new(program);
        command
            .args(command_line(platform, spec, memory, disks, channels))
            .current_dir(directory.path())
            .env_clear()
            .envs(preload.iter().flat_map(Preload::variables))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(OwnedFd::from(messages_vmm)));
        let mut inherited = vec![channels.agent, channels.console, channels.control];
        inherited.extend(channels.network);
        let lock = Lock {
            held: directory.vmm_lock(),
            note: directory.vmm_note(),
        };
        let library = preload.as_ref().map(|preload| preload.library.as_path());
        let cell = Cell::vmm(program, spec, memory, disks, library).map_err(failed)?;
        let vmm = OwnedProcess::spawn(command, &inherited, Some(lock), cell).map_err(failed)?;
        platform.require(vmm.isolation())?;

        let in_directory = |name: &str| directory.path().join(name);
        let mut machine = Self {
            agent: agent.try_clone().map_err(failed)?,
            guest: Guest::connect(agent).map_err(failed)?,
            control: Qmp::connect(control).map_err(failed)?,
            vmm,
            network,
            console: Console::start(console, &in_directory("console.log")).map_err(failed)?,
            vmm_messages: Console::start(messages, &in_directory("vmm.log")).map_err(failed)?,
            accelerator: platform.accelerator,
            tsc_khz: platform.tsc_khz,
            name: directory.id().clone(),
            directory,
            clock,
        };
        machine.guest.runs_in(Some(machine.vmm.id()));
        if machine.network.is_some() {
            machine.guest.set_network(Network::for_guest());
        }
        machine.clock.end("vmm_spawn");
        Ok(machine)
    }

    /// Returns a deadline for work of the machine.
    pub(crate) fn deadline(&self, limit: Duration) -> Deadline {
        Deadline::new(Some(self.vmm.id()), limit)
    }

    /// Gives the machine a name other than its id.
    pub(crate) fn set_name(&mut self, name: Option<&VmId>) {
        if let Some(name) = name {
            self.name = name.clone();
        }
    }

    /// Waits until the agent of a booting machine answers.
    pub(crate) async fn await_agent(&mut self, limit: Duration) -> Result<(), Error> {
        let deadline = self.deadline(limit);
        let booted = async {
            self.guest.send_hello().await?;
            self.expect_to_have_booted().await
        };
        let result = deadline.bound(booted).await;
        self.judge_start(result, limit, "the guest agent").await
    }

    /// Waits for the agent's first answer. The kernel never corrects its clocks later, nor does any
    /// clone of the machine.
    async fn expect_to_have_booted(&mut self) -> Result<(), Failure> {
        let clocks = self.guest.expect_hello().await?;
        let fault = match &clocks {
            Some(clocks) => clocks::fault(clocks, self.accelerator, self.tsc_khz),
            None => Some("it does not know them".into()),
        };
        fault.map_or(Ok(()), |fault| Err(Failure::Clocks(fault)))
    }

    /// Waits until the machine's network works, if it has one.
    pub(crate) async fn connected(&mut self) -> Result<(), Error> {
        if let Some(network) = &mut self.network {
            network.ready().await?;
            self.clock.end("network");
        }
        Ok(())
    }

    pub(crate) fn has_network(&self) -> bool {
        self.network.is_some()
    }

    /// Makes the agent of a booting machine set it up. Messages are sent at once, where possible,
    /// and the agent reads them when it runs. The time cannot be sent in advance.
    pub(crate) async fn set_up(&mut self, layers: Layers, limit: Duration) -> Result<(), Error> {
        let mut step = "the guest agent";
        let deadline = self.deadline(limit);
        let set_up = async {
            self.guest.send_hello().await?;
            self.guest.send_prepare(layers).await?;
            self.expect_to_have_booted().await?;
            self.clock.end("kernel_and_agent");
            step = "its root file system";
            self.guest.expect_prepared().await?;
            self.clock.end("root_file_system");
            step = "its identity";
            self.guest.adopt(&self.name).await?;
            self.clock.end("identity");
            Ok(())
        };
        let result = deadline.bound(set_up).await;
        self.judge_start(result, limit, step).await
    }

    /// Restores the device state in `state` and gives the machine its identity. If it was saved
    /// before its root file system was assembled, `layers` says of what it is.
    pub(crate) async fn restore(
        &mut self,
        state: &[u8],
        layers: Option<Layers>,
        limit: Duration,
    ) -> Result<(), Error> {
        let mut step = "the restored machine to resume";
        let deadline = self.deadline(limit);
        let restored = async {
            // The agent reads all of these as soon as it runs; the time is sent again later.
            let told = Instant::now();
            self.guest.send_hello().await?;
            if let Some(layers) = layers {
                self.guest.send_prepare(layers).await?;
            }
            self.guest.send_identity(&self.name).await?;
            self.feed_state(state).await?;
            self.control.resumed().await?;
            self.clock.end("restore");
            step = "the restored guest's agent";
            self.guest.expect_hello().await?;
            self.clock.end("agent");
            if layers.is_some() {
                step = "its root file system";
                self.guest.expect_prepared().await?;
                self.clock.end("root_file_system");
            }
            step = "its identity";
            self.guest.expect_identity().await?;
            self.guest.correct_clock(told).await?;
            self.clock.end("identity");
            Ok(())
        };
        let result = deadline.bound(restored).await;
        self.judge_start(result, limit, step).await
    }

    /// Saves the state of the machine's devices and returns it; the memory is in a file. The
    /// machine does not run afterwards.
    pub(crate) async fn save(&mut self, limit: Duration) -> Result<Vec<u8>, String> {
        let deadline = self.deadline(limit);
        let saved = async {
            let io = |error: std::io::Error| Failure::Control(error.to_string());
            let ours = self.migrate("migrate").map_err(io)?;
            // Read until QEMU closes its end.
            let state = tokio::task::spawn_blocking(move || {
                let mut state = Vec::new();
                let read = (&ours)
                    .take(STATE_LIMIT_BYTES + 1)
                    .read_to_end(&mut state)?;
                if read as u64 > STATE_LIMIT_BYTES {
                    return Err(std::io::ErrorKind::FileTooLarge.into());
                }
                Ok(state)
            });
            self.control.migrated().await?;
            state
                .await
                .map_err(std::io::Error::other)
                .and_then(|read| read)
                .map_err(io)
        };
        match deadline.bound(saved).await {
            Ok(Ok(state)) => Ok(state),
            Ok(Err(failure)) => Err(format!("{failure:?}")),
            Err(Passed) => Err("QEMU took too long to save the device state".into()),
        }
    }

    /// Gives the machine another identity.
    pub(crate) async fn renew(&mut self, limit: Duration) -> Result<(), Error> {
        let deadline = self.deadline(limit);
        let result = deadline.bound(self.guest.renew(&self.name)).await;
        self.judge_start(result, limit, "its identity").await
    }

    /// Makes the guest start a shell for the next command. Only under software emulation: with
    /// hardware it gains next to nothing, and the shells of all clones would share one memory
    /// layout, which is random there otherwise.
    pub(crate) async fn prestart(&mut self, limit: Duration) -> Result<(), Error> {
        if self.accelerator == Accelerator::Tcg {
            let prestarted = async {
                let waits = self.guest.prestart().await?;
                tracing::debug!(waits, "prestarted");
                Ok(())
            };
            let result = self.deadline(limit).bound(prestarted).await;
            self.judge_start(result, limit, "a waiting shell").await?;
        }
        Ok(())
    }

    /// Stops the guest's processors.
    pub(crate) async fn pause(&mut self) -> Result<(), String> {
        match tokio::time::timeout(PAUSE_LIMIT, self.control.execute("stop")).await {
            Ok(stopped) => stopped.map_err(|refusal| refusal.to_string()),
            Err(_) => Err("QEMU did not stop the guest's processors".into()),
        }
    }

    /// Splits the machine into parts, for an owner that uses them concurrently.
    pub(crate) fn into_parts(self) -> MachineParts {
        MachineParts {
            guest: self.guest,
            agent: self.agent,
            control: self.control,
            last: PostMortem {
                vmm: self.vmm,
                console: self.console,
                vmm_messages: self.vmm_messages,
            },
            accelerator: self.accelerator,
            phases: self.clock.phases,
            network: self.network,
            directory: self.directory,
        }
    }

    /// Begins a migration, out or in, and returns this side's end of the channel for the state. The
    /// memory is in a file, so the state is that of the devices only.
    fn migrate(&self, command: &str) -> std::io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        let capabilities = json!({"capabilities": [
            {"capability": "x-ignore-shared", "state": true},
            {"capability": "events", "state": true},
        ]});
        self.control.send("migrate-set-capabilities", &capabilities);
        self.control.send_descriptor("state", theirs.into());
        self.control.send(command, &json!({"uri": "fd:state"}));
        Ok(ours)
    }

    async fn feed_state(&mut self, state: &[u8]) -> Result<(), Failure> {
        let io = |error: std::io::Error| Failure::Control(error.to_string());
        let ours = self.migrate("migrate-incoming").map_err(io)?;
        ours.set_nonblocking(true).map_err(io)?;
        let mut ours = tokio::net::UnixStream::from_std(ours).map_err(io)?;
        // A VMM that refuses the state gives the reason on its control connection.
        if let Err(error) = ours.write_all(state).await {
            tracing::debug!(%error, "the VMM did not read all of the state");
        }
        Ok(())
    }

    async fn judge_start(
        &mut self,
        result: Result<Result<(), Failure>, Passed>,
        limit: Duration,
        waited_for: &'static str,
    ) -> Result<(), Error> {
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(self.start_failure(failure, waited_for).await),
            Err(Passed) => self.timed_out(limit, waited_for).await,
        }
    }

    async fn timed_out<T>(
        &mut self,
        limit: Duration,
        waited_for: &'static str,
    ) -> Result<T, Error> {
        let (_, tails) = self.post_mortem().await;
        Err(Error::BootTimedOut {
            seconds: limit.as_secs(),
            waited_for,
            accelerator: self.accelerator.name(),
            tails,
        })
    }

    async fn start_failure(&mut self, failure: Failure, waited_for: &'static str) -> Error {
        match failure {
            Failure::Protocol(detail) => Error::Protocol { detail },
            Failure::Clocks(fault) => Error::GuestClocks { fault },
            Failure::Setup(message) => {
                let (_, tails) = self.post_mortem().await;
                Error::GuestSetup { message, tails }
            }
            Failure::Control(status) => {
                let (_, tails) = self.post_mortem().await;
                Error::BootFailed {
                    waited_for,
                    status,
                    tails,
                }
            }
            Failure::Closed
            | Failure::Refused(_)
            | Failure::OutputClosed
            | Failure::OutputFailed(_)
            | Failure::Input(_) => {
                let (status, tails) = self.post_mortem().await;
                Error::BootFailed {
                    waited_for,
                    status,
                    tails,
                }
            }
        }
    }

    /// Ends the VMM; returns how it ended and the last output of VMM and guest.
    async fn post_mortem(&mut self) -> (String, Tails) {
        // If the connection closed, the VMM is about to exit by itself: wait, so that its status
        // shows the cause.
        if let Err(error) = self.vmm.wait(LAST_MOMENT).await {
            tracing::debug!(%error, "cannot wait for the VMM");
        }
        let status = self
            .vmm
            .kill()
            .map_or_else(|error| error.to_string(), describe);
        let console = self.console.last_words().await;
        let vmm = self.vmm_messages.last_words().await;
        (status, Tails { console, vmm })
    }
}
