//! *Launching* turns a specification into a machine whose guest answers and is its own: restored
//! from a template where there is one, booted where there is none.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyro_store::{MachineDirectory, Slot, Slots, Swept, VmId, sweep};
use serde::{Deserialize, Serialize};

use crate::accelerator::{Accelerator, AcceleratorChoice, KvmDevice, Verdict, judge, now};
use crate::cell::Piece;
use crate::files::Files;
use crate::limits::check_file_size;
use crate::machine::Machine;
use crate::network::AllowList;
use crate::owned::OwnedMachine;
use crate::qemu::{Disks, Memory};
use crate::spec::{MachineSpec, PhaseClock, Platform};
use crate::template::{self, Template, TemplateBuilder, TemplateKind, TemplateLookup, Templates};
use crate::{Error, HostFacts, disk, qemu};

/// How often a guest is booted whose clocks are wrong. With a quarter of a processor four in ten are.
const CLOCK_ATTEMPTS: u32 = 16;

/// How long to wait before looking again whether a template is there, or a turn to boot.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How long a guest may take to boot if the user says nothing, not counting the time in which its
/// VMM waits for a processor.
pub const DEFAULT_BOOT_LIMIT: Duration = Duration::from_secs(60);

fn booted_again(wrong: &Error, attempt: u32) -> LaunchEvent<'static> {
    LaunchEvent::Notice(format!(
        "{wrong}, as happens on a busy host; it is booted again ({attempt} of {CLOCK_ATTEMPTS})"
    ))
}

/// The lines of `/proc/cpuinfo` that tell one processor from another.
fn processor() -> String {
    let told = ["vendor_id", "cpu family", "model", "stepping", "flags"];
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = text.split("\n\n").next().unwrap_or_default();
    let lines = first
        .lines()
        .filter(|line| told.iter().any(|name| line.starts_with(name)));
    lines.collect::<Vec<_>>().join("\n")
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
pub(crate) type Listener<'a> = &'a (dyn Fn(LaunchEvent<'_>) + Send + Sync);

/// How a machine may come to life.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
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
    /// What machines with a network may reach besides the Internet.
    pub network_allow: AllowList,
    /// Pieces of the VMM's cell without which no machine runs. The others are in force where the
    /// host has them.
    pub required_isolation: Vec<Piece>,
}

impl Machines {
    /// Removes what machines without an owner have left.
    pub fn sweep(&self) -> Swept {
        template::sweep(&self.template_dir);
        sweep(&self.directory())
    }

    /// Removes the templates that no machine can be restored from any more, and returns their
    /// names, sorted.
    pub fn prune_templates(&self) -> Vec<String> {
        let boot_id = HostFacts::load(&self.facts_path()).boot_id().to_owned();
        Templates::new(self.template_dir.clone(), boot_id).prune()
    }

    /// Says which accelerator the next machine will use and why.
    ///
    /// # Errors
    /// When the accelerator that was asked for cannot be had.
    pub fn judge_accelerator(&self) -> Result<(Accelerator, String), Error> {
        let facts = HostFacts::load(&self.facts_path());
        let judgement = judge(
            self.accelerator,
            &KvmDevice::detect(),
            facts.kvm.as_ref(),
            now(),
        )?;
        Ok((judgement.accelerator, judgement.reason))
    }

    /// Has the next guest try KVM, whatever came of it before.
    pub fn try_kvm_anew(&self) {
        let path = self.facts_path();
        HostFacts::load(&path).remember_kvm(None, &path);
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
        // Who asked for a network is not given a machine without one.
        self.access_for(spec)?;
        let slot = self.slot(listener).await?;
        let mut machine = match self.take_parked(spec, start, listener).await {
            Some(machine) => machine,
            None => self.start(spec, start, Files::Own, listener).await?.into(),
        };
        machine.connected().await?;
        machine.hold(slot);
        Ok(machine)
    }

    /// Makes the templates for machines of this kind, for new ones and for those that have their
    /// disks, unless they are there, or somebody is at it.
    ///
    /// # Errors
    /// When it cannot be made; machines are then booted.
    pub async fn prepare(&self, spec: &MachineSpec) -> Result<(), Error> {
        let (platform, proved) = self.platform()?;
        let prepared = self.prepare_on(&platform, spec).await;
        self.learn(&platform, &prepared);
        match prepared {
            Err(error) if !proved && error.is_of_the_accelerator() => {
                self.prepare_on(&platform.emulated(), spec).await
            }
            prepared => prepared,
        }
    }

    async fn prepare_on(&self, platform: &Platform, spec: &MachineSpec) -> Result<(), Error> {
        for stage in [TemplateKind::Assembled, TemplateKind::Bare] {
            let key = template::key(platform, spec, stage)?;
            if let TemplateLookup::Missing(builder) = self.templates(platform).find(&key) {
                let made = self.make(builder, platform, spec, stage, &|_| {}).await;
                made.map_err(|error| platform.blame(error))?;
            }
        }
        Ok(())
    }

    /// Finds out what guests run on here, and whether that is proved to work.
    pub(crate) fn platform(&self) -> Result<(Platform, bool), Error> {
        let path = self.facts_path();
        let mut facts = HostFacts::load(&path);
        let program = facts.qemu(&self.search_path, &path)?;
        // On the way of every machine: what a guest has proved the device need not say.
        let device = match facts.kvm {
            Some(Verdict::Works) => KvmDevice::look(),
            _ => KvmDevice::detect(),
        };
        let judgement = judge(self.accelerator, &device, facts.kvm.as_ref(), now())?;
        let platform = Platform {
            processor: match judgement.accelerator {
                Accelerator::Kvm => processor(),
                Accelerator::Tcg => String::new(),
            },
            program,
            accelerator: judgement.accelerator,
            tsc_khz: facts.tsc_khz,
            boot_id: facts.boot_id().to_owned(),
            base_dir: self.base_dir.clone(),
            required: self.required_isolation.clone(),
        };
        Ok((platform, judgement.proved))
    }

    /// Starts a machine of this process.
    pub(crate) async fn start(
        &self,
        spec: &MachineSpec,
        start: Start,
        files: Files<'_>,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        check_file_size(spec)?;
        let (platform, _) = self.platform()?;
        let started = self.start_on(&platform, spec, start, files, listener).await;
        self.learn(&platform, &started);
        match started {
            Err(error)
                if platform.accelerator == Accelerator::Kvm
                    && self.accelerator == AcceleratorChoice::Auto
                    && error.is_of_the_accelerator() =>
            {
                listener(LaunchEvent::Notice(format!(
                    "KVM does not run a guest here ({error}); using software emulation"
                )));
                self.start_on(&platform.emulated(), spec, start, files, listener)
                    .await
            }
            started => started,
        }
    }

    async fn start_on(
        &self,
        platform: &Platform,
        spec: &MachineSpec,
        start: Start,
        files: Files<'_>,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        if start == Start::Restore
            && let Some(machine) = self.restore(platform, spec, files, listener).await?
        {
            return Ok(machine);
        }
        let booted = self.boot(platform, spec, files, listener).await;
        booted.map_err(|error| platform.blame(error))
    }

    /// Waits for a turn to boot; there is one for each processor. A kernel that boots and has to
    /// share a processor gets its timers wrong: of fifty that boot at once on two processors, most
    /// would boot in vain.
    async fn turn(&self) -> Result<Slot, Error> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let turns = Slots::new(self.base_dir.join("boots"), processors);
        loop {
            if let Some(turn) = turns.try_take()? {
                return Ok(turn);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Remembers what a start under KVM has shown. A guest that answers is the proof, whatever it
    /// says. That none answered in time, or that its VMM was killed, shows little: the host may have
    /// been busy. So it counts for a while only, and not at all with a limit shorter than usual.
    fn learn<T>(&self, platform: &Platform, started: &Result<T, Error>) {
        if platform.accelerator != Accelerator::Kvm {
            return;
        }
        let path = self.facts_path();
        let mut facts = HostFacts::load(&path);
        let verdict = match started {
            Ok(_) => Verdict::Works,
            Err(error) if error.guest_has_answered() => Verdict::Works,
            Err(Error::BootTimedOut { .. }) if self.boot_limit < DEFAULT_BOOT_LIMIT => return,
            Err(error) if error.is_of_the_start() => {
                Verdict::failed(facts.kvm.as_ref(), error.to_string(), now())
            }
            Err(_) => return,
        };
        facts.remember_kvm(Some(verdict), &path);
    }

    /// Restores a machine from its template. `None` if there is none and none can be made now:
    /// booting works without one.
    async fn restore(
        &self,
        platform: &Platform,
        spec: &MachineSpec,
        files: Files<'_>,
        listener: Listener<'_>,
    ) -> Result<Option<OwnedMachine>, Error> {
        let mut clock = PhaseClock::start();
        let stage = files.stage();
        let key = template::key(platform, spec, stage)?;
        let template = match self.find_or_wait(platform, &key, listener).await {
            TemplateLookup::Template(template) => template,
            TemplateLookup::Missing(builder) => {
                match self
                    .make_for(builder, platform, spec, stage, listener)
                    .await
                {
                    Ok(template) => {
                        clock.end("template");
                        template
                    }
                    // What is too slow, or wrong in the guest, is so without a template too. A VMM
                    // that died may have died of a disk that its memory did not fit on.
                    Err(
                        error @ (Error::BootTimedOut { .. }
                        | Error::GuestSetup { .. }
                        | Error::GuestClocks { .. }),
                    ) => {
                        return Err(error);
                    }
                    Err(error) => {
                        tracing::warn!(%error, tails = ?error.tails(), "no template could be made");
                        return Ok(None);
                    }
                }
            }
            TemplateLookup::Busy | TemplateLookup::Unavailable => return Ok(None),
        };
        let restored = self
            .restore_from(&template, platform, spec, files, clock, listener)
            .await;
        match restored.map_err(|error| platform.blame(error)) {
            Ok(machine) => {
                template.was_restored();
                Ok(Some(machine))
            }
            // A busy host is no fault of the template. One that hangs does so again.
            Err(error @ Error::BootTimedOut { .. }) if !template.timed_out_before() => {
                tracing::warn!(%error, tails = ?error.tails(), "a clone did not answer in time");
                Ok(None)
            }
            // What a clone cannot be made of is of no use to the next one either.
            Err(error) if error.is_of_the_start() || matches!(error, Error::Template { .. }) => {
                tracing::warn!(%error, tails = ?error.tails(), "a template does not restore");
                template.discard();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Finds a template, or waits for whoever makes it: a guest that boots beside it would take the
    /// processor from it, and have less of one itself.
    async fn find_or_wait(
        &self,
        platform: &Platform,
        key: &str,
        listener: Listener<'_>,
    ) -> TemplateLookup {
        let begun = Instant::now();
        let mut told = false;
        loop {
            let found = self.templates(platform).find(key);
            // Whoever makes it may have been stopped.
            if !matches!(found, TemplateLookup::Busy) || begun.elapsed() > self.boot_limit {
                return found;
            }
            if !told {
                told = true;
                listener(LaunchEvent::Notice(
                    "waiting for the template that another run makes".into(),
                ));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(crate) async fn restore_from(
        &self,
        template: &Template,
        platform: &Platform,
        spec: &MachineSpec,
        files: Files<'_>,
        mut clock: PhaseClock,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        let device_state = template.state()?;
        let directory = self.new_directory(listener)?;
        let stage = files.stage();
        // A machine whose root file system is assembled goes on with the disk it was assembled on.
        let assembled = (stage == TemplateKind::Assembled).then(|| template.disk());
        let disks = files.lay_out(stage, assembled.as_deref(), &directory, &self.base_dir)?;
        clock.end("disk");
        let memory = template.memory();
        let memory = Memory::Copied(&memory);
        let access = self.access_for(spec)?;
        let access = access.as_ref();
        let mut machine = OwnedMachine::spawn(
            platform,
            spec,
            memory,
            disks.as_disks(),
            access,
            directory,
            clock,
        )?;
        machine.be_called(files.name());
        let seed = (stage == TemplateKind::Bare).then_some(files.has_seed());
        machine
            .restore(&device_state, seed, self.boot_limit)
            .await?;
        Ok(machine)
    }

    /// Makes a template while somebody waits for a machine.
    async fn make_for(
        &self,
        builder: TemplateBuilder,
        platform: &Platform,
        spec: &MachineSpec,
        stage: TemplateKind,
        listener: Listener<'_>,
    ) -> Result<Template, Error> {
        listener(LaunchEvent::Notice(
            "the first machine of its kind since the host booted: a template of it is made, from \
             which the others are restored"
                .into(),
        ));
        self.make(builder, platform, spec, stage, listener).await
    }

    /// Makes a template, from a guest whose clocks are right.
    async fn make(
        &self,
        mut builder: TemplateBuilder,
        platform: &Platform,
        spec: &MachineSpec,
        stage: TemplateKind,
        listener: Listener<'_>,
    ) -> Result<Template, Error> {
        let key = template::key(platform, spec, stage)?;
        let mut attempt = 1;
        loop {
            let wrong = match self.make_once(builder, platform, spec, stage).await {
                Err(error @ Error::GuestClocks { .. }) if attempt < CLOCK_ATTEMPTS => error,
                made => return made,
            };
            attempt += 1;
            listener(booted_again(&wrong, attempt));
            builder = match self.templates(platform).find(&key) {
                TemplateLookup::Missing(builder) => builder,
                TemplateLookup::Template(template) => return Ok(template),
                TemplateLookup::Busy | TemplateLookup::Unavailable => return Err(wrong),
            };
        }
    }

    /// Boots a machine as far as `stage`, and keeps its memory and devices as a template.
    async fn make_once(
        &self,
        builder: TemplateBuilder,
        platform: &Platform,
        spec: &MachineSpec,
        stage: TemplateKind,
    ) -> Result<Template, Error> {
        let turn = self.turn().await?;
        let directory = self.new_directory(&|_| {})?;
        let disk = builder.disk();
        disk::create(&disk, &self.base_dir, directory.path())?;
        let seed = match stage {
            TemplateKind::Assembled => None,
            TemplateKind::Bare => Some(disk::no_seed(directory.path())?),
        };
        let disks = Disks {
            private: &disk,
            seed: seed.as_deref(),
        };
        let memory = builder.memory()?;
        let kept = Memory::Kept(&memory);
        let clock = PhaseClock::start();
        let mut machine = OwnedMachine::spawn(platform, spec, kept, disks, None, directory, clock)?;
        match stage {
            TemplateKind::Assembled => {
                machine.set_up(false, self.boot_limit).await?;
                template::warm_up(&mut machine)
                    .await
                    .map_err(|error| Error::Template {
                        path: self.template_dir.clone(),
                        detail: error.to_string(),
                    })?;
                machine.warm_up().await;
                machine.prestart(self.boot_limit).await?;
            }
            TemplateKind::Bare => machine.await_agent(self.boot_limit).await?,
        }
        drop(turn);
        tokio::time::sleep(template::SETTLE).await;
        if stage == TemplateKind::Assembled {
            // What a clone does first is then done shortly before: its files are in the memory, and
            // about to be written already. And the kernel does not reseed itself in the clone, which
            // would hide it if the agent did not.
            machine.renew(self.boot_limit).await?;
        }
        builder.finish(machine, self.boot_limit).await
    }

    /// Boots a machine, and again if its clocks are wrong.
    async fn boot(
        &self,
        platform: &Platform,
        spec: &MachineSpec,
        files: Files<'_>,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        let mut attempt = 1;
        loop {
            let booted = self.boot_once(platform, spec, files, listener);
            match booted.await {
                Err(wrong @ Error::GuestClocks { .. }) if attempt < CLOCK_ATTEMPTS => {
                    attempt += 1;
                    listener(booted_again(&wrong, attempt));
                }
                booted => return booted,
            }
        }
    }

    async fn boot_once(
        &self,
        platform: &Platform,
        spec: &MachineSpec,
        files: Files<'_>,
        listener: Listener<'_>,
    ) -> Result<OwnedMachine, Error> {
        let mut clock = PhaseClock::start();
        let _turn = self.turn().await?;
        clock.end("turn");
        let directory = self.new_directory(listener)?;
        let stage = files.stage();
        let disks = files.lay_out(stage, None, &directory, &self.base_dir)?;
        clock.end("disk");
        let memory = Memory::Anonymous;
        let access = self.access_for(spec)?;
        let access = access.as_ref();
        let mut machine = OwnedMachine::spawn(
            platform,
            spec,
            memory,
            disks.as_disks(),
            access,
            directory,
            clock,
        )?;
        machine.be_called(files.name());
        machine.set_up(files.has_seed(), self.boot_limit).await?;
        Ok(machine)
    }

    fn new_directory(&self, listener: Listener<'_>) -> Result<MachineDirectory, Error> {
        let directory = MachineDirectory::create(&self.directory())?;
        listener(LaunchEvent::Starting(directory.id()));
        Ok(directory)
    }

    pub(crate) fn templates(&self, platform: &Platform) -> Templates {
        Templates::new(self.template_dir.clone(), platform.boot_id.clone())
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.base_dir.join("vms")
    }

    fn facts_path(&self) -> PathBuf {
        self.base_dir.join("host.json")
    }
}
