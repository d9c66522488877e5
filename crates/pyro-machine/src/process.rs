//! Starting a machine's processes so that they cannot outlive their owner, gain privileges, or
//! inherit anything but what they are given.

#![expect(
    unsafe_code,
    reason = "what a child does between fork and exec cannot be checked"
)]

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd, retry_on_intr, write};
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, getppid, pidfd_open, set_parent_process_death_signal,
};
use rustix::thread::set_no_new_privs;
use tokio::io::unix::AsyncFd;

/// A process of a machine, its VMM for one; killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct OwnedProcess {
    child: Child,
}

impl OwnedProcess {
    /// Starts `command`. The child inherits `inherited` under the same numbers and, if there is
    /// one, `lock`, into which it writes its process id; it dies when the calling thread does,
    /// unless it changes its user, and can never gain privileges.
    pub(crate) fn spawn(
        mut command: Command,
        inherited: &[RawFd],
        lock: Option<&File>,
    ) -> io::Result<Self> {
        let parent = getpid();
        let lock = lock.map(AsRawFd::as_raw_fd);
        let inherited: Vec<RawFd> = inherited.iter().copied().chain(lock).collect();
        let prepare = move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // The parent may have died before that call.
            if getppid() != Some(parent) {
                return Err(io::ErrorKind::NotFound.into());
            }
            set_no_new_privs(true)?;
            for number in &inherited {
                // SAFETY: the parent holds these open while it spawns.
                let fd = unsafe { BorrowedFd::borrow_raw(*number) };
                fcntl_setfd(fd, FdFlags::empty())?;
            }
            if let Some(lock) = lock {
                // SAFETY: as above.
                let lock = unsafe { BorrowedFd::borrow_raw(lock) };
                let number = getpid().as_raw_nonzero().get().cast_unsigned();
                write(lock, decimal(number, &mut [0; 10]))?;
            }
            Ok(())
        };
        // SAFETY: the closure makes system calls only; it neither allocates nor takes locks.
        unsafe { command.pre_exec(prepare) };
        // A group of its own: a terminal's Ctrl-C is for us, who then end it in order.
        let child = command.process_group(0).spawn()?;
        Ok(Self { child })
    }

    /// Returns what tells when the process has ended.
    pub(crate) fn exited(&self) -> io::Result<Exited> {
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        // SAFETY: what is registered owns the descriptor, and gives it out to nobody.
        let registered = unsafe { AsyncFd::register(pidfd) };
        Ok(Exited(registered?))
    }

    /// Waits until the process ends by itself, or the limit has passed.
    pub(crate) async fn wait(&self, limit: Duration) -> io::Result<()> {
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
        let waited = tokio::task::spawn_blocking(move || {
            retry_on_intr(|| poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit)))
        });
        waited.await.map_err(io::Error::other)??;
        Ok(())
    }

    /// Ends the process and returns how it ended. If it had ended by itself, that is what is
    /// returned.
    pub(crate) fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for OwnedProcess {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!(%error, "a process of a machine could not be ended");
        }
    }
}

/// Tells when a process has ended.
#[derive(Debug)]
pub(crate) struct Exited(AsyncFd<OwnedFd>);

impl Exited {
    pub(crate) async fn wait(&self) {
        // A process's descriptor becomes readable when it ends, and stays so.
        let _ = self.0.readable().await;
    }
}

/// Finds a program in a search path like `PATH`'s value.
pub(crate) fn find_program(search_path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(search_path)
        .map(|directory| directory.join(name))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Says how a VMM ended, in words.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "the guest powered off, restarted or panicked".into(),
        (Some(code), _) => format!("QEMU exited with status {code}"),
        (None, Some(9)) => "QEMU was killed".into(),
        (None, Some(signal)) => format!("QEMU was killed by signal {signal}"),
        (None, None) => "QEMU ended".into(),
    }
}

/// Formats without allocating.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted() {
        for number in [0, 7, 10, 4_194_304, u32::MAX] {
            assert_eq!(decimal(number, &mut [0; 10]), number.to_string().as_bytes());
        }
    }

    #[test]
    fn the_child_gets_what_it_is_given_and_notes_its_pid() {
        let directory = tempfile::tempdir().unwrap();
        let lock = File::create(directory.path().join("lock")).unwrap();
        let given = File::open("/dev/null").unwrap();
        let kept = File::open("/dev/null").unwrap();
        let list = directory.path().join("fds");
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!(
            "ls /proc/$$/fd > {list}; grep NoNewPrivs /proc/$$/status >> {list}; exec sleep 1000",
            list = list.display()
        ));
        let mut process =
            OwnedProcess::spawn(command, &[given.as_raw_fd()], Some(&lock)).expect("sh starts");
        let seen = loop {
            let text = std::fs::read_to_string(&list).unwrap_or_default();
            if text.contains("NoNewPrivs") {
                break text;
            }
            std::thread::yield_now();
        };
        let has = |file: &File| {
            seen.lines()
                .any(|line| line == file.as_raw_fd().to_string())
        };
        assert!(has(&given) && has(&lock) && !has(&kept), "{seen}");
        assert!(seen.contains("NoNewPrivs:\t1"), "{seen}");
        let noted = std::fs::read_to_string(directory.path().join("lock")).unwrap();
        assert_eq!(noted, process.child.id().to_string());
        assert_eq!(process.kill().unwrap().signal(), Some(9));
    }
}
