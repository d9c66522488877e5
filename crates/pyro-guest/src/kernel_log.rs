//! The *kernel's log* shows which processes the kernel has killed for lack of memory. Otherwise
//! they look like processes that were sent SIGKILL.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::Errno;

/// Larger than any record (`PRINTKRB_RECORD_MAX` in the kernel's `printk.c`).
const RECORD_BYTES: usize = 8192;
/// The most records that are read at once, so that commands need not wait.
const RECORDS: usize = 64;
/// A record begins with its priority. Below this value the record is the kernel's own, which
/// processes cannot imitate (`/dev/kmsg` in the kernel's documentation of its ABI).
const FIRST_OF_USERS: u32 = 8;
const KILLED: &str = "Out of memory: Killed process ";

/// The log, read from the position at which it was opened.
#[derive(Debug)]
pub(crate) struct KernelLog(OwnedFd);

/// Opens the log of this machine, at its end.
pub(crate) fn open() -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let log = rustix::fs::open("/dev/kmsg", flags, Mode::empty())?;
    rustix::fs::seek(&log, SeekFrom::End(0))?;
    Ok(log)
}

impl From<OwnedFd> for KernelLog {
    fn from(log: OwnedFd) -> Self {
        Self(log)
    }
}

impl KernelLog {
    /// Reads the new records, and returns the processes that were killed for lack of memory.
    pub(crate) fn killed(&self) -> Vec<i32> {
        let mut killed = Vec::new();
        let mut record = [0; RECORD_BYTES];
        for _ in 0..RECORDS {
            match rustix::io::read(&self.0, &mut record) {
                Ok(0) => break,
                Ok(length) => killed.extend(victim(&record[..length])),
                // EPIPE: records were overwritten before they were read; there are newer ones.
                Err(Errno::PIPE | Errno::INTR) => {}
                Err(_) => break,
            }
        }
        killed
    }
}

impl AsFd for KernelLog {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Parses `priority,number,time,flags;text`.
fn victim(record: &[u8]) -> Option<i32> {
    let record = String::from_utf8_lossy(record);
    let (head, text) = record.split_once(';')?;
    let priority: u32 = head.split(',').next()?.parse().ok()?;
    let pid = text.strip_prefix(KILLED)?.split(' ').next()?;
    pid.parse().ok().filter(|_| priority < FIRST_OF_USERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn victims_are_told_by_the_kernel_alone() {
        let said = "Out of memory: Killed process 234 (python3) total-vm:2097152kB";
        let record = |head: &str, text: &str| victim(format!("{head};{text}\n").as_bytes());
        assert_eq!(record("3,812,5034567,-", said), Some(234));
        assert_eq!(record("11,812,5034567,-", said), None);
        assert_eq!(record("3,812,5034567,-", "Killed process 234"), None);
        assert_eq!(record("3", "Out of memory: Killed process x"), None);
        assert_eq!(victim(b"\xff"), None);
    }
}
