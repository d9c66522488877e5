//! A *cell* is the confinement of a machine's process: the files, system calls and resources of the
//! host that it may use. A guest that breaks out into the VMM is still inside the cell.
//!
//! The cell is created before the process and entered between fork and exec; it needs no privilege.

mod files;
mod filter;
mod namespaces;
mod piece;
mod progress;
mod report;
mod trial;
mod weakened;

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

use files::{Access, Rules};
use filter::Filter;
use namespaces::{Namespaces, Reached};
pub use piece::Piece;
pub(crate) use progress::Progress;
use progress::Step;
pub use report::{Isolation, PieceReport};
pub use trial::examine;

use crate::image::PRIVATE_DISK_MIB;
use crate::spec::MachineSpec;
use crate::vmm::{Disks, Memory};

const MIB: u64 = 1024 * 1024;

/// Address space of a VMM besides its guest's memory: the program, its libraries, its translations
/// of the guest's code.
const VMM_MIB: u64 = 2048;
/// The address space that the C library reserves for the allocations of each thread.
const THREAD_MIB: u64 = 192;
/// How much larger a file of the VMM may be than the largest file that it is given.
const SLACK_MIB: u64 = 16;
const VMM_DESCRIPTORS: u64 = 256;
const PASST_DESCRIPTORS: u64 = 1024;
/// passt writes a log, and nothing else.
const PASST_FILE_MIB: u64 = 16;

/// What passt needs when root starts it, until it is nobody in its own namespaces.
const PASST_CAPABILITIES: CapabilitySet = CapabilitySet::SETUID
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SYS_ADMIN)
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::DAC_OVERRIDE);

/// The kernel kills these processes before others when memory is short.
const OOM_SCORE: &[u8] = b"500";
/// The host's other programs take precedence.
const NICENESS: i32 = 5;

/// The directories of programs, their libraries and their data, on any distribution.
const SYSTEM: [&str; 9] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
];

/// The cell of a process that is to be started.
#[derive(Debug)]
pub(crate) struct Cell {
    rules: Rules,
    filter: Filter,
    namespaces: Option<Namespaces>,
    limits: Vec<(Resource, u64)>,
    capabilities: CapabilitySet,
    progress: Progress,
    parent: Option<Pid>,
}

impl Cell {
    /// The cell of the VMM `program` for this machine. Files that the VMM writes must exist.
    pub(crate) fn vmm(
        program: &Path,
        spec: &MachineSpec,
        memory: Memory<'_>,
        disks: Disks<'_>,
        preloaded: Option<&Path>,
    ) -> io::Result<Self> {
        let mut files = of_program(program);
        let mut add = |path: &Path, access| files.push((path.to_owned(), access));
        for path in ["/etc/ld.so.cache", "/etc/alternatives"] {
            add(Path::new(path), Access::Read);
        }
        add(Path::new("/dev/null"), Access::Device);
        add(Path::new("/dev/kvm"), Access::Device);
        for path in [&spec.kernel, &spec.initramfs, &spec.rootfs] {
            add(path, Access::Read);
        }
        if let Some(path) = disks.seed {
            add(path, Access::Read);
        }
        if let Some(path) = preloaded {
            // Code can be mapped only from files that may be executed.
            add(path, Access::Run);
        }
        add(disks.private, Access::Write);
        let mut disk_mib = PRIVATE_DISK_MIB;
        if let Some(path) = disks.snapshot {
            add(path, Access::Write);
        }
        if let Some(path) = disks.output {
            add(path, Access::Write);
            disk_mib = disk_mib.max(path.metadata()?.len().div_ceil(MIB));
        }
        match memory {
            Memory::Anonymous => {}
            Memory::Kept(file) => add(file, Access::Write),
            Memory::Copied(file) => add(file, Access::Read),
        }
        let guest_mib = u64::from(spec.mem_mib);
        let threads = u64::from(spec.vcpu_count);
        let file_mib = guest_mib.max(disk_mib) + SLACK_MIB;
        Self::new(
            Rules::only(&files, files::abi())?,
            Filter::vmm(),
            Namespaces::with(&files),
            vec![
                (
                    Resource::As,
                    (guest_mib + VMM_MIB + THREAD_MIB * threads) * MIB,
                ),
                (Resource::Fsize, file_mib * MIB),
                (Resource::Nofile, VMM_DESCRIPTORS),
            ],
            CapabilitySet::empty(),
        )
    }

    /// The cell of passt, which has a sandbox of its own: it must be able to create namespaces and
    /// sockets.
    pub(crate) fn passt() -> io::Result<Self> {
        Self::new(
            Rules::no_listening(files::abi())?,
            Filter::without_the_unneeded(),
            None,
            vec![
                (Resource::Fsize, PASST_FILE_MIB * MIB),
                (Resource::Nofile, PASST_DESCRIPTORS),
            ],
            PASST_CAPABILITIES,
        )
    }

    /// The cell of a process of pyro that holds a machine. It starts a VMM, and passt if there is a
    /// `network`. Both create namespaces, so there can be no rules for files, and as root the
    /// process keeps the capabilities for that.
    fn keeper(network: bool) -> io::Result<Self> {
        Self::new(
            Rules::no_listening(files::abi())?,
            Filter::without_the_unneeded(),
            None,
            Vec::new(),
            if network {
                PASST_CAPABILITIES
            } else {
                CapabilitySet::SYS_ADMIN
            },
        )
    }

    fn new(
        rules: Rules,
        filter: Filter,
        namespaces: Option<Namespaces>,
        limits: Vec<(Resource, u64)>,
        capabilities: CapabilitySet,
    ) -> io::Result<Self> {
        Ok(Self {
            rules,
            filter,
            namespaces: namespaces.filter(|_| !weakened::no_namespaces()),
            limits,
            capabilities,
            progress: Progress::new()?,
            parent: Some(getpid()),
        })
    }

    /// The isolation as far as it is known before the process exists.
    pub(crate) fn isolation(&self) -> Isolation {
        Isolation::new(self.rules.is_in_force(), Reached::Nothing)
    }

    /// A second handle to the progress of the process.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Confines the calling process, for good. Called between fork and exec, so it makes system
    /// calls only. The process dies with the thread that started it.
    pub(crate) fn enter(&mut self) -> io::Result<()> {
        if weakened::none() {
            set_no_new_privs(true)?;
            return self.tie_to_parent();
        }
        // While the process still has the user's rights; failures do no harm.
        let _ = put_oom_score();
        let _ = rustix::process::nice(NICENESS);
        self.progress.at(Step::Namespaces);
        if let Some(namespaces) = &self.namespaces {
            self.progress.reach(namespaces.enter()?);
        }
        self.drop_privileges()?;
        // After changes of credentials, which reset it, and before the filter, which denies it.
        self.progress.at(Step::Parent);
        self.tie_to_parent()?;
        self.close()
    }

    fn drop_privileges(&self) -> io::Result<()> {
        self.progress.at(Step::Limits);
        lower(Resource::Core, 0)?;
        for (resource, limit) in &self.limits {
            lower(*resource, *limit)?;
        }
        self.progress.at(Step::Capabilities);
        set_no_new_privs(true)?;
        self.drop_capabilities()
    }

    fn close(&mut self) -> io::Result<()> {
        self.progress.at(Step::Files);
        self.rules.apply()?;
        self.progress.at(Step::Filter);
        let own = getpid().as_raw_nonzero().get().cast_unsigned();
        self.filter.apply(own)?;
        self.progress.at(Step::Program);
        Ok(())
    }

    fn tie_to_parent(&self) -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before that call.
        if getppid() != self.parent {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(())
    }

    fn drop_capabilities(&self) -> io::Result<()> {
        let kept = rustix::thread::capabilities(None)?.permitted & self.capabilities;
        set_capabilities(
            None,
            CapabilitySets {
                effective: kept,
                permitted: kept,
                inheritable: CapabilitySet::empty(),
            },
        )?;
        Ok(())
    }
}

/// Confines the calling process, which holds one machine from now on: no capability and no system
/// call that neither it nor its children need, no listening on TCP ports, no signals to other
/// processes. Must be called before there are other threads, because it applies to one thread only.
///
/// # Errors
/// When the kernel refuses.
pub fn confine_keeper(network: bool) -> io::Result<()> {
    if weakened::none() {
        return Ok(());
    }
    let mut cell = Cell::keeper(network)?;
    cell.drop_privileges()?;
    cell.close()
}

/// The program, and the directories of its libraries and data.
fn of_program(program: &Path) -> Vec<(PathBuf, Access)> {
    let mut files: Vec<PathBuf> = SYSTEM.map(PathBuf::from).into();
    files.push(program.to_owned());
    if let Ok(real) = program.canonicalize() {
        // A program with another prefix has its files below that; other files there stay hidden.
        let prefix = real.parent().and_then(Path::parent);
        let own = prefix.filter(|prefix| prefix.join("share/qemu").is_dir());
        for part in ["lib", "lib64", "share/qemu"] {
            files.extend(own.map(|prefix| prefix.join(part)));
        }
        files.push(real);
    }
    files.into_iter().map(|path| (path, Access::Run)).collect()
}

fn put_oom_score() -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(c"/proc/self/oom_score_adj", flags, Mode::empty())?;
    rustix::io::write(&file, OOM_SCORE)?;
    Ok(())
}

/// Sets a limit unless there is a lower one.
fn lower(resource: Resource, limit: u64) -> io::Result<()> {
    let maximum = rustix::process::getrlimit(resource).maximum;
    let limit = Some(maximum.map_or(limit, |maximum| maximum.min(limit)));
    setrlimit(
        resource,
        Rlimit {
            current: limit,
            maximum: limit,
        },
    )?;
    Ok(())
}
