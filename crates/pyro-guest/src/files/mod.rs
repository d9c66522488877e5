//! The *files* that the host lists, reads and writes below a directory of the guest.
//!
//! Commands control the tree below that directory. A symbolic link in it is followed only if it
//! stays in the directory, even if the tree changes meanwhile: the kernel enforces that.

mod compare;
mod copy_root;
mod list;
mod pack;
mod read;
mod resolve;
mod write;

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use pyro_protocol::{FilePath, Refusal, RefusalReason, octets};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

pub(crate) use compare::{Comparison, compare, read_all};
pub(crate) use copy_root::copy_root;
pub(crate) use list::{list, names, state};
pub(crate) use pack::{pack, pack_root};
pub(crate) use read::read;
pub(crate) use resolve::resolve_path;
pub(crate) use write::{New, digest, write};

/// Opens the file at a path, without waiting for the other end of a pipe or terminal.
fn open(base: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    open_within(base, path, flags, ResolveFlags::BENEATH)
}

/// What keeps the path of a file in its root. Links to absolute paths do not lead out of the whole
/// file system.
fn bounds(file: &FilePath) -> ResolveFlags {
    if file.root == "/" {
        ResolveFlags::IN_ROOT
    } else {
        ResolveFlags::BENEATH
    }
}

fn open_within(
    base: impl AsFd,
    path: &[u8],
    flags: OFlags,
    bounds: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    // `PATH`, which does not open the file, excludes other flags.
    let careful = if flags.contains(OFlags::PATH) {
        OFlags::CLOEXEC
    } else {
        OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
    };
    let flags = flags | careful;
    let bounds = bounds | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(base, path, flags, Mode::empty(), bounds)
}

/// Opens the root of a file's path, in the file system whose root is `root`.
fn open_root(root: &Path, file: &FilePath) -> Result<OwnedFd, Refusal> {
    find_root(root, &file.root)?.ok_or_else(|| refusal(&file.root, Errno::NOENT))
}

/// Opens the root of paths. `None` if a command has removed it: then nothing is below it. It is not
/// made again, as for a command or a new file, because who only looks must not change anything.
fn find_root(root: &Path, top: &str) -> Result<Option<OwnedFd>, Refusal> {
    let path = octets::decode(top);
    let directory = OFlags::PATH | OFlags::DIRECTORY;
    let opened = rustix::fs::open(root, directory | OFlags::CLOEXEC, Mode::empty())
        .and_then(|root| open(root, path.strip_prefix(b"/").unwrap_or(&path), directory));
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(refusal(top, error)),
    }
}

/// The path in readable form.
fn shown(file: &FilePath) -> String {
    if file.path.is_empty() {
        file.root.clone()
    } else {
        format!("{}/{}", file.root.trim_end_matches('/'), file.path)
    }
}

/// Returns the refusal for an error of the kernel.
fn refusal(path: &str, error: Errno) -> Refusal {
    let (reason, why) = match error {
        Errno::NOENT => (RefusalReason::NoSuchFile, "there is no such file"),
        Errno::NOTDIR => (RefusalReason::BadPath, "a part of the path is no directory"),
        Errno::XDEV => (
            RefusalReason::BadPath,
            "a symbolic link on the path leads out of the workspace",
        ),
        Errno::LOOP => (
            RefusalReason::BadPath,
            "the symbolic links on the path lead nowhere",
        ),
        Errno::ISDIR => (RefusalReason::NotAFile, "it is a directory"),
        // For example a socket.
        Errno::NXIO => (RefusalReason::NotAFile, "it is no regular file"),
        error => {
            let message = format!("{path}: {error}");
            return Refusal::new(RefusalReason::FileFailed, message);
        }
    };
    Refusal::new(reason, format!("{path}: {why}"))
}
