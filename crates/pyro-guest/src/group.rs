//! The *control group* of a command contains every process that the command has started, even those
//! that left its session or whose parent has ended.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

static MADE: AtomicU64 = AtomicU64::new(0);

/// A control group below the root of the hierarchy.
#[derive(Debug)]
pub(crate) struct Group {
    name: String,
    directory: OwnedFd,
    root: OwnedFd,
}

impl Group {
    /// Makes a control group in the hierarchy with this root.
    pub(crate) fn make(root: BorrowedFd<'_>) -> io::Result<Self> {
        let name = format!("pyro-{}", MADE.fetch_add(1, Ordering::Relaxed));
        rustix::fs::mkdirat(root, &name, Mode::RWXU)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            directory: rustix::fs::openat(root, &name, flags, Mode::empty())?,
            root: root.try_clone_to_owned()?,
            name,
        })
    }

    /// Calls `start`, whose child begins in this group. A child begins in the group of its parent,
    /// so that it cannot start others elsewhere first: this process enters the group and returns.
    pub(crate) fn start<T>(&self, start: impl FnOnce() -> T) -> io::Result<T> {
        write(&self.directory, "cgroup.procs", b"0")?;
        let started = start();
        write(&self.root, "cgroup.procs", b"0")?;
        Ok(started)
    }

    /// Kills all processes in it. A process that is just being started does not escape.
    pub(crate) fn kill(&self) -> io::Result<()> {
        Ok(write(&self.directory, "cgroup.kill", b"1")?)
    }

    /// Returns its directory.
    pub(crate) fn directory(&self) -> io::Result<OwnedFd> {
        self.directory.try_clone()
    }

    /// Whether a process is in it, by the content of its `/proc/*/cgroup`.
    pub(crate) fn has(&self, membership: &str) -> bool {
        let lines = membership.lines();
        let mut paths = lines.filter_map(|line| line.strip_prefix("0::/"));
        paths.any(|path| path.split(['/', ' ']).next() == Some(&self.name))
    }

    /// Removes it, if it is empty. Returns whether it is gone.
    pub(crate) fn remove(&self) -> bool {
        let removed = rustix::fs::unlinkat(&self.root, &self.name, AtFlags::REMOVEDIR);
        matches!(removed, Ok(()) | Err(Errno::NOENT))
    }
}

/// Returns the processes in the group with this directory, without those in groups below it.
pub(crate) fn members(directory: impl AsFd) -> Vec<i32> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(directory, "cgroup.procs", flags, Mode::empty());
    let mut text = String::new();
    let read = opened.map(|file| File::from(file).read_to_string(&mut text));
    if !matches!(read, Ok(Ok(_))) {
        return Vec::new();
    }
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn write(directory: impl AsFd, name: &str, text: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    rustix::io::write(file, text).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_by_the_first_name_of_their_path() {
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let group = Group {
            name: "pyro-1".to_owned(),
            directory: null(),
            root: null(),
        };
        for (membership, is_member) in [
            ("0::/pyro-1\n", true),
            ("0::/pyro-1/inner\n", true),
            ("0::/pyro-1 (deleted)\n", true),
            ("1:cpu:/pyro-1\n0::/\n", false),
            ("0::/pyro-11\n", false),
            ("", false),
        ] {
            assert_eq!(group.has(membership), is_member, "{membership:?}");
        }
    }
}
