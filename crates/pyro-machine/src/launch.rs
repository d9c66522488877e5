//! *Launching* turns a specification into a machine whose guest answers and is its own: restored
//! from a template where there is one, booted where there is none.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use pyro_store::{MachineDirectory, Slot, Slots, Swept, VmId, sweep};

use crate::accelerator::{Accelerator, AcceleratorChoice, KvmDevice, Verdict, judge};
use crate::machine::{Machine, MachineSpec, PhaseClock, Platform};
use crate::owned::OwnedMachine;
use crate::parked::Lot;
use crate::qemu::Memory;
use crate::template::{self, Found, Maker, Template, Templates};
use crate::{Error, HostFacts, disk, qemu};

/// How long the first guest under KVM may take to boot before KVM is judged not to work: a
/// working one needs well under a second.
const KVM_PROOF_LIMIT: Duration = Duration::from_secs(15);

/// How long a parked machine may take to become its new user's.
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(5);

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

/// How a machine may come to life.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Start {
    /// From a template, which is made if there is none.
    #[default]
    Restore,
    /// By booting, sharing no memory with any other machine.
    Boot,
}

/// Where machines live and how they are started on this host.
#[derive(Clone, Debug)]
pub struct Machines {
    /// Directory for everything machines need at run time; private to the user.
    pub base_dir: PathBuf,
    /// Directory for templates, which can be made again. Where it cannot be written, machines
    /// are booted.
    pub template_dir: PathBuf,
    /// Where programs are searched, as in `PATH`.
    pub search_path: OsString,
    /// What should run the guests.
    pub accelerator: AcceleratorChoice,
    /// How long a guest may take to boot.
    pub boot_limit: Duration,
    /// How many machines may be active at a time; who comes later waits in line.
    pub active_limit: usize,
}

impl Machines {
    /// Removes what machines without an owner have left.
    pub fn sweep(&self) -> Swept {
        self.templates().sweep();
        sweep(&self.directory())
    }

    /// Removes the templates that no machine can be restored from any more, and returns their
    /// names, sorted.
    pub fn prune_templates(&self) -> Vec<String> {
        self.templates().prune(&HostFacts::load(&self.facts_path()))
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
        start: Start,
        listener: Listener<'_>,
    ) -> Result<Machine, Error> {
        let slot = self.slot(listener).await?;
        let mut machine = self.start(spec, start, listener).await?;
        machine.hold(slot);
        Ok(machine)
    }

    /// Takes a place among the active machines.
    async fn slot(&self, listener: Listener<'_>) -> Result<Slot, Error> {
        let slots = Slots::new(self.base_dir.join("slots"), self.active_limit);
        if let Some(slot) = slots.try_take()? {
            return Ok(slot);
        }
        listener(LaunchEvent::Notice(format!(
            "{} machines are active; waiting for one of them to end",
            self.active_limit
        )));
        let taken = tokio::task::spawn_blocking(move || slots.take()).await;
        Ok(taken.expect("taking a slot does not panic, and nobody aborts it")?)
    }

    async fn start(
        &self,
        spec: &MachineSpec,
        start: Start,
        listener: Listener<'_>,
    ) -> Result<Machine, Error> {
        let facts_path = self.facts_path();
        let mut facts = HostFacts::load(&facts_path);
        let program = facts.qemu(&self.search_path, &facts_path)?;
        let judgement = judge(self.accelerator, KvmDevice::detect(), facts.kvm.as_ref())?;
        let mut platform = Platform {
            program,
            accelerator: judgement.accelerator,
            tsc_khz: facts.tsc_khz,
        };
        if judgement.proved {
            if start == Start::Restore
                && let Some(machine) = self.restore(&platform, spec, &facts, listener).await?
            {
                return Ok(machine);
            }
            return self.boot(&platform, spec, self.boot_limit, listener).await;
        }
        let limit = self.boot_limit.min(KVM_PROOF_LIMIT);
        match self.boot(&platform, spec, limit, listener).await {
            Ok(machine) => {
                facts.remember_kvm(Verdict::Works, &facts_path);
                Ok(machine)
            }
            Err(error) if error.is_of_the_start() => {
                listener(LaunchEvent::Notice(format!(
                    "KVM does not run a guest here ({error}); using software emulation"
                )));
                facts.remember_kvm(
                    Verdict::Fails {
                        reason: error.to_string(),
                    },
                    &facts_path,
                );
                platform.accelerator = Accelerator::Tcg;
                self.boot(&platform, spec, self.boot_limit, listener).await
            }
            Err(error) => Err(error),
        }
    }

    /// Restores a machine from its template, or takes one over that was restored ahead of time.
    /// `None` if there is no template and none can be made now: booting works without one.
    async fn restore(
        &self,
        platform: &Platform,
        spec: &MachineSpec,
        facts: &HostFacts,
        listener: Listener<'_>,
    ) -> Result<Option<Machine>, Error> {
        let Ok(key) = template::key(platform, spec, facts) else {
            return Ok(None);
        };
        if let Some(machine) = self.take_parked(&key, platform, listener).await {
            return Ok(Some(machine));
        }
        let template = match self.templates().find(&key, facts) {
            Found::Template(template) => template,
            Found::Nothing(maker) => match self.make(maker, platform, spec).await {
                Ok(template) => template,
                // What does not boot for a template does not boot without one.
                Err(error) if error.is_of_the_start() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, tails = ?error.tails(), "no template could be made");
                    return Ok(None);
                }
            },
            Found::Unavailable => return Ok(None),
        };
        match self.restore_from(&template, platform, spec, listener).await {
            Ok(machine) => Ok(Some(machine.into())),
            // What a clone cannot be made of is of no use to the next one either.
            Err(error) if error.is_of_the_start() || matches!(error, Error::Template { .. }) => {
                tracing::warn!(%error, tails = ?error.tails(), "a template does not restore");
                template.discard();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn take_parked(
        &self,
        key: &str,
        platform: &Platform,
        listener: Listener<'_>,
    ) -> Option<Machine> {
        let clock = PhaseClock::start();
        let claim = self.lot().claim(key)?;
        let id = claim.id.clone();
        let vms = self.directory();
        Machine::take_over(claim, platform.accelerator, vms, clock, TAKE_OVER_LIMIT)
            .await
            .inspect(|_| listener(LaunchEvent::Starting(&id)))
            .inspect_err(|error| tracing::warn!(error, "a parked machine is not usable"))
            .ok()
    }

    /// Keeps one machine ahead: restores it, warms it up, pauses it, and offers it for `idle` to
    /// whoever launches one of the same kind; then holds it for as long as it is used. Returns
    /// whether somebody came for it. Does nothing if there is no template, if one is parked
    /// already, or if parking another would be too much.
    ///
    /// # Errors
    /// When the machine does not come up.
    pub async fn park(&self, spec: &MachineSpec, idle: Duration) -> Result<bool, Error> {
        let facts_path = self.facts_path();
        let mut facts = HostFacts::load(&facts_path);
        let program = facts.qemu(&self.search_path, &facts_path)?;
        let judgement = judge(self.accelerator, KvmDevice::detect(), facts.kvm.as_ref())?;
        let platform = Platform {
            program,
            accelerator: judgement.accelerator,
            tsc_khz: facts.tsc_khz,
        };
        let unusable = |path: PathBuf| {
            move |error: std::io::Error| Error::Template {
                path,
                detail: error.to_string(),
            }
        };
        let base = || self.base_dir.clone();
        let key = template::key(&platform, spec, &facts).map_err(unusable(base()))?;
        let Found::Template(template) = self.templates().find(&key, &facts) else {
            return Ok(false);
        };
        let Some(place) = self.lot().place(&key).map_err(unusable(base()))? else {
            return Ok(false);
        };
        let mut machine = self
            .restore_from(&template, &platform, spec, &|_| {})
            .await?;
        // What is translated once is not translated again: commands, and the way to them.
        template::warm_up(&mut machine).await?;
        machine.renew(self.boot_limit).await?;
        template::warm_up(&mut machine).await?;
        machine.pause().await.map_err(|detail| Error::Template {
            path: base(),
            detail,
        })?;
        machine.offer(place, idle).await.map_err(unusable(base()))
    }

    /// How many machines are parked.
    pub fn parked(&self) -> usize {
        self.lot().count()
    }

    async fn restore_from(
        &self,
        template: &Template,
        platform: &Platform,
        spec: &MachineSpec,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        let mut clock = PhaseClock::start();
        let state = template.state()?;
        let directory = self.new_directory(listener)?;
        let disk = OwnedMachine::disk(&directory);
        disk::copy(&template.disk(), &disk)?;
        clock.end("disk");
        let memory = template.memory();
        let memory = Memory::Copied(&memory);
        let mut machine =
            OwnedMachine::spawn(platform, spec, memory, &disk, directory, clock).await?;
        machine.restore(&state, self.boot_limit).await?;
        Ok(machine)
    }

    /// Boots a machine, warms it up, and keeps its memory and devices as a template.
    async fn make(
        &self,
        maker: Maker,
        platform: &Platform,
        spec: &MachineSpec,
    ) -> Result<Template, Error> {
        let directory = self.new_directory(&|_| {})?;
        let disk = maker.disk();
        disk::create(&disk, &self.base_dir)?;
        let memory = maker.memory();
        let kept = Memory::Kept(&memory);
        let clock = PhaseClock::start();
        let mut machine =
            OwnedMachine::spawn(platform, spec, kept, &disk, directory, clock).await?;
        machine.set_up(self.boot_limit).await?;
        maker.finish(machine, self.boot_limit).await
    }

    async fn boot(
        &self,
        platform: &Platform,
        spec: &MachineSpec,
        limit: Duration,
        listener: Listener<'_>,
    ) -> Result<Machine, Error> {
        let mut clock = PhaseClock::start();
        let directory = self.new_directory(listener)?;
        let disk = OwnedMachine::disk(&directory);
        disk::create(&disk, &self.base_dir)?;
        clock.end("disk");
        let memory = Memory::Anonymous;
        let mut machine =
            OwnedMachine::spawn(platform, spec, memory, &disk, directory, clock).await?;
        machine.set_up(limit).await?;
        Ok(machine.into())
    }

    fn new_directory(&self, listener: Listener<'_>) -> Result<MachineDirectory, Error> {
        let directory = MachineDirectory::create(&self.directory())?;
        listener(LaunchEvent::Starting(directory.id()));
        Ok(directory)
    }

    fn lot(&self) -> Lot {
        Lot::new(self.base_dir.join("parked"))
    }

    fn templates(&self) -> Templates {
        Templates::new(self.template_dir.clone())
    }

    fn directory(&self) -> PathBuf {
        self.base_dir.join("vms")
    }

    fn facts_path(&self) -> PathBuf {
        self.base_dir.join("host.json")
    }
}
