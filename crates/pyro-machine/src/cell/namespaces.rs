//! *Namespaces* are a second barrier, if this user may create them: an empty network, separate
//! shared memory and host name, and a root directory that contains only the files that the process
//! may open.
//!
//! This runs between fork and exec: it makes system calls and allocates nothing.

#![expect(
    unsafe_code,
    reason = "system calls that no library has a safe function for"
)]

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, open, openat, symlinkat};
use rustix::io::{Errno, write};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::process::{chdir, fchdir, getegid, geteuid, pivot_root};

use super::files::Access;

/// Attributes of a mount, and the flag for all mounts below it (linux/mount.h, linux/fcntl.h).
const READ_ONLY: u64 = 0x1;
const NO_SUID: u64 = 0x2;
const NO_DEVICES: u64 = 0x4;
const NO_EXECUTION: u64 = 0x8;
const RECURSIVE: u32 = 0x8000;

/// The mount point of the new root at first: a directory that the process does not need.
const PLACE: &CStr = c"/proc";
/// The new root contains only mount points and links.
const ROOT_OPTIONS: &CStr = c"size=256k,nr_inodes=512,mode=755";

/// How far a process got.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Reached {
    /// It is in the host's namespaces.
    Nothing,
    /// Network, shared memory and host name are separate, but it sees the host's files.
    Separate,
    /// It sees only the files that it was given.
    Root,
}

/// The namespaces of a process that is to be started.
#[derive(Debug)]
pub(super) struct Namespaces {
    directories: Vec<CString>,
    links: Vec<(CString, CString)>,
    mounts: Vec<Mount>,
    user: CString,
    group: CString,
}

/// A file or directory of the host that appears in the new root at the same path.
#[derive(Debug)]
struct Mount {
    source: CString,
    is_directory: bool,
    attributes: u64,
}

impl Mount {
    /// Its path below the new root.
    fn place(&self) -> &CStr {
        // The source is absolute; without its first byte it still ends with the same NUL.
        CStr::from_bytes_with_nul(&self.source.as_bytes_with_nul()[1..])
            .expect("the rest of a C string is one")
    }
}

impl Namespaces {
    /// Namespaces in which these files are visible. `None` if the path of one of them cannot be
    /// recreated.
    pub(super) fn with(files: &[(PathBuf, Access)]) -> Option<Self> {
        let mut namespaces = Self {
            directories: Vec::new(),
            links: Vec::new(),
            mounts: Vec::new(),
            user: c_string(format!("{0} {0} 1", geteuid().as_raw()).as_bytes())?,
            group: c_string(format!("{0} {0} 1", getegid().as_raw()).as_bytes())?,
        };
        for (path, access) in files {
            namespaces.show(path, *access)?;
        }
        Some(namespaces)
    }

    fn show(&mut self, path: &Path, access: Access) -> Option<()> {
        let plain = |part: Component| matches!(part, Component::RootDir | Component::Normal(_));
        if !path.is_absolute() || !path.components().all(plain) {
            return None;
        }
        let Ok(is) = path.metadata() else {
            return Some(());
        };
        if access != Access::Write && self.shows(path) {
            return Some(());
        }
        let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
        // Leave out the root itself.
        above.pop();
        for directory in above.into_iter().rev() {
            let directory = below_root(directory)?;
            if !self.directories.contains(&directory) {
                self.directories.push(directory);
            }
        }
        // On most systems /lib is a link into /usr, which is visible as well.
        if let Ok(target) = path.read_link()
            && is.is_dir()
            && target.is_relative()
        {
            let target = c_string(target.as_os_str().as_bytes())?;
            self.links.push((target, below_root(path)?));
            return Some(());
        }
        let is_device = is.mode() & libc::S_IFMT == libc::S_IFCHR;
        self.mounts.push(Mount {
            source: c_string(path.as_os_str().as_bytes())?,
            is_directory: is.is_dir(),
            attributes: match access {
                Access::Run => READ_ONLY | NO_SUID | NO_DEVICES,
                Access::Read if is_device => NO_SUID | NO_EXECUTION,
                Access::Read => READ_ONLY | NO_SUID | NO_DEVICES | NO_EXECUTION,
                Access::Device => NO_SUID | NO_EXECUTION,
                Access::Write => NO_SUID | NO_DEVICES | NO_EXECUTION,
            },
        });
        Some(())
    }

    /// Whether the path is below a directory that is already visible.
    fn shows(&self, path: &Path) -> bool {
        self.mounts.iter().any(|mount| {
            mount.is_directory && path.starts_with(OsStr::from_bytes(mount.source.as_bytes()))
        })
    }

    /// Moves the calling process into the namespaces, as far as it may.
    ///
    /// # Errors
    /// When it has left its old root and the new one is incomplete.
    pub(super) fn enter(&self) -> io::Result<Reached> {
        let own = libc::CLONE_NEWNS
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP;
        let privileged = geteuid().is_root() && unshare(own).is_ok();
        if !privileged && (unshare(own | libc::CLONE_NEWUSER).is_err() || self.map_ids().is_err()) {
            return Ok(Reached::Nothing);
        }
        if self.build_root().is_err() {
            return Ok(Reached::Separate);
        }
        pivot_root(c".", c".")?;
        // The old root is now mounted over the new one.
        unmount(c".", UnmountFlags::DETACH)?;
        chdir(c"/")?;
        set_attributes(libc::AT_FDCWD, c"/", 0, READ_ONLY | NO_SUID | NO_DEVICES)?;
        Ok(Reached::Root)
    }

    /// Maps the user to the same id in its new namespace.
    fn map_ids(&self) -> Result<(), Errno> {
        put(c"/proc/self/setgroups", b"deny")?;
        put(c"/proc/self/uid_map", self.user.as_bytes())?;
        put(c"/proc/self/gid_map", self.group.as_bytes())
    }

    /// Builds the new root, and changes into it.
    fn build_root(&self) -> Result<(), Errno> {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change(c"/", private)?;
        let sterile = MountFlags::NOSUID | MountFlags::NODEV;
        mount(c"pyro", PLACE, c"tmpfs", sterile, ROOT_OPTIONS)?;
        let root = open(
            PLACE,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let (directory, file) = (Mode::from_raw_mode(0o755), Mode::from_raw_mode(0o644));
        for path in &self.directories {
            made(mkdirat(&root, path.as_c_str(), directory))?;
        }
        for (target, path) in &self.links {
            made(symlinkat(target.as_c_str(), &root, path.as_c_str()))?;
        }
        for mount in &self.mounts {
            let (tree_flags, below) = if mount.is_directory {
                made(mkdirat(&root, mount.place(), directory))?;
                (OpenTreeFlags::AT_RECURSIVE, RECURSIVE)
            } else {
                let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
                made(openat(&root, mount.place(), flags, file).map(drop))?;
                (OpenTreeFlags::empty(), 0)
            };
            let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let tree = open_tree(CWD, mount.source.as_c_str(), clone | tree_flags)?;
            let raw = std::os::fd::AsRawFd::as_raw_fd(&tree);
            set_attributes(
                raw,
                c"",
                below | AtFlags::EMPTY_PATH.bits(),
                mount.attributes,
            )?;
            let from_tree = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            move_mount(&tree, c"", &root, mount.place(), from_tree)?;
        }
        fchdir(&root)
    }
}

/// An existing entry will do; if it is unsuitable, the next step fails.
fn made(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::EXIST | Errno::ROFS) => Ok(()),
        other => other,
    }
}

fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: a system call that takes a number. The process has one thread, between fork and
    // exec.
    if unsafe { libc::unshare(flags) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn put(path: &CStr, text: &[u8]) -> Result<(), Errno> {
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&file, text).map(|_| ())
}

/// The argument of `mount_setattr` (struct mount_attr of linux/mount.h).
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

fn set_attributes(directory: i32, path: &CStr, flags: u32, set: u64) -> Result<(), Errno> {
    let attributes = Attributes {
        set,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    // SAFETY: the pointers are valid for the call, and the size is that of what they point to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        let error = io::Error::last_os_error();
        Err(Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
    }
}

fn below_root(path: &Path) -> Option<CString> {
    c_string(path.strip_prefix("/").ok()?.as_os_str().as_bytes())
}

fn c_string(bytes: &[u8]) -> Option<CString> {
    CString::new(bytes).ok()
}
