//! Carries out [`Call::WriteFile`](pyro_protocol::Call::WriteFile).

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use pyro_protocol::{Answer, FilePath, Refusal, RefusalReason, octets};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::{open, refusal, shown};
use crate::directories;
use crate::streams::task::{Outcome, Pipes};
use crate::unpack;
use crate::unpack::staging::{Staging, create_file};

/// The permissions of a file that did not exist before.
const NEW_MODE: u32 = 0o644;
const STAGED: &str = "file";

/// The properties of the new file.
pub(crate) struct New {
    /// The size of the input.
    pub(crate) bytes: u64,
    pub(crate) mode: Option<u32>,
    /// See [`Call::WriteFile`](pyro_protocol::Call::WriteFile).
    pub(crate) if_match: Option<String>,
}

/// The existing file at a path.
struct Present {
    mode: u32,
    uid: u32,
    gid: u32,
}

/// Stages the input, and renames it to its path when all of it is on the disk.
pub(crate) fn write(root: &Path, file: &FilePath, new: &New, pipes: Pipes) -> Outcome {
    let (ground, staging) = unpack::stage(root).map_err(|error| refused(file, &error))?;
    let outcome = stage_and_place(&ground.root, &staging, file, new, pipes, || ground.lock());
    // The next write removes what cannot be removed now.
    drop(staging.remove());
    outcome
}

fn stage_and_place<L>(
    root: &OwnedFd,
    staging: &Staging,
    file: &FilePath,
    new: &New,
    pipes: Pipes,
    lock: impl FnOnce() -> Result<L, crate::Error>,
) -> Outcome {
    let staged = receive(staging, new.bytes, pipes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            let message = format!("{}: its content did not arrive completely", shown(file));
            Refusal::new(RefusalReason::Cut, message)
        }
        _ => refused(file, &error),
    })?;
    let failed = |error| refusal(&shown(file), error);
    let path = octets::decode(&file.path);
    let (parent, name) = directories::split(&path);
    let parent = open_parent(root, &octets::decode(&file.root), parent).map_err(failed)?;
    // From here on no other call changes the file; commands still may.
    let _lock = lock().map_err(|error| refused(file, &error))?;
    let present = look(&parent, name, file)?;
    if let Some(condition) = &new.if_match {
        check(&parent, name, present.is_some(), condition, file)?;
    }
    let mode = new.mode.or(present.as_ref().map(|present| present.mode));
    let mode = mode.unwrap_or(NEW_MODE) & 0o7777;
    if let Some(present) = &present {
        let (uid, gid) = (Uid::from_raw(present.uid), Gid::from_raw(present.gid));
        rustix::fs::fchown(&staged, Some(uid), Some(gid)).map_err(failed)?;
    }
    rustix::fs::fchmod(&staged, Mode::from_raw_mode(mode)).map_err(failed)?;
    rustix::fs::fsync(&staged).map_err(failed)?;
    rustix::fs::renameat(&staging.directory, STAGED, &parent, name).map_err(failed)?;
    rustix::fs::fsync(&parent).map_err(failed)?;
    Ok(Answer::FileWritten {
        created: present.is_none(),
        mode,
    })
}

fn refused(file: &FilePath, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(
        RefusalReason::FileFailed,
        format!("{}: {error}", shown(file)),
    )
}

/// Writes the input to a file in the staging directory.
fn receive(staging: &Staging, bytes: u64, pipes: Pipes) -> io::Result<OwnedFd> {
    let Pipes { input, output } = pipes;
    drop(output);
    let mut staged = File::from(create_file(&staging.directory, STAGED)?);
    if io::copy(&mut input.take(bytes), &mut staged)? != bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(staged.into())
}

/// Opens the parent directory of a file, and makes the missing directories, including the root.
fn open_parent(root: &OwnedFd, base: &[u8], parent: &[u8]) -> Result<OwnedFd, Errno> {
    let base = directories::open_or_make(root, base.strip_prefix(b"/").unwrap_or(base))?;
    match open(&base, parent, OFlags::RDONLY | OFlags::DIRECTORY) {
        Err(Errno::NOENT) => directories::open_or_make(&base, parent),
        opened => opened,
    }
}

/// Examines the path of a file: another file, or nothing.
fn look(parent: &OwnedFd, name: &[u8], file: &FilePath) -> Result<Option<Present>, Refusal> {
    let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(refusal(&shown(file), error)),
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Some(Present {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
        })),
        FileType::Directory => Err(refusal(&shown(file), Errno::ISDIR)),
        FileType::Symlink => {
            let message = format!("{}: it is a symbolic link", shown(file));
            Err(Refusal::new(RefusalReason::NotAFile, message))
        }
        _ => Err(refusal(&shown(file), Errno::NXIO)),
    }
}

/// Compares a file with the content that the caller expects.
fn check(
    parent: &OwnedFd,
    name: &[u8],
    exists: bool,
    condition: &str,
    file: &FilePath,
) -> Result<(), Refusal> {
    let changed = |why: &str| {
        let message = format!("{}: {why}", shown(file));
        Err(Refusal::new(RefusalReason::Changed, message))
    };
    match (exists, condition) {
        (false, "") => Ok(()),
        (false, _) => changed("it does not exist"),
        (true, "") => changed("it exists"),
        (true, condition) => {
            let now = digest(parent, name).map_err(|error| refused(file, &error))?;
            if now == condition {
                return Ok(());
            }
            changed(&format!("the SHA-256 of what it holds is {now}"))
        }
    }
}

pub(crate) fn digest(parent: impl AsFd, name: &[u8]) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    let mut text = String::new();
    for byte in hasher.finalize() {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02x}");
    }
    Ok(text)
}
