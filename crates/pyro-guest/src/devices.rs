//! The machine's *devices*, found by the names that the host gave them, not by their order.

use std::fmt::Arguments;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, netlink};

use crate::error::{Error, Step as _};

/// How long a device may take to appear. The guest cannot know its share of a processor, so this is
/// long: on an idle host a device takes milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Opens the virtio-serial port `name`, once the host has its end open.
pub(crate) fn port(name: &str) -> Result<OwnedFd, Error> {
    let path = wait_for(format_args!("the agent's port"), || {
        named("/sys/class/virtio-ports", "name", name)
    })?;
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let port =
        rustix::fs::open(path, flags, rustix::fs::Mode::empty()).step("open the agent's port")?;
    wait_for_host(&port)?;
    Ok(port)
}

/// Returns the path of the block device with the serial `serial`.
pub(crate) fn disk(serial: &str) -> Result<PathBuf, Error> {
    wait_for(format_args!("the disk {serial}"), || {
        named("/sys/block", "serial", serial)
    })
}

/// Returns the device node of the entry of `class` whose attribute reads `value`.
fn named(class: &str, attribute: &str, value: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(class).ok()?.flatten();
    let device = entries.find(|entry| {
        fs::read_to_string(entry.path().join(attribute))
            .is_ok_and(|found| found.trim_end() == value)
    })?;
    Some(PathBuf::from("/dev").join(device.file_name()))
}

/// Returns the result of `find`, which is repeated whenever the kernel announces a device.
fn wait_for<T>(what: Arguments, find: impl Fn() -> Option<T>) -> Result<T, Error> {
    // Nearly always the device is there already.
    if let Some(found) = find() {
        return Ok(found);
    }
    let announcements = announcements().step("listen for devices")?;
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = find() {
            return Ok(found);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::new(format!("find {what}"), io::ErrorKind::TimedOut));
        }
        let mut descriptors = [PollFd::new(&announcements, PollFlags::IN)];
        let timeout = Timespec::try_from(left).ok();
        rustix::event::poll(&mut descriptors, timeout.as_ref()).step("wait for devices")?;
        // The content of the announcement does not matter, nor whether one was missed.
        let mut message = [0; 4096];
        while rustix::net::recv(&announcements, &mut message[..], RecvFlags::DONTWAIT).is_ok() {}
    }
}

/// Opens a socket that receives the kernel's device events.
fn announcements() -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::KOBJECT_UEVENT),
    )?;
    // Group 1 is the kernel's own; port 0 lets the kernel choose one.
    rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, 1))?;
    Ok(socket)
}

/// Waits until the host has its end of the port open: before that the port reads as closed.
fn wait_for_host(port: &OwnedFd) -> Result<(), Error> {
    loop {
        let mut descriptors = [PollFd::new(port, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        rustix::event::poll(&mut descriptors, Some(&now)).step("poll the agent's port")?;
        if !descriptors[0].revents().contains(PollFlags::HUP) {
            return Ok(());
        }
        // A closed port is "ready" all the time, so `poll` cannot wait for it. The driver learns
        // that the host's end is open right after the port's name, so this wait is rare and short
        // unless the host is really late.
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Loads the kernel modules of `directory` in the order of their file names.
pub(crate) fn load_modules(directory: &str) -> Result<(), Error> {
    let mut paths = fs::read_dir(directory)
        .step("list the kernel modules")?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .step("list the kernel modules")?;
    paths.sort_unstable();
    for path in paths {
        let failed = |cause: io::Error| Error::new(format!("load {}", path.display()), cause);
        let file = File::open(&path).map_err(failed)?;
        match rustix::system::finit_module(file, c"", 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
    }
    Ok(())
}
