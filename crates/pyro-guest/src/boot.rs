//! The *boot* of the agent: from the kernel's first process to serving the host.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyro_protocol::{Clocks, Disk, PORT_NAME};
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit};
use rustix::time::ClockId;

use crate::clocks;
use crate::console;
use crate::devices;
use crate::error::Error;
use crate::identity::{self, Identity};
use crate::kernel_log;
use crate::layers::Layers;
use crate::power;
use crate::reaper;
use crate::root::{self, Root};
use crate::server::{Adoption, Age, End, Machine, serve};

/// The limit on open files of the agent, up to which commands may raise their own.
const OPEN_FILES: u64 = 524_288;

/// Runs as PID 1.
///
/// No signal has to be ignored: the kernel delivers to PID 1 only signals that have a handler, and
/// not SIGKILL.
pub fn init() -> ! {
    let started = Instant::now();
    keep_freed_memory();
    let kernel = rustix::time::clock_gettime(ClockId::Boottime);
    let mut vm = Vm {
        kernel: Duration::try_from(kernel).unwrap_or_default(),
        started,
        prestart_library: File::open("/prestart.so").ok(),
        clocks: None,
        root: None,
        identity: None,
    };
    // A panic must not end PID 1: the kernel would report only that PID 1 has ended.
    std::panic::set_hook(Box::new(|panic| {
        console::log(&panic.to_string());
        rustix::fs::sync();
        power::power_off()
    }));
    let port = match boot() {
        Ok(port) => port,
        Err(error) => {
            console::log(&error.to_string());
            power::power_off()
        }
    };
    vm.clocks = Some(clocks::read());
    match serve(port, &mut vm) {
        End::Shutdown => {}
        End::Closed => console::log("the host closed the port"),
        End::Broken(reason) => console::log(&reason),
    }
    // Its files are open for writing, which prevents a read-only remount.
    drop(vm.identity.take());
    power::shut_down(vm.root.as_ref().map(|root| &root.private))
}

/// Makes the allocator keep freed memory. Otherwise it returns everything above 128 KiB, and for
/// each large block from the port the kernel has to map and unmap memory. The allocator adapts to
/// the largest block that was freed: see `M_TRIM_THRESHOLD` in mallopt(3).
fn keep_freed_memory() {
    drop(std::hint::black_box(vec![0_u8; 1024 * 1024]));
}

fn boot() -> Result<OwnedFd, Error> {
    // These do not fail for PID 1, and the machine works without them.
    let _name = rustix::thread::set_name(c"pyro-guest");
    let _session = rustix::process::setsid();
    let _limit = rustix::process::setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(OPEN_FILES),
            maximum: Some(OPEN_FILES),
        },
    );
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    reaper::start();
    root::mount_kernel_file_systems()?;
    console::open();
    devices::load_modules("/modules")?;
    devices::port(PORT_NAME)
}

/// The implementation for a real machine.
#[derive(Debug)]
struct Vm {
    kernel: Duration,
    started: Instant,
    clocks: Option<Clocks>,
    /// Kept open, because its path is gone once there is a root file system.
    prestart_library: Option<File>,
    root: Option<Root>,
    identity: Option<Identity>,
}

impl Machine for Vm {
    fn age(&self) -> Age {
        Age {
            kernel: self.kernel,
            agent: self.started.elapsed(),
        }
    }

    fn clocks(&self) -> Option<Clocks> {
        self.clocks.clone()
    }

    fn prepare(&mut self, disk: Disk, seed: bool) -> Result<Option<String>, Error> {
        let (root, unfinished) = root::assemble(disk, seed)?;
        self.root = Some(root);
        if disk == Disk::Private {
            self.identity = Some(Identity::prepare()?);
        }
        Ok(unfinished)
    }

    fn adopt(&mut self, adoption: &Adoption) -> Result<(), Error> {
        match &mut self.identity {
            Some(identity) => identity.adopt(adoption),
            None => identity::adopt_without_files(adoption),
        }
    }

    fn set_clock(&mut self, unix_time_ns: u64) -> Result<(), Error> {
        identity::set_clock(unix_time_ns)
    }

    fn clock(&self) -> u64 {
        identity::clock()
    }

    fn disk(&self) -> io::Result<OwnedFd> {
        match &self.root {
            Some(root) => root.private.try_clone(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn layers(&self) -> Option<Arc<Layers>> {
        Some(Arc::clone(&self.root.as_ref()?.layers))
    }

    fn root(&self) -> &Path {
        self.root.as_ref().map_or(Path::new("/"), |root| root.path)
    }

    fn prestart_library(&self) -> Option<BorrowedFd<'_>> {
        self.prestart_library.as_ref().map(AsFd::as_fd)
    }

    fn control_groups(&self) -> Option<BorrowedFd<'_>> {
        self.root.as_ref()?.groups.as_ref().map(AsFd::as_fd)
    }

    fn kernel_log(&self) -> Option<OwnedFd> {
        kernel_log::open()
            .inspect_err(|error| console::log(&format!("cannot read the kernel's log: {error}")))
            .ok()
    }
}
