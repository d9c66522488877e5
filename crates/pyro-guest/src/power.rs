//! *Power*: the end of a machine, with everything written and the private disk clean.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use rustix::mount::MountFlags;
use rustix::process::{Pid, Signal};
use rustix::system::RebootCommand;

use crate::console;
use crate::reaper;

/// How long processes may take to end after SIGTERM.
const GRACE: Duration = Duration::from_millis(500);
/// How long the kernel may take to end them after SIGKILL.
const KILL_LIMIT: Duration = Duration::from_secs(2);

/// Ends every process, then the machine. `private` is the private disk's root, if it is mounted.
pub(crate) fn shut_down(private: Option<&OwnedFd>) -> ! {
    signal_all(Signal::TERM);
    reaper::wait_for_none(GRACE);
    signal_all(Signal::KILL);
    reaper::wait_for_none(KILL_LIMIT);
    rustix::fs::sync();
    if let Some(private) = private {
        // Empties the journal, so that the host can read the disk without replaying it. It fails if
        // a process is left that cannot be killed; the data are synchronised in any case.
        let path = format!("/proc/self/fd/{}", private.as_raw_fd());
        if let Err(error) = rustix::mount::mount_remount(path, MountFlags::RDONLY, "") {
            console::log(&format!("cannot make the private disk read-only: {error}"));
        }
    }
    power_off()
}

/// Ends the machine at once.
pub(crate) fn power_off() -> ! {
    // Without a way to cut the power, the kernel would halt for ever, and the VMM would wait for
    // ever. A restart always ends the VMM: machines are started with "no reboot".
    let _failed = rustix::system::reboot(RebootCommand::Restart);
    // PID 1 must not end.
    loop {
        std::thread::park();
    }
}

/// Sends `signal` to every process but PID 1.
fn signal_all(signal: Signal) {
    // "Group 1" reaches the system call as -1: every process. It fails if there is none.
    let _sent = rustix::process::kill_process_group(Pid::INIT, signal);
}
