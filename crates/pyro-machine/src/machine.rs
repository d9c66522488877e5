//! The *machine* itself: a process, its disk, its guest.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command as ProcessCommand, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pyro_protocol::{Disk, GENERATION, GuestMessage, HostMessage};
use pyro_store::{MachineDirectory, VmId, random_hex};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::accelerator::Accelerator;
use crate::console::Console;
use crate::error::Tails;
use crate::guest::{Command, Failure, Guest, Outcome, Streams};
use crate::process::{VmmProcess, describe};
use crate::qemu::{Channels, Memory, Qmp, command_line};
use crate::{Error, qemu};

/// How long a VMM whose guest is gone may take to exit.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// What a machine is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MachineSpec {
    /// Virtual processors.
    pub vcpu_count: u32,
    /// Memory, in MiB.
    pub mem_mib: u32,
    /// The kernel, as an uncompressed ELF image.
    pub kernel: PathBuf,
    /// The initial file system with the agent.
    pub initramfs: PathBuf,
    /// The environment's immutable image.
    pub rootfs: PathBuf,
}

/// What, besides its specification, a machine depends on: this host and what runs guests on it.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    pub(crate) program: qemu::Program,
    pub(crate) accelerator: Accelerator,
    pub(crate) tsc_khz: u64,
}

/// A step of a start and how long it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// How long it took.
    pub duration: Duration,
}

/// A running machine; ended, with all it has on the host, when dropped.
#[derive(Debug)]
pub struct Machine {
    // Dropped in this order: the connections, the process, then what the process used.
    guest: Guest,
    control: Qmp,
    vmm: VmmProcess,
    console: Console,
    vmm_messages: Console,
    accelerator: Accelerator,
    directory: MachineDirectory,
    clock: PhaseClock,
}

impl Machine {
    /// Its id.
    pub fn id(&self) -> &VmId {
        self.directory.id()
    }

    /// What runs its guest.
    pub fn accelerator(&self) -> Accelerator {
        self.accelerator
    }

    /// What its start consisted of.
    pub fn phases(&self) -> &[Phase] {
        &self.clock.phases
    }

    /// Runs a command in the guest to its end.
    ///
    /// # Errors
    /// When the command could not be started, or the machine stopped while it ran. A command
    /// that fails, or is ended at its time limit, is no error.
    pub async fn run(&mut self, command: &Command, streams: Streams<'_>) -> Result<Outcome, Error> {
        match self.guest.run(command, streams).await {
            Ok(outcome) => Ok(outcome),
            Err(Failure::NotStarted(message)) => Err(Error::NotStarted { message }),
            Err(Failure::OutputClosed) => Err(Error::OutputClosed),
            Err(Failure::Protocol(detail)) => Err(Error::Protocol { detail }),
            Err(Failure::Closed | Failure::Setup(_) | Failure::Control(_)) => {
                let (status, tails) = self.post_mortem().await;
                Err(Error::Stopped { status, tails })
            }
        }
    }

    /// Starts the VMM. Everything about how its process is confined is decided here.
    pub(crate) async fn spawn(
        platform: &Platform,
        spec: &MachineSpec,
        memory: Memory<'_>,
        disk: &Path,
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
        let channels = Channels {
            agent: agent_vmm.as_raw_fd(),
            console: console_vmm.as_raw_fd(),
            control: control_vmm.as_raw_fd(),
        };
        let mut command = ProcessCommand::new(program);
        command
            .args(command_line(platform, spec, memory, disk, channels))
            .current_dir(directory.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::from(OwnedFd::from(messages_vmm)));
        let inherited = [channels.agent, channels.console, channels.control];
        let vmm = VmmProcess::spawn(command, &inherited, directory.vmm_lock()).map_err(failed)?;

        let in_directory = |name: &str| directory.path().join(name);
        let mut machine = Self {
            guest: Guest::connect(agent).map_err(failed)?,
            control: Qmp::connect(control).await.map_err(failed)?,
            vmm,
            console: Console::start(console, &in_directory("console.log")).map_err(failed)?,
            vmm_messages: Console::start(messages, &in_directory("vmm.log")).map_err(failed)?,
            accelerator: platform.accelerator,
            directory,
            clock,
        };
        machine.clock.end("vmm_spawn");
        Ok(machine)
    }

    /// Has the agent of a machine that boots set it up. Everything is sent at once: the agent
    /// reads it when it is there.
    pub(crate) async fn set_up(&mut self, limit: Duration) -> Result<(), Error> {
        let mut step = "the guest agent";
        let result = tokio::time::timeout(limit, async {
            self.say_hello().await?;
            self.guest
                .send(&HostMessage::Prepare {
                    disk: Disk::Private,
                })
                .await?;
            self.send_identity().await?;
            self.expect_hello().await?;
            self.clock.end("kernel_and_agent");
            step = "its root file system";
            match self.guest.receive().await? {
                GuestMessage::Prepared => self.clock.end("root_file_system"),
                other => return Err(unexpected(&other)),
            }
            step = "its identity";
            self.expect_identity().await
        })
        .await;
        self.judge_start(result, limit, step).await
    }

    /// Restores the device state that `state` holds and makes the machine its own.
    pub(crate) async fn restore(&mut self, state: &[u8], limit: Duration) -> Result<(), Error> {
        let mut step = "the restored machine to resume";
        let result = tokio::time::timeout(limit, async {
            // The agent reads these as soon as it runs.
            self.say_hello().await?;
            self.send_identity().await?;
            self.feed_state(state).await?;
            self.control
                .wait_for("RESUME", |_| true)
                .await
                .map_err(Failure::Control)?;
            self.clock.end("restore");
            step = "the restored guest's agent";
            self.expect_hello().await?;
            self.clock.end("agent");
            step = "its identity";
            self.expect_identity().await
        })
        .await;
        self.judge_start(result, limit, step).await
    }

    /// Saves the state of the machine's devices, whose memory is in a file, and returns it. The
    /// machine does not run any more afterwards.
    pub(crate) async fn save(&mut self, limit: Duration) -> Result<Vec<u8>, String> {
        let result = tokio::time::timeout(limit, async {
            let io = |error: std::io::Error| Failure::Control(error.to_string());
            let (ours, theirs) = UnixStream::pair().map_err(io)?;
            self.ignore_shared_memory().await.map_err(io)?;
            self.control
                .send_descriptor("state", theirs.as_fd())
                .await
                .map_err(io)?;
            drop(theirs);
            self.control
                .execute("migrate", &json!({"uri": "fd:state"}))
                .await
                .map_err(io)?;
            // All of it, until QEMU closes its end.
            let state = tokio::task::spawn_blocking(move || {
                let mut state = Vec::new();
                std::io::Read::read_to_end(&mut &ours, &mut state).map(|_| state)
            });
            self.control
                .wait_for("MIGRATION", |data| data["status"] == "completed")
                .await
                .map_err(Failure::Control)?;
            state
                .await
                .map_err(std::io::Error::other)
                .and_then(|read| read)
                .map_err(io)
        })
        .await;
        match result {
            Ok(Ok(state)) => Ok(state),
            Ok(Err(failure)) => Err(format!("{failure:?}")),
            Err(_) => Err("QEMU took too long to save the device state".into()),
        }
    }

    /// Where the machine's disk is.
    pub(crate) fn disk(directory: &MachineDirectory) -> PathBuf {
        directory.path().join("disk.ext4")
    }

    /// Ends the VMM but keeps the directory, which is returned.
    pub(crate) fn into_directory(self) -> MachineDirectory {
        drop(self.vmm);
        self.directory
    }

    async fn say_hello(&self) -> Result<(), Failure> {
        self.guest
            .send(&HostMessage::Hello {
                generation: GENERATION,
            })
            .await
    }

    async fn expect_hello(&mut self) -> Result<(), Failure> {
        match self.guest.receive().await? {
            GuestMessage::Hello {
                generation: GENERATION,
                ..
            } => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends what makes a machine its own: entropy, clock, name.
    async fn send_identity(&self) -> Result<(), Failure> {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let adopt = HostMessage::Adopt {
            entropy_hex: random_hex(64),
            unix_time_ns: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
            hostname: format!("pyro-{}", self.id()),
            machine_id: random_hex(16),
        };
        self.guest.send(&adopt).await
    }

    /// Waits until the machine is its own. Without this answer it must not be used.
    async fn expect_identity(&mut self) -> Result<(), Failure> {
        match self.guest.receive().await? {
            GuestMessage::Adopted => {
                self.clock.end("identity");
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// The memory is in a file: only the devices are saved and restored.
    async fn ignore_shared_memory(&mut self) -> std::io::Result<()> {
        let capabilities = json!({"capabilities": [
            {"capability": "x-ignore-shared", "state": true},
            {"capability": "events", "state": true},
        ]});
        self.control
            .execute("migrate-set-capabilities", &capabilities)
            .await
    }

    async fn feed_state(&mut self, state: &[u8]) -> Result<(), Failure> {
        let io = |error: std::io::Error| Failure::Control(error.to_string());
        let (ours, theirs) = UnixStream::pair().map_err(io)?;
        self.ignore_shared_memory().await.map_err(io)?;
        self.control
            .send_descriptor("state", theirs.as_fd())
            .await
            .map_err(io)?;
        drop(theirs);
        let uri = json!({"uri": "fd:state"});
        self.control
            .execute("migrate-incoming", &uri)
            .await
            .map_err(io)?;
        ours.set_nonblocking(true).map_err(io)?;
        let mut ours = tokio::net::UnixStream::from_std(ours).map_err(io)?;
        // A VMM that refuses the state says why on its control connection.
        if let Err(error) = ours.write_all(state).await {
            tracing::debug!(%error, "the VMM did not read all of the state");
        }
        Ok(())
    }

    async fn judge_start(
        &mut self,
        result: Result<Result<(), Failure>, tokio::time::error::Elapsed>,
        limit: Duration,
        waited_for: &'static str,
    ) -> Result<(), Error> {
        match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(self.start_failure(failure, waited_for).await),
            Err(_) => self.timed_out(limit, waited_for).await,
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
            Failure::Closed | Failure::NotStarted(_) | Failure::OutputClosed => {
                let (status, tails) = self.post_mortem().await;
                Error::BootFailed {
                    waited_for,
                    status,
                    tails,
                }
            }
        }
    }

    /// Ends the VMM and returns how it ended and what it and its guest said last.
    async fn post_mortem(&mut self) -> (String, Tails) {
        // A connection that closed means a VMM about to exit by itself: it gets the time to say
        // how.
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

fn unexpected(message: &GuestMessage) -> Failure {
    Failure::Protocol(format!("unexpected message {message:?}"))
}

/// Measures the steps of a start.
#[derive(Debug)]
pub(crate) struct PhaseClock {
    last: Instant,
    phases: Vec<Phase>,
}

impl PhaseClock {
    pub(crate) fn start() -> Self {
        Self {
            last: Instant::now(),
            phases: Vec::new(),
        }
    }

    pub(crate) fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.phases.push(Phase {
            name,
            duration: now - self.last,
        });
        self.last = now;
    }
}
