//! What the *KVM* device itself reports. Opening it proves nothing: some hosts have a device that
//! opens and is not KVM, or another hypervisor uses the processor.

#![expect(unsafe_code, reason = "ioctls of a device have no safe form")]

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

/// `KVMIO` and the numbers of its requests: `include/uapi/linux/kvm.h`.
const KVMIO: u8 = 0xAE;
const GET_API_VERSION: Opcode = opcode::none(KVMIO, 0x00);
const CREATE_VM: Opcode = opcode::none(KVMIO, 0x01);
/// The only version since 2007.
const API_VERSION: i32 = 12;

/// A request with the argument 0 that returns a number.
struct Request(Opcode);

// SAFETY: neither request reads or writes memory; the argument is 0.
unsafe impl Ioctl for Request {
    type Output = i32;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        self.0
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> rustix::io::Result<i32> {
        Ok(output)
    }
}

/// Returns why an open device cannot run machines, as far as it reports it.
pub(crate) fn fault(device: &File) -> Option<String> {
    // SAFETY: it has no argument.
    match unsafe { ioctl(device, Request(GET_API_VERSION)) } {
        Ok(API_VERSION) => {}
        Ok(version) => {
            return Some(format!(
                "has version {version} of its interface, not {API_VERSION}"
            ));
        }
        Err(error) => return Some(format!("is no KVM: {error}")),
    }
    // SAFETY: the argument 0 selects the default type of machine.
    match unsafe { ioctl(device, Request(CREATE_VM)) } {
        Ok(machine) => {
            // SAFETY: this is the only owner of the descriptor.
            drop(unsafe { OwnedFd::from_raw_fd(machine) });
            None
        }
        Err(Errno::BUSY) => Some("is busy: another hypervisor has the processor".into()),
        Err(error) => Some(format!("makes no machine: {error}")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_device_that_is_none_is_told() {
        let null = std::fs::File::open("/dev/null").unwrap();
        let fault = super::fault(&null).unwrap();
        assert!(fault.starts_with("is no KVM"), "{fault}");
    }
}
