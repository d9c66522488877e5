//! The system calls for which no crate has a safe function.

#![expect(
    unsafe_code,
    reason = "ioctls of devices, an option of sockets, real-time signals, mapped files and what a new process does before \
              its program have no safe form"
)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

use rustix::io::Errno;
use rustix::ioctl::{self, NoArg, Opcode, Setter, opcode};
use rustix::mm::{MapFlags, ProtFlags};
use rustix::process::{Gid, Signal, Uid};

/// The most entropy for one call.
pub(crate) const MAX_ENTROPY_BYTES: usize = 256;

/// The kernel's `struct rand_pool_info` with room for [`MAX_ENTROPY_BYTES`].
#[repr(C)]
struct RandPoolInfo {
    entropy_bits: i32,
    buffer_bytes: i32,
    buffer: [u8; MAX_ENTROPY_BYTES],
}

/// The kernel declares it with the size of the two leading integers only.
const RNDADDENTROPY: Opcode = opcode::write::<[i32; 2]>(b'R', 3);
const RNDRESEEDCRNG: Opcode = opcode::none(b'R', 7);

/// Adds `entropy`, all of it credited, to the kernel's pool and makes the generator reseed from
/// it at once.
///
/// # Errors
/// When there are more than [`MAX_ENTROPY_BYTES`], or the kernel refuses.
pub(crate) fn reseed(random: &File, entropy: &[u8]) -> io::Result<()> {
    let mut buffer = [0; MAX_ENTROPY_BYTES];
    buffer
        .get_mut(..entropy.len())
        .ok_or(io::ErrorKind::InvalidInput)?
        .copy_from_slice(entropy);
    let bytes = i32::try_from(entropy.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let request = RandPoolInfo {
        entropy_bits: bytes * 8,
        buffer_bytes: bytes,
        buffer,
    };
    // SAFETY: RNDADDENTROPY reads a `struct rand_pool_info` and, after it, `buffer_bytes` bytes,
    // which lie inside `request`; it writes nothing to this process's memory.
    unsafe { ioctl::ioctl(random, Setter::<RNDADDENTROPY, _>::new(request)) }?;
    // SAFETY: RNDRESEEDCRNG takes no argument.
    unsafe { ioctl::ioctl(random, NoArg::<RNDRESEEDCRNG>::new()) }?;
    Ok(())
}

/// The first page of a file, as memory that is shared with readers of the file.
#[derive(Debug)]
pub(crate) struct FirstPage(*mut u8);

impl FirstPage {
    /// The smallest size of a page.
    pub(crate) const BYTES: usize = 4096;

    pub(crate) fn map(file: &File) -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses an unused address.
        let address = unsafe {
            let flags = MapFlags::SHARED;
            rustix::mm::mmap(ptr::null_mut(), Self::BYTES, protection, flags, file, 0)?
        };
        Ok(Self(address.cast()))
    }

    /// Writes to the file's beginning, which must be at least as long: if the file is shortened
    /// before, the agent is killed. Writes at most a page.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let length = bytes.len().min(Self::BYTES);
        // SAFETY: the page is mapped until `self` is dropped, and no reference to it exists.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.0, length) }
    }
}

impl Drop for FirstPage {
    fn drop(&mut self) {
        // SAFETY: it was mapped like this, and there is no other pointer to it.
        let _unmapped = unsafe { rustix::mm::munmap(self.0.cast(), Self::BYTES) };
    }
}

/// The kernel's `struct ifreq` with a hardware address.
#[repr(C)]
struct HardwareAddress {
    name: [u8; 16],
    family: u16,
    address: [u8; 6],
    unused: [u8; 16],
}

const SIOCSIFHWADDR: Opcode = 0x8924;
/// Ethernet, among the kinds of addresses.
const ARPHRD_ETHER: u16 = 1;

/// Gives the network card `name` the hardware address `mac`.
///
/// # Errors
/// When there is no such card, or the kernel refuses.
pub(crate) fn set_hardware_address(
    socket: impl AsFd,
    name: &str,
    mac: [u8; 6],
) -> Result<(), Errno> {
    let mut request = HardwareAddress {
        name: [0; 16],
        family: ARPHRD_ETHER,
        address: mac,
        unused: [0; 16],
    };
    let room = request.name.get_mut(..name.len()).ok_or(Errno::INVAL)?;
    room.copy_from_slice(name.as_bytes());
    // SAFETY: SIOCSIFHWADDR reads a `struct ifreq`, which this is; it writes nothing.
    unsafe { ioctl::ioctl(socket, Setter::<SIOCSIFHWADDR, _>::new(request)) }
}

/// The user and the groups of a process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ids {
    pub(crate) user: Uid,
    pub(crate) group: Gid,
    /// The supplementary groups.
    pub(crate) groups: Vec<Gid>,
}

/// Has the process of `command` become the leader of a session, whose terminal is its standard input,
/// and change to an account, each if asked to, before it runs its program.
pub(crate) fn before_program(command: &mut Command, terminal: bool, ids: Option<Ids>) {
    let prepare = move || {
        if terminal {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        }
        if let Some(ids) = &ids {
            // The groups first: only root may change them.
            rustix::thread::set_thread_groups(&ids.groups)?;
            let (group, user) = (ids.group, ids.user);
            rustix::thread::set_thread_res_gid(group, group, group)?;
            rustix::thread::set_thread_res_uid(user, user, user)?;
        }
        Ok(())
    };
    // SAFETY: between `fork` and `exec` this only makes system calls, on the only thread of the new
    // process; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(prepare) };
}

/// Limits the segments of a connection that is not made yet, in both directions.
///
/// # Errors
/// When the kernel refuses.
pub(crate) fn limit_segments(socket: impl AsFd, bytes: i32) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<i32>()).map_err(io::Error::other)?;
    // SAFETY: TCP_MAXSEG reads one `int`, which lives until the call returns.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_MAXSEG,
            (&raw const bytes).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Returns the signal with that number, real-time signals included.
pub(crate) fn signal(number: i32) -> Option<Signal> {
    match number {
        // 32 and 33 belong to the C library.
        // SAFETY: the number is not zero, is known to every Linux kernel, and is not one the C
        // library keeps for itself; it is only used to send the signal.
        34..=64 => Some(unsafe { Signal::from_raw_unchecked(number) }),
        _ => Signal::from_named_raw(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_ioctls_are_the_kernels() {
        assert_eq!(RNDADDENTROPY, 0x4008_5203);
        assert_eq!(RNDRESEEDCRNG, 0x5207);
        assert_eq!(size_of::<HardwareAddress>(), 40);
    }

    #[test]
    fn signals_that_are_not_ours_to_send_are_refused() {
        assert!([0, -1, 32, 33, 65].into_iter().all(|n| signal(n).is_none()));
        assert!(
            [1, 9, 15, 31, 34, 64]
                .into_iter()
                .all(|n| signal(n).is_some())
        );
    }
}
