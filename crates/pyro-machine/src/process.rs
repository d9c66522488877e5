//! Starts a machine's processes so that they cannot outlive their owner, gain privileges, or
//! inherit more than they are given.

#![expect(
    unsafe_code,
    reason = "what a child does between fork and exec cannot be checked"
)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd, retry_on_intr, write};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};
use tokio::io::unix::AsyncFd;

use crate::cell::{Cell, Isolation};

/// The first descriptor after a program's input, output and messages.
const FIRST_DESCRIPTOR: libc::c_uint = 3;
/// How many descriptors are handled one by one, on kernels before 5.11.
const DESCRIPTORS: libc::c_int = 4096;

/// A process of a machine, such as its VMM; killed and reaped on drop.
#[derive(Debug)]
pub(crate) struct OwnedProcess {
    child: Child,
    isolation: Isolation,
}

/// The lock that shows that a VMM is alive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lock<'a> {
    /// Held for as long as the process lives, because the process inherits it, for reading.
    pub(crate) held: &'a File,
    /// The same file, where the process writes its id before it becomes the VMM.
    pub(crate) note: &'a File,
}

impl OwnedProcess {
    /// Starts `command` in `cell`. The child inherits `inherited` under the same numbers and, if
    /// there is one, `lock`, and nothing else; it dies when the calling thread does, unless it
    /// changes its user, and can never gain privileges.
    pub(crate) fn spawn(
        mut command: Command,
        inherited: &[RawFd],
        lock: Option<Lock<'_>>,
        mut cell: Cell,
    ) -> io::Result<Self> {
        let held = lock.map(|lock| lock.held.as_raw_fd());
        let note = lock.map(|lock| lock.note.as_raw_fd());
        let inherited: Vec<RawFd> = inherited.iter().copied().chain(held).collect();
        let progress = cell.progress();
        let isolation = cell.isolation();
        let prepare = move || {
            close_on_exec()?;
            for number in &inherited {
                // SAFETY: the parent holds these open while it spawns.
                let fd = unsafe { BorrowedFd::borrow_raw(*number) };
                fcntl_setfd(fd, FdFlags::empty())?;
            }
            if let Some(note) = note {
                // SAFETY: as above.
                let note = unsafe { BorrowedFd::borrow_raw(note) };
                let number = getpid().as_raw_nonzero().get().cast_unsigned();
                write(note, decimal(number, &mut [0; 10]))?;
            }
            cell.enter()
        };
        // SAFETY: the closure makes system calls only; it neither allocates nor takes locks.
        unsafe { command.pre_exec(prepare) };
        // In a group of its own: a terminal's Ctrl-C goes to pyro, which shuts it down.
        let child = command.process_group(0).spawn().map_err(|error| {
            let step = progress.failed_at();
            io::Error::new(error.kind(), format!("{step}: {error}"))
        })?;
        Ok(Self {
            child,
            isolation: isolation.reached(&progress),
        })
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The isolation that is in force for it.
    pub(crate) fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Waits until the process ends by itself, and returns how.
    pub(crate) fn finish(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Returns a value that waits for the end of the process.
    pub(crate) fn exited(&self) -> io::Result<Exited> {
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        // SAFETY: the registered value owns the descriptor, and does not give it away.
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

    /// Kills the process and returns how it ended. If it had ended by itself, returns that status.
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

/// Signals the end of a process.
#[derive(Debug)]
pub(crate) struct Exited(AsyncFd<OwnedFd>);

impl Exited {
    pub(crate) async fn wait(&self) {
        // A process's descriptor becomes readable when the process ends, and stays so.
        let _ = self.0.readable().await;
    }
}

/// Makes a program that is to be started inherit no open file but the first three.
pub fn inherit_nothing(command: &mut Command) {
    // SAFETY: the closure makes system calls only; it neither allocates nor takes locks.
    unsafe { command.pre_exec(close_on_exec) };
}

/// Describes how a VMM ended, in words.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "the guest powered off, restarted or panicked".into(),
        (Some(code), _) => format!("QEMU exited with status {code}"),
        (None, Some(9)) => "QEMU was killed".into(),
        (None, Some(signal)) => format!("QEMU was killed by signal {signal}"),
        (None, None) => "QEMU ended".into(),
    }
}

/// Makes the program that this process becomes, or its children, inherit no open files but the
/// first three: the parent of this process may have passed on others. Makes system calls only.
///
/// # Errors
/// When the kernel refuses.
pub fn close_on_exec() -> io::Result<()> {
    // SAFETY: a system call that takes numbers.
    let all = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST_DESCRIPTOR,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if all == 0 {
        return Ok(());
    }
    for number in FIRST_DESCRIPTOR.cast_signed()..DESCRIPTORS {
        // SAFETY: a call that takes numbers; those that are not open are refused.
        let set = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        let error = io::Error::last_os_error();
        if set != 0 && error.raw_os_error() != Some(libc::EBADF) {
            return Err(error);
        }
    }
    Ok(())
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
        let note = File::create(directory.path().join("lock")).unwrap();
        let held = File::open(directory.path().join("lock")).unwrap();
        let given = File::open("/dev/null").unwrap();
        // A descriptor as a parent may have passed it on.
        let kept = File::open("/dev/null").unwrap();
        fcntl_setfd(&kept, FdFlags::empty()).unwrap();
        let list = directory.path().join("fds");
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!(
            "ls /proc/$$/fd > {list}; grep NoNewPrivs /proc/$$/status >> {list}; exec sleep 1000",
            list = list.display()
        ));
        let lock = Lock {
            held: &held,
            note: &note,
        };
        // Of the two cells, only this one lets a shell start programs.
        let cell = Cell::passt().unwrap();
        let mut process = OwnedProcess::spawn(command, &[given.as_raw_fd()], Some(lock), cell)
            .expect("sh starts");
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
        assert!(has(&given) && has(&held), "{seen}");
        assert!(!has(&kept) && !has(&note), "{seen}");
        assert!(seen.contains("NoNewPrivs:\t1"), "{seen}");
        let noted = std::fs::read_to_string(directory.path().join("lock")).unwrap();
        assert_eq!(noted, process.child.id().to_string());
        assert_eq!(process.kill().unwrap().signal(), Some(9));
    }
}
