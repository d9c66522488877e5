//! *Machines* starts machines: it knows their directories and the settings for their start.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use pyro_store::{MachineDirectory, Swept, VmId, sweep};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::accelerator::{Accelerator, AcceleratorChoice, KvmDevice, Verdict, judge, now};
use crate::cell::Piece;
use crate::host_facts::HostFacts;
use crate::network::{self, Access, AllowList};
use crate::parked_pool::ParkedPool;
use crate::platform::Platform;
use crate::spec::MachineSpec;
use crate::template::{self, Templates};
use crate::vmm::qemu;

/// The default limit for a guest's boot, not counting the time in which its VMM waits for a
/// processor.
pub const DEFAULT_BOOT_LIMIT: Duration = Duration::from_secs(60);

/// An event of a launch.
#[derive(Clone, Debug)]
pub enum LaunchEvent<'a> {
    /// The machine with this id is about to start.
    Starting(&'a VmId),
    /// Something the user should know.
    Notice(String),
}

/// Receives the events of a launch.
pub(crate) type Listener<'a> = &'a (dyn Fn(LaunchEvent<'_>) + Send + Sync);

/// How a machine may be started.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum Start {
    /// From a template, which is made if there is none.
    #[default]
    Restore,
    /// By booting, sharing no memory with any other machine.
    Boot,
}

/// The directories of machines, and the settings for their start on this host.
#[derive(Clone, Debug)]
pub struct Machines {
    /// Directory for everything that machines need at run time; private to the user.
    pub base_dir: PathBuf,
    /// Directory for templates, which can be made again. If it cannot be written, machines are
    /// booted.
    pub template_dir: PathBuf,
    /// Where programs are searched, as in `PATH`.
    pub search_path: OsString,
    /// The choice of the accelerator.
    pub accelerator: AcceleratorChoice,
    /// How long a guest may take to boot.
    pub boot_limit: Duration,
    /// How many machines may be active at a time; further ones wait in line.
    pub active_limit: usize,
    /// The addresses outside the Internet that machines with a network may reach.
    pub network_allow: AllowList,
    /// Pieces of the VMM's cell without which no machine runs. The others are in force if the host
    /// supports them.
    pub required_isolation: Vec<Piece>,
}

impl Machines {
    /// Removes what machines without an owner have left.
    pub fn sweep(&self) -> Swept {
        template::sweep(&self.template_dir);
        sweep(&self.directory())
    }

    /// Removes the templates from which no machine can be restored any more, and returns their
    /// names, sorted.
    pub fn prune_templates(&self) -> Vec<String> {
        let boot_id = HostFacts::load(&self.facts_path()).boot_id().to_owned();
        Templates::new(self.template_dir.clone(), boot_id).prune()
    }

    /// Returns which accelerator the next machine will use and why.
    ///
    /// # Errors
    /// When the requested accelerator is not available.
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

    /// Makes the next guest try KVM, whatever the earlier results.
    pub fn test_kvm_again(&self) {
        let path = self.facts_path();
        HostFacts::load(&path).remember_kvm(None, &path);
    }

    /// Finds QEMU and checks its version.
    ///
    /// # Errors
    /// When there is none, or it is too old.
    pub fn qemu(&self) -> Result<qemu::Program, Error> {
        let path = self.facts_path();
        HostFacts::load(&path).qemu(&self.search_path, &path)
    }

    /// Finds the program that machines with a network need, and checks that the host has a
    /// network for them.
    ///
    /// # Errors
    /// When the program is missing, or the host has no route to the Internet.
    pub fn check_network(&self) -> Result<PathBuf, Error> {
        network::check(&self.search_path)
    }

    /// Returns what the machine's network needs, if it is to have one.
    pub(crate) fn access_for(&self, spec: &MachineSpec) -> Result<Option<Access>, Error> {
        let access = || Access::new(&self.search_path, self.network_allow.clone());
        spec.network.then(access).transpose()
    }

    /// The directory on the host of the machine with this id, except for files that an instance
    /// keeps.
    pub fn directory_of(&self, id: &VmId) -> PathBuf {
        self.directory().join(id.as_str())
    }

    /// Determines the platform for guests on this host, and whether it is proved to work. The first
    /// call after a boot measures the processor's counter, and the first one with a new QEMU asks it
    /// for its version; both take a while, so they run on another thread.
    pub(crate) async fn platform(&self) -> Result<(Platform, bool), Error> {
        if HostFacts::are_known(&self.facts_path(), &self.search_path) {
            return self.platform_from_facts();
        }
        let machines = self.clone();
        let determined = tokio::task::spawn_blocking(move || machines.platform_from_facts()).await;
        determined.expect("this does not panic, and is not aborted")
    }

    fn platform_from_facts(&self) -> Result<(Platform, bool), Error> {
        let path = self.facts_path();
        let mut facts = HostFacts::load(&path);
        let program = facts.qemu(&self.search_path, &path)?;
        // Every start comes here, so a device that a guest has proved is not queried again.
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

    /// Remembers what a start under KVM has shown. A guest that answers is the proof, whatever it
    /// answers. A timeout, or a killed VMM, shows little: the host may have been busy. So it counts
    /// for a while only, and not at all with a limit shorter than the default.
    pub(crate) fn learn<T>(&self, platform: &Platform, started: &Result<T, Error>) {
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

    /// How many machines are parked.
    pub fn parked(&self) -> usize {
        self.parked_pool().count()
    }

    pub(crate) fn parked_pool(&self) -> ParkedPool {
        ParkedPool::new(self.base_dir.join("parked"))
    }

    /// Makes a directory beside those of machines, for files of one of them. It is removed when it is
    /// dropped, or swept like a machine's.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn directory_for_files(&self) -> Result<MachineDirectory, Error> {
        Ok(MachineDirectory::create(&self.directory())?)
    }

    pub(crate) fn new_directory(&self, listener: Listener<'_>) -> Result<MachineDirectory, Error> {
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

/// The lines of `/proc/cpuinfo` that distinguish one processor from another.
fn processor() -> String {
    let told = ["vendor_id", "cpu family", "model", "stepping", "flags"];
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = text.split("\n\n").next().unwrap_or_default();
    let lines = first
        .lines()
        .filter(|line| told.iter().any(|name| line.starts_with(name)));
    lines.collect::<Vec<_>>().join("\n")
}
