//! The *root* file system of a machine: the environment's read-only image, and over it the
//! machine's private disk.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use pyro_protocol::Disk;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::MountFlags;

use crate::console;
use crate::devices;
use crate::error::{Error, Step as _};
use crate::layers::Layers;
use crate::unpack;

/// Mount points in the initramfs. Once the new root is mounted over it, they and the file systems
/// there have no path.
const BASE: &str = "/base";
const SEED: &str = "/seed";
const PRIVATE: &str = "/private";
const ROOT: &str = "/root";
const SNAPSHOT: &str = "/snapshot";
const SNAPSHOT_ROOT: &str = "/snapshot-root";
const GROUPS: &str = "/sys/fs/cgroup";

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// The number that bundlers and editors need; the kernel's default is a few thousand in a small
/// machine. Only a used watch costs memory, about a kilobyte.
const INOTIFY_WATCHES: &str = "524288";
const INOTIFY_INSTANCES: &str = "1024";

/// The results of the assembly.
#[derive(Debug)]
pub(crate) struct Root {
    /// Where it is.
    pub(crate) path: &'static Path,
    /// The private disk's own root, which has no path that commands could use.
    pub(crate) private: OwnedFd,
    /// What the root file system consists of.
    pub(crate) layers: Arc<Layers>,
    /// The root of the control groups, even if commands mount other file systems over it.
    pub(crate) groups: Option<OwnedFd>,
}

/// Mounts the file systems with which the kernel shows itself.
pub(crate) fn mount_kernel_file_systems() -> Result<(), Error> {
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("devtmpfs", "/dev", "devtmpfs", MountFlags::NOSUID, None)?;
    mount("proc", "/proc", "proc", quiet, None)?;
    mount("sysfs", "/sys", "sysfs", quiet, None)
}

/// Assembles the root file system, and makes it `/` for all processes unless it is only read.
///
/// The private disk may be that of an earlier machine: files may exist already, and its user may
/// have changed them. Returns also why an unpacking that was interrupted could not be finished.
pub(crate) fn assemble(disk: Disk, seed: bool) -> Result<(Root, Option<String>), Error> {
    let (private, layers) = mount_layers(seed)?;
    let (path, groups, unfinished) = match disk {
        Disk::Private => {
            let groups = enter()?;
            ("/", groups, recover("/"))
        }
        Disk::ReadOnly => {
            let unfinished = make_read_only(ROOT)?;
            (ROOT, None, unfinished)
        }
    };
    let root = Root {
        path: Path::new(path),
        private,
        layers: Arc::new(layers),
        groups,
    };
    Ok((root, unfinished))
}

/// Mounts the root file system on its mount point. Returns the private disk's own root, and the
/// layers.
fn mount_layers(seed: bool) -> Result<(OwnedFd, Layers), Error> {
    let base = devices::disk("base")?;
    mount(&base, BASE, "erofs", MountFlags::RDONLY, None)?;
    if seed {
        let seed = devices::disk("seed")?;
        mount(&seed, SEED, "erofs", MountFlags::RDONLY, None)?;
    }
    let private = mount_private("rw", PRIVATE, ROOT, seed)?;
    let mut layers = Layers {
        written: vec![open_in(&private, c"upper")?],
        below: Vec::new(),
    };
    if seed {
        layers.below.push(open(SEED)?);
    }
    layers.below.push(open(BASE)?);
    Ok((private, layers))
}

/// Mounts the private disk with this serial, and a root file system of which it is the written layer.
/// Returns the disk's own root.
fn mount_private(serial: &str, target: &str, root: &str, seed: bool) -> Result<OwnedFd, Error> {
    let disk = devices::disk(serial)?;
    // A new disk's inode tables are zero already, so the kernel need not write them again. Data are
    // written to extents that are valid at once: otherwise the kernel marks them valid after the
    // write, in a second transaction, for readers with O_DIRECT. And deleted blocks are returned to
    // the host, whose file cannot shrink otherwise.
    let options = Some(c"noinit_itable,dioread_lock,discard");
    mount(&disk, target, "ext4", MountFlags::NOATIME, options)?;
    // Directories of the lower layers can be renamed, and a file keeps its inode number when it is
    // first written.
    let lower = if seed { "/seed:/base" } else { BASE };
    let options = format!(
        "lowerdir={lower},upperdir={target}/upper,workdir={target}/work,redirect_dir=on,xino=on"
    );
    let options = CString::new(options)
        .map_err(io::Error::from)
        .step("mount the root")?;
    let none = MountFlags::empty();
    mount("overlay", root, "overlay", none, Some(&options))?;
    open(target)
}

/// The root file system with the private disk of a snapshot, beside the one that is shown.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Its root. Nothing can be changed there.
    pub(crate) root: OwnedFd,
    /// The layer that holds only what was written.
    pub(crate) written: OwnedFd,
}

impl Snapshot {
    /// Mounts it over the layers that the shown one has. Only where the agent stays in the
    /// initramfs the mount points exist.
    pub(crate) fn mount(layers: &Layers) -> Result<Self, Error> {
        let seed = layers.below.len() > 1;
        let private = mount_private("snapshot", SNAPSHOT, SNAPSHOT_ROOT, seed)?;
        make_read_only(SNAPSHOT_ROOT)?;
        Ok(Self {
            root: open(SNAPSHOT_ROOT)?,
            written: open_in(&private, c"upper")?,
        })
    }
}

/// Makes a root file system as a start would find it, and then read-only.
fn make_read_only(root: &str) -> Result<Option<String>, Error> {
    let unfinished = recover(root);
    let flags = MountFlags::RDONLY | MountFlags::NOEXEC | MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount_remount(root, flags, "").step("make the root file system read-only")?;
    Ok(unfinished)
}

/// Makes the mounted root file system `/`, as commands need it. Returns the root of the control
/// groups.
fn enter() -> Result<Option<OwnedFd>, Error> {
    for name in ["dev", "proc", "sys"] {
        let target = Path::new(ROOT).join(name);
        make_directory(&target, 0o755)?;
        rustix::mount::mount_move(Path::new("/").join(name), &target)
            .map_err(|cause| Error::new(format!("move /{name}"), cause))?;
    }
    empty_initramfs()?;
    rustix::process::chdir(ROOT).step("enter the new root")?;
    rustix::mount::mount_move(".", "/").step("move the new root")?;
    rustix::process::chroot(".").step("change into the new root")?;
    rustix::process::chdir("/").step("enter the new root")?;

    furnish()
}

/// Finishes unpackings that were interrupted; returns why one could not be. If that may change, it
/// stays and is tried again later: the user of a full disk wants to make room.
fn recover(root: &str) -> Option<String> {
    let error = unpack::recover(Path::new(root)).err()?;
    console::log(&format!("an earlier unpacking is unfinished: {error}"));
    Some(error.to_string())
}

fn open(directory: &str) -> Result<OwnedFd, Error> {
    rustix::fs::open(directory, DIRECTORY, Mode::empty())
        .map_err(|cause| Error::new(format!("open {directory}"), cause))
}

fn open_in(parent: &OwnedFd, name: &CStr) -> Result<OwnedFd, Error> {
    rustix::fs::openat(parent, name, DIRECTORY, Mode::empty())
        .map_err(|cause| Error::new(format!("open {}", name.to_string_lossy()), cause))
}

/// Frees the memory of the initramfs. The pages of the running agent stay.
fn empty_initramfs() -> Result<(), Error> {
    fs::remove_dir_all("/modules").step("delete the kernel modules")?;
    fs::remove_file("/init").step("delete the agent's file")?;
    // An initramfs without the library works too.
    let _deleted = fs::remove_file("/prestart.so");
    Ok(())
}

/// Provides what programs expect of a Debian system. Returns the root of the control groups.
fn furnish() -> Result<Option<OwnedFd>, Error> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    let no_programs = plain | MountFlags::NOEXEC;
    let terminals = Some(c"gid=5,mode=620,ptmxmode=666");
    let devpts = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("devpts", "/dev/pts", "devpts", devpts, terminals)?;
    mount("tmpfs", "/dev/shm", "tmpfs", plain, Some(c"mode=1777"))?;
    mount("tmpfs", "/run", "tmpfs", plain, Some(c"mode=755"))?;
    make_directory(Path::new("/run/lock"), 0o1777)?;
    let groups = control_groups(no_programs);
    set("/proc/sys/fs/inotify/max_user_watches", INOTIFY_WATCHES);
    set("/proc/sys/fs/inotify/max_user_instances", INOTIFY_INSTANCES);

    // `/tmp` stays on the private disk: a big build must not fill the memory.
    optional(make_directory(Path::new("/tmp"), 0o1777));
    optional(make_directory(Path::new("/workspace"), 0o755));
    link("/proc/self/fd", "/dev/fd")?;
    link("/proc/self/fd/0", "/dev/stdin")?;
    link("/proc/self/fd/1", "/dev/stdout")?;
    link("/proc/self/fd/2", "/dev/stderr")?;
    // Minimal images may lack it.
    make_directory(Path::new("/etc"), 0o755)?;
    optional(link("/proc/self/mounts", "/etc/mtab"));
    Ok(groups)
}

/// Mounts the control groups. Every command has one; without them, a command's end is less sure.
fn control_groups(flags: MountFlags) -> Option<OwnedFd> {
    // Processes move between groups often, which is slow in the kernel without this option.
    let mounted = [Some(c"favordynmods"), None]
        .into_iter()
        .any(|options| mount("cgroup2", GROUPS, "cgroup2", flags, options).is_ok());
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = mounted.then(|| rustix::fs::open(GROUPS, directory, Mode::empty()));
    opened.and_then(Result::ok)
}

/// Sets a kernel parameter, if the kernel has it.
fn set(path: &str, value: &str) {
    if let Err(error) = fs::write(path, value) {
        console::log(&format!("cannot set {path}: {error}"));
    }
}

/// Ignores a failure. A used disk may be full, or have other files in these places; its owner must
/// still be able to look at it.
fn optional(result: Result<(), Error>) {
    if let Err(error) = result {
        console::log(&error.to_string());
    }
}

/// Mounts `source` on `target`, which is made if it is missing.
pub(crate) fn mount(
    source: impl AsRef<Path>,
    target: &str,
    kind: &str,
    flags: MountFlags,
    options: Option<&CStr>,
) -> Result<(), Error> {
    make_directory(Path::new(target), 0o755)?;
    rustix::mount::mount(source.as_ref(), target, kind, flags, options)
        .map_err(|cause| Error::new(format!("mount {target}"), cause))
}

/// Makes a directory with exactly this mode. An existing one keeps its mode, unless it must be
/// writable for all users and is not.
fn make_directory(path: &Path, mode: u32) -> Result<(), Error> {
    let failed = |cause: io::Error| Error::new(format!("make {}", path.display()), cause);
    match fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    // The umask may have removed bits.
    if mode == 0o1777 {
        let found = fs::metadata(path).map_err(failed)?.permissions();
        if found.mode() & 0o7777 != mode {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Makes a symbolic link unless the path exists.
fn link(target: &str, path: &str) -> Result<(), Error> {
    match rustix::fs::symlinkat(target, CWD, path) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(Error::new(format!("link {path}"), error)),
    }
}
