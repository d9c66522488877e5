//! *Launching* turns a specification into a machine whose guest answers and is its own.

use std::ffi::OsString;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command as ProcessCommand, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pyro_protocol::{Disk, GENERATION, GuestMessage, HostMessage};
use pyro_store::{MachineDirectory, Swept, VmId, random_hex, sweep};

use crate::accelerator::{Accelerator, AcceleratorChoice, Judgement, KvmDevice, Verdict, judge};
use crate::console::Console;
use crate::error::Tails;
use crate::guest::{Command, Failure, Guest, Outcome, Streams};
use crate::process::{VmmProcess, describe};
use crate::{Error, HostFacts, disk, qemu};

/// How long the first guest under KVM may take to boot before KVM is judged not to work: a
/// working one needs well under a second.
const KVM_PROOF_LIMIT: Duration = Duration::from_secs(15);

/// How long a VMM may take to exit once it has closed its connections, before it is killed.
const EXIT_LIMIT: Duration = Duration::from_millis(500);

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

/// A step of a launch and how long it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// How long it took.
    pub duration: Duration,
}

/// News of a launch.
#[derive(Clone, Debug)]
pub enum LaunchEvent<'a> {
    /// The machine with this id is about to start.
    Starting(&'a VmId),
    /// Something the user should know.
    Notice(String),
}

/// Who is told about a launch.
type Listener<'a> = &'a (dyn Fn(LaunchEvent<'_>) + Send + Sync);

/// Where machines live and how they are started on this host.
#[derive(Clone, Debug)]
pub struct Machines {
    /// Directory for everything machines need at run time; private to the user.
    pub base_dir: PathBuf,
    /// Where programs are searched, as in `PATH`.
    pub search_path: OsString,
    /// What should run the guests.
    pub accelerator: AcceleratorChoice,
    /// How long a guest may take to boot.
    pub boot_limit: Duration,
}

/// A running machine; ended, with all it has on the host, when dropped.
#[derive(Debug)]
pub struct Machine {
    // Dropped in this order: the connection, the process, then what the process used.
    guest: Guest,
    vmm: VmmProcess,
    console: Console,
    vmm_messages: Console,
    accelerator: Accelerator,
    directory: MachineDirectory,
    phases: Vec<Phase>,
}

impl Machines {
    /// Removes what machines without an owner have left.
    pub fn sweep(&self) -> Swept {
        sweep(&self.directory())
    }

    /// Says which accelerator the next machine will use and why.
    ///
    /// # Errors
    /// When the accelerator that was asked for cannot be had.
    pub fn judge_accelerator(&self) -> Result<(Accelerator, String), Error> {
        let facts = HostFacts::load(&self.facts_path());
        let judgement = judge(self.accelerator, KvmDevice::detect(), facts.kvm.as_ref())?;
        Ok((judgement.accelerator, judgement.reason))
    }

    /// Finds QEMU and checks its version.
    ///
    /// # Errors
    /// When there is none, or none that is new enough.
    pub fn qemu(&self) -> Result<qemu::Program, Error> {
        let path = self.facts_path();
        HostFacts::load(&path).qemu(&self.search_path, &path)
    }

    /// Starts a machine and returns it once its guest is ready for commands.
    ///
    /// Must be called on a thread that lives as long as the machine: the VMM dies with it.
    ///
    /// # Errors
    /// When the machine does not come up; nothing is left of it then.
    pub async fn launch(
        &self,
        spec: &MachineSpec,
        listener: Listener<'_>,
    ) -> Result<Machine, Error> {
        let facts_path = self.facts_path();
        let mut facts = HostFacts::load(&facts_path);
        let program = facts.qemu(&self.search_path, &facts_path)?;
        let judgement = judge(self.accelerator, KvmDevice::detect(), facts.kvm.as_ref())?;
        if judgement.proved {
            return self
                .boot(spec, &program, &judgement, facts.tsc_khz, listener)
                .await;
        }
        match self
            .boot(spec, &program, &judgement, facts.tsc_khz, listener)
            .await
        {
            Ok(machine) => {
                facts.remember_kvm(Verdict::Works, &facts_path);
                Ok(machine)
            }
            Err(
                error @ (Error::BootTimedOut { .. }
                | Error::BootFailed { .. }
                | Error::GuestSetup { .. }),
            ) => {
                listener(LaunchEvent::Notice(format!(
                    "KVM does not run a guest here ({error}); using software emulation"
                )));
                facts.remember_kvm(
                    Verdict::Fails {
                        reason: error.to_string(),
                    },
                    &facts_path,
                );
                let reason = "KVM failed".to_owned();
                let judgement = Judgement {
                    accelerator: Accelerator::Tcg,
                    proved: true,
                    reason,
                };
                self.boot(spec, &program, &judgement, facts.tsc_khz, listener)
                    .await
            }
            Err(error) => Err(error),
        }
    }

    async fn boot(
        &self,
        spec: &MachineSpec,
        program: &qemu::Program,
        judgement: &Judgement,
        tsc_khz: u64,
        listener: Listener<'_>,
    ) -> Result<Machine, Error> {
        let mut clock = PhaseClock::start();
        let directory = MachineDirectory::create(&self.directory()).map_err(store_error)?;
        listener(LaunchEvent::Starting(directory.id()));
        let disk = directory.path().join("disk.ext4");
        disk::create(&disk, &self.base_dir)?;
        clock.end("disk");

        let mut machine = spawn(
            spec,
            program,
            judgement.accelerator,
            tsc_khz,
            &disk,
            directory,
        )?;
        clock.end("vmm_spawn");

        let limit = if judgement.proved {
            self.boot_limit
        } else {
            self.boot_limit.min(KVM_PROOF_LIMIT)
        };
        let mut waited_for = "the guest agent";
        let answered = tokio::time::timeout(
            limit,
            greet(
                &mut machine.guest,
                machine.directory.id(),
                &mut clock,
                &mut waited_for,
            ),
        );
        match answered.await {
            Ok(Ok(())) => {
                machine.phases = clock.phases;
                Ok(machine)
            }
            Ok(Err(failure)) => Err(machine.boot_failure(failure, waited_for).await),
            Err(_) => {
                let (_, tails) = machine.post_mortem().await;
                Err(Error::BootTimedOut {
                    seconds: limit.as_secs(),
                    waited_for,
                    accelerator: judgement.accelerator.name(),
                    tails,
                })
            }
        }
    }

    fn directory(&self) -> PathBuf {
        self.base_dir.join("vms")
    }

    fn facts_path(&self) -> PathBuf {
        self.base_dir.join("host.json")
    }
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

    /// What its launch consisted of.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
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
            Err(Failure::Closed | Failure::Setup(_)) => {
                let (status, tails) = self.post_mortem().await;
                Err(Error::Stopped { status, tails })
            }
        }
    }

    async fn boot_failure(&mut self, failure: Failure, waited_for: &'static str) -> Error {
        match failure {
            Failure::Protocol(detail) => Error::Protocol { detail },
            Failure::Setup(message) => {
                let (_, tails) = self.post_mortem().await;
                Error::GuestSetup { message, tails }
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
        // A connection that closed means a VMM about to exit by itself: its console ends with
        // it, and waiting for that leaves it the time to say how.
        let console = self.console.last_words().await;
        let status = self
            .vmm
            .end(EXIT_LIMIT)
            .await
            .map_or_else(|error| error.to_string(), describe);
        let vmm = self.vmm_messages.last_words().await;
        (status, Tails { console, vmm })
    }
}

/// Starts the VMM. Everything about how its process is confined is decided here.
fn spawn(
    spec: &MachineSpec,
    program: &qemu::Program,
    accelerator: Accelerator,
    tsc_khz: u64,
    disk: &Path,
    directory: MachineDirectory,
) -> Result<Machine, Error> {
    let failed = |source| Error::Spawn {
        program: program.path.clone(),
        source,
    };
    let (agent, agent_vmm) = UnixStream::pair().map_err(failed)?;
    let (console, console_vmm) = UnixStream::pair().map_err(failed)?;
    let (messages, messages_vmm) = UnixStream::pair().map_err(failed)?;
    let channels = qemu::Channels {
        agent: agent_vmm.as_raw_fd(),
        console: console_vmm.as_raw_fd(),
    };

    let mut command = ProcessCommand::new(&program.path);
    command
        .args(qemu::command_line(
            program,
            spec,
            accelerator,
            tsc_khz,
            disk,
            channels,
        ))
        .current_dir(directory.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(std::os::fd::OwnedFd::from(messages_vmm)));
    let inherited = [channels.agent, channels.console];
    let vmm = VmmProcess::spawn(command, &inherited, directory.vmm_lock()).map_err(failed)?;

    let in_directory = |name: &str| directory.path().join(name);
    Ok(Machine {
        guest: Guest::connect(agent).map_err(failed)?,
        vmm,
        console: Console::start(console, &in_directory("console.log")).map_err(failed)?,
        vmm_messages: Console::start(messages, &in_directory("vmm.log")).map_err(failed)?,
        accelerator,
        directory,
        phases: Vec::new(),
    })
}

/// Has the agent set the machine up. Everything is sent at once: the agent reads it when it is
/// there, without another round trip.
async fn greet(
    guest: &mut Guest,
    id: &VmId,
    clock: &mut PhaseClock,
    waited_for: &mut &'static str,
) -> Result<(), Failure> {
    guest
        .send(&HostMessage::Hello {
            generation: GENERATION,
        })
        .await?;
    guest
        .send(&HostMessage::Prepare {
            disk: Disk::Private,
        })
        .await?;
    guest.send(&adoption(id)).await?;
    match guest.receive().await? {
        GuestMessage::Hello {
            generation: GENERATION,
            ..
        } => clock.end("kernel_and_agent"),
        other => return Err(unexpected(&other)),
    }
    *waited_for = "its root file system";
    match guest.receive().await? {
        GuestMessage::Prepared => clock.end("root_file_system"),
        other => return Err(unexpected(&other)),
    }
    *waited_for = "its identity";
    match guest.receive().await? {
        GuestMessage::Adopted => clock.end("identity"),
        other => return Err(unexpected(&other)),
    }
    Ok(())
}

fn unexpected(message: &GuestMessage) -> Failure {
    Failure::Protocol(format!("unexpected message {message:?}"))
}

/// What makes a machine its own: entropy, clock, name.
fn adoption(id: &VmId) -> HostMessage {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    HostMessage::Adopt {
        entropy_hex: random_hex(64),
        unix_time_ns: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
        hostname: format!("pyro-{id}"),
        machine_id: random_hex(16),
    }
}

fn store_error(error: pyro_store::Error) -> Error {
    if error.is_no_space() {
        Error::NoSpace {
            path: error.path().to_owned(),
        }
    } else {
        Error::Store(error)
    }
}

/// Measures the steps of a launch.
struct PhaseClock {
    last: Instant,
    phases: Vec<Phase>,
}

impl PhaseClock {
    fn start() -> Self {
        Self {
            last: Instant::now(),
            phases: Vec::new(),
        }
    }

    fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.phases.push(Phase {
            name,
            duration: now - self.last,
        });
        self.last = now;
    }
}
