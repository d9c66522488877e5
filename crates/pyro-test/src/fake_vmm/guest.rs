//! The *guest* of a fake machine: the real agent's server as the first process of a PID namespace,
//! with the host's programs and its own files.

#![expect(unsafe_code, reason = "processes are forked while there is one thread")]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use pyro_guest::{Adoption, Age, End, Error, Machine, serve};
use pyro_protocol::{Clocks, Disk, Tick};
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change, mount_remount,
};
use rustix::process::{Signal, chroot, set_parent_process_death_signal};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::arguments::Arguments;
use super::processes::Guest;

/// The directories of the host that a guest sees.
const SHARED: [&str; 6] = ["usr", "bin", "lib", "lib64", "etc", "dev"];
/// The guest's own directories.
const OWN: [&str; 4] = ["workspace", "root", "tmp", "proc"];
/// A file that exists if the guest was shut down properly.
const IN_ORDER: &str = "ended-in-order";
/// The first descriptor after the standard streams.
const FIRST_DESCRIPTOR: RawFd = 3;
/// More descriptors than a VMM inherits.
const DESCRIPTORS: RawFd = 256;
/// The frequency of the timer of an emulated processor.
const LAPIC_HERTZ: u64 = 62_500_000;

/// Starts the guest; returns its process and the other end of its port. This process must be
/// single-threaded.
pub(super) fn start(arguments: &Arguments) -> (Guest, UnixStream) {
    let (ours, port) = UnixStream::pair().unwrap();
    let root = arguments.disk.with_extension("files");
    let (mut ready, ready_writer) = io::pipe().unwrap();
    // SAFETY: there is one thread, so that the child has all that it had.
    match unsafe { libc::fork() } {
        0 => {
            drop((ours, ready));
            keep(arguments.processors, &root, port, ready_writer)
        }
        keeper => {
            assert!(keeper > 0, "{}", io::Error::last_os_error());
            drop((port, ready_writer));
            let mut line = Vec::new();
            ready.read_to_end(&mut line).unwrap();
            assert_eq!(line, b"ready", "the guest did not come up");
            (Guest { keeper }, ours)
        }
    }
}

/// The process between the VMM and the guest's first process: it creates the namespaces, and dies
/// with the VMM.
fn keep(processors: usize, root: &Path, port: UnixStream, ready_writer: io::PipeWriter) -> ! {
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    close_all_but(&[port.as_raw_fd(), ready_writer.as_raw_fd()]);
    let user = rustix::process::geteuid();
    let mut namespaces = UnshareFlags::NEWPID | UnshareFlags::NEWNS;
    if !user.is_root() {
        namespaces |= UnshareFlags::NEWUSER;
    }
    // SAFETY: there is one thread, and no descriptors are shared.
    unsafe { unshare_unsafe(namespaces) }.expect("namespaces can be made");
    if !user.is_root() {
        fs::write("/proc/self/setgroups", "deny").unwrap();
        fs::write("/proc/self/uid_map", format!("0 {} 1", user.as_raw())).unwrap();
    }
    // SAFETY: as above.
    match unsafe { libc::fork() } {
        0 => live(processors, root, port, ready_writer),
        first => {
            assert!(first > 0, "{}", io::Error::last_os_error());
            drop((port, ready_writer));
            let guest = Guest { keeper: first };
            std::process::exit(guest.wait())
        }
    }
}

/// Closes the descriptors that the VMM inherited, so that the guest does not hold its connections
/// or its lock.
fn close_all_but(kept: &[RawFd]) {
    for number in FIRST_DESCRIPTOR..DESCRIPTORS {
        if !kept.contains(&number) {
            // SAFETY: a call that takes a number, and nothing here uses what it closes.
            unsafe { libc::close(number) };
        }
    }
}

/// The guest's first process.
fn live(processors: usize, root: &Path, port: UnixStream, mut ready_writer: io::PipeWriter) -> ! {
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    enter(root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let _ = fs::remove_file(Path::new("/").join(IN_ORDER));
    ready_writer.write_all(b"ready").unwrap();
    drop(ready_writer);
    let mut machine = Fake {
        started: Instant::now(),
        processors,
        disk: None,
    };
    match serve(OwnedFd::from(port), &mut machine) {
        End::Shutdown => {
            fs::write(Path::new("/").join(IN_ORDER), "").unwrap();
            std::process::exit(0)
        }
        End::Closed => std::process::exit(0),
        End::Broken(reason) => {
            eprintln!("the agent ended: {reason}");
            std::process::exit(1)
        }
    }
}

/// Makes `root` the root directory, with the shared directories of the host mounted in it.
fn enter(root: &Path) -> io::Result<()> {
    fs::create_dir_all(root)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    for name in SHARED {
        let from = Path::new("/").join(name);
        let to = root.join(name);
        match fs::read_link(&from) {
            // As on systems where /bin is /usr/bin.
            Ok(target) => {
                let _ = std::os::unix::fs::symlink(target, &to);
            }
            Err(_) if from.exists() => {
                fs::create_dir_all(&to)?;
                mount_bind_recursive(&from, &to)?;
                protect(name, &to)?;
            }
            Err(_) => {}
        }
    }
    for name in OWN {
        fs::create_dir_all(root.join(name))?;
    }
    mount("proc", root.join("proc"), "proc", MountFlags::empty(), None)?;
    chroot(root)?;
    std::env::set_current_dir("/")
}

/// Makes the shared directories read-only, because root could write to them.
fn protect(name: &str, path: &Path) -> io::Result<()> {
    // Devices must be writable.
    if name == "dev" || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let again = MountFlags::BIND | MountFlags::RDONLY;
    // In an unprivileged user namespace, some mount flags of the host must be kept.
    match mount_remount(path, again, "") {
        Err(rustix::io::Errno::PERM) => Ok(()),
        other => Ok(other?),
    }
}

/// A machine whose root file system exists from the beginning.
#[derive(Debug)]
struct Fake {
    started: Instant,
    processors: usize,
    disk: Option<File>,
}

impl Machine for Fake {
    fn age(&self) -> Age {
        Age {
            agent: self.started.elapsed(),
            ..Age::default()
        }
    }

    fn clocks(&self) -> Option<Clocks> {
        let tick = Tick {
            device: "lapic".into(),
            hertz: LAPIC_HERTZ,
        };
        Some(Clocks {
            source: "tsc".into(),
            ticks: vec![tick; self.processors],
        })
    }

    fn prepare(&mut self, _disk: Disk, _seed: bool) -> Result<Option<String>, Error> {
        self.disk = File::open("/workspace").ok();
        Ok(None)
    }

    fn adopt(&mut self, _adoption: &Adoption) -> Result<(), Error> {
        Ok(())
    }

    fn set_clock(&mut self, _unix_time_ns: u64) -> Result<(), Error> {
        Ok(())
    }

    fn clock(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
    }

    fn disk(&self) -> io::Result<OwnedFd> {
        let disk = self.disk.as_ref().ok_or(io::ErrorKind::NotFound)?;
        Ok(disk.try_clone()?.into())
    }

    fn root(&self) -> &Path {
        Path::new("/")
    }

    fn prestart_library(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn control_groups(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn kernel_log(&self) -> Option<OwnedFd> {
        None
    }
}
