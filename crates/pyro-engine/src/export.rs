//! An *export* brings files out of a workspace. They are made in a staging directory beside their
//! place, and renamed into it when all of them are there.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use pyro_archive::{Extracted, Top, extract};
use pyro_machine::{Answer, Call, FilePath, PACKED_NAME, copy_disk};
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::rand::GetRandomFlags;
use tokio::sync::oneshot;

use crate::instance::{self, Instance};
use crate::permissions::Destination;
use crate::transfer::tell;
use crate::{Error, Listener};

/// What the names of staging directories have in them, before a number.
const PARTIAL: &str = ".pyro-partial-";
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What was exported.
pub(crate) struct Exported {
    pub(crate) artifact_type: &'static str,
    pub(crate) entry_count: u64,
    pub(crate) bytes_written: u64,
    pub(crate) left_out: u64,
    pub(crate) changed: u64,
}

/// Makes a file, a directory or a link of the workspace at its destination. If the future is
/// dropped before that, nothing is there.
pub(crate) async fn export(
    instance: &Instance,
    file: FilePath,
    destination: Destination,
    force: bool,
    listener: &Listener,
) -> Result<Exported, Error> {
    if !force {
        check_free(&destination)?;
    }
    sweep(&destination.directory);
    let staging = Staging::make(&destination).map_err(|error| Error::transfer(&error))?;
    let (output, input) = tokio::net::UnixStream::pair()
        .and_then(|(output, input)| Ok((output, blocking(input)?)))
        .map_err(|error| Error::transfer(&error))?;
    let mut extraction = Extraction::begin(staging, input, listener)?;
    // Declared after the extraction, so that it is closed before somebody waits for its end.
    let mut output = output;
    let call = Call::Pack { file };
    let answer = instance::call(instance, &call, &[], &mut output).await;
    drop(output);
    let extracted = extraction.result().await?;
    let (extracted, packed) = match (extracted, answer) {
        // The call could not write any more because what it wrote was refused.
        (Err(error), Err(call)) if call.is_of_output() => return Err(refused(error)),
        (_, Err(error)) => return Err(error),
        (Err(error), Ok(_)) => return Err(refused(error)),
        (Ok(extracted), Ok(answer)) => (extracted, answer),
    };
    let exported = check(&extracted, &packed)?;
    if let Top::Directory(_) = extracted.top {
        refuse_archive(&destination)?;
    }
    extraction
        .staging
        .place(extracted.top, &destination, force)
        .map_err(|error| match error {
            Errno::EXIST => exists(&destination),
            error => Error::transfer(&error),
        })?;
    Ok(exported)
}

/// Moves a file that is complete to its destination.
pub(crate) fn place_file(file: &Path, destination: &Destination, force: bool) -> Result<(), Error> {
    let failed = |error: io::Error| Error::transfer(&error);
    sweep(&destination.directory);
    let staging = Staging::make(destination).map_err(failed)?;
    let staged = PathBuf::from(format!("/proc/self/fd/{}", staging.open.as_raw_fd()));
    let staged = staged.join(PACKED_NAME);
    match std::fs::rename(file, &staged) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy_disk(file, &staged)?,
        renamed => renamed
            .and_then(|()| File::open(&staged)?.sync_all())
            .map_err(failed)?,
    }
    staging
        .place(Top::File, destination, force)
        .map_err(|error| match error {
            Errno::EXIST => exists(destination),
            error => failed(error.into()),
        })
}

/// Fails if there is something at a destination.
pub(crate) fn check_free(destination: &Destination) -> Result<(), Error> {
    if is_there(destination)? {
        return Err(exists(destination));
    }
    Ok(())
}

fn blocking(stream: tokio::net::UnixStream) -> io::Result<UnixStream> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Compares what has come with what the guest says it has sent.
fn check(extracted: &Extracted, answer: &Answer) -> Result<Exported, Error> {
    match *answer {
        Answer::Packed {
            entries,
            bytes,
            left_out,
            changed,
        } if entries == extracted.entry_count && bytes == extracted.bytes_written => Ok(Exported {
            artifact_type: match extracted.top {
                Top::File => "file",
                Top::Symlink => "symlink",
                Top::Directory(_) => "directory",
            },
            entry_count: entries,
            bytes_written: bytes,
            left_out,
            changed,
        }),
        _ => Err(Error::guest_output("files", &format!("{answer:?}"))),
    }
}

/// The host's disk may fail; everything else is the guest's fault.
fn refused(error: pyro_archive::Error) -> Error {
    match error {
        error @ pyro_archive::Error::Write { .. } => error.into(),
        error => Error::guest_output("files", &error),
    }
}

fn exists(destination: &Destination) -> Error {
    let path = pyro_text::line(&destination.path.to_string_lossy());
    Error::invalid(format!("output_path already exists: {path}"))
        .remedy("name another path, or replace what is there with `--force`")
}

/// Whoever exports a directory to such a name wants an archive, and would not get one.
fn refuse_archive(destination: &Destination) -> Result<(), Error> {
    let name = destination.name.to_string_lossy().to_ascii_lowercase();
    let endings = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".zip"];
    if !endings.iter().any(|ending| name.ends_with(ending)) {
        return Ok(());
    }
    let message = "a directory is exported as a directory, and output_path has an archive's name";
    Err(Error::invalid(message).remedy("name a directory, and pack it there: `tar czf`"))
}

fn is_there(destination: &Destination) -> Result<bool, Error> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    match rustix::fs::statat(&destination.directory, &destination.name, flags) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(Error::transfer(&error)),
    }
}

/// A thread that extracts a stream into a staging directory.
struct Extraction {
    thread: Option<JoinHandle<()>>,
    result: oneshot::Receiver<Result<Extracted, pyro_archive::Error>>,
    staging: Staging,
}

impl Extraction {
    fn begin(staging: Staging, mut input: UnixStream, listener: &Listener) -> Result<Self, Error> {
        let listener = listener.clone();
        let directory = staging.open.try_clone();
        let directory = directory.map_err(|error| Error::transfer(&error))?;
        let (sender, result) = oneshot::channel();
        let work = move || {
            let progress = tell("export", &listener);
            let extracted = extract(&mut input, directory.as_fd(), PACKED_NAME, &progress);
            // It fails if nobody waits any more.
            let _ = sender.send(extracted);
        };
        let thread = std::thread::Builder::new().spawn(work);
        Ok(Self {
            thread: Some(thread.map_err(|error| Error::transfer(&error))?),
            result,
            staging,
        })
    }

    async fn result(&mut self) -> Result<Result<Extracted, pyro_archive::Error>, Error> {
        let result = (&mut self.result).await;
        result.map_err(|error| Error::transfer(&error))
    }
}

/// Waits for the thread, which ends at the end of its stream: what it makes afterwards would not be
/// removed.
impl Drop for Extraction {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A directory that is removed when it is dropped. It is locked as long as somebody uses it.
struct Staging {
    parent: OwnedFd,
    name: OsString,
    open: OwnedFd,
}

impl Staging {
    fn make(destination: &Destination) -> io::Result<Self> {
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, GetRandomFlags::empty())?;
        // The name of what is exported may be as long as a name can be.
        let name = OsString::from(format!("{PARTIAL}{:016x}", u64::from_ne_bytes(random)));
        let parent = destination.directory.try_clone()?;
        rustix::fs::mkdirat(&parent, &name, Mode::RWXU)?;
        let open = rustix::fs::openat(&parent, &name, DIRECTORY, Mode::empty())?;
        let staging = Self { parent, name, open };
        // It fails if another export takes this one for a dead one's, in this very moment.
        rustix::fs::flock(&staging.open, FlockOperation::NonBlockingLockExclusive)?;
        Ok(staging)
    }

    /// Moves what was made to its place.
    fn place(&self, top: Top, destination: &Destination, force: bool) -> Result<(), Errno> {
        let (from, to) = (&self.open, &destination.directory);
        let rename =
            |flags| rustix::fs::renameat_with(from, PACKED_NAME, to, &destination.name, flags);
        match rename(RenameFlags::NOREPLACE) {
            // What was there is in the staging directory then, and removed with it.
            Err(Errno::EXIST) if force => rename(RenameFlags::EXCHANGE)?,
            renamed => renamed?,
        }
        if let Top::Directory(directory) = top {
            directory.finish().map_err(|_| Errno::IO)?;
        }
        rustix::fs::fsync(to)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        remove(&self.parent, &self.name);
    }
}

/// Removes what dead exports have left in a directory.
fn sweep(parent: &OwnedFd) {
    let Ok(entries) = Dir::read_from(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = std::ffi::OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
        let number = name.as_bytes().strip_prefix(PARTIAL.as_bytes());
        if number.is_none_or(|number| number.len() != 16) {
            continue;
        }
        let Ok(open) = rustix::fs::openat(parent, &name, DIRECTORY, Mode::empty()) else {
            continue;
        };
        if rustix::fs::flock(&open, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove(parent, &name);
        }
    }
}

/// Removes a staging directory. What cannot be removed now the next export removes.
fn remove(parent: &OwnedFd, name: &OsString) {
    let path = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name);
    if std::fs::remove_dir_all(&path).is_ok() {
        return;
    }
    let Ok(open) = rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()) else {
        return;
    };
    make_writable(&open);
    if let Err(error) = std::fs::remove_dir_all(&path) {
        tracing::warn!(%error, path = %path.display(), "a partial export was not removed");
    }
}

/// Gives a user the permissions to remove what is in a directory.
fn make_writable(directory: &OwnedFd) {
    let Ok(entries) = Dir::read_from(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_bytes() == b"." || name.to_bytes() == b".." {
            continue;
        }
        // No link is opened, and so no link's target changed.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(found) = rustix::fs::openat(directory, name, flags, Mode::empty()) else {
            continue;
        };
        let path = format!("/proc/self/fd/{}", found.as_raw_fd());
        let changed = rustix::fs::chmod(&*path, Mode::RWXU);
        let opened = File::open(&path);
        if let (Ok(()), Ok(opened)) = (changed, opened) {
            make_writable(&opened.into());
        }
    }
}
