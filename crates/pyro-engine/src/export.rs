//! An *export* copies files out of a workspace. They are written to a staging directory beside the
//! destination and renamed when they are complete, or written to a stream.

mod format;
mod staging;

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use pyro_archive::{Extracted, Packer, Packing, Progress, Target, Top, extract};
use pyro_machine::{Answer, Call, FilePath, PACKED_NAME, copy_disk, octets};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;

use self::format::Format;
use self::staging::{Staging, sweep};
use crate::instance::{self, Instance};
use crate::off_thread::pipe;
use crate::permissions::{Destination, Permissions};
use crate::request::WORKSPACE;
use crate::transfer::progress_to;
use crate::{Error, Listener};

/// The destination of an export.
pub(crate) enum Output<'a> {
    /// A path on the host, in the format that its extension says.
    Path(Destination, Existing),
    /// A stream, as a tar file.
    Stream(&'a mut (dyn AsyncWrite + Send + Unpin)),
}

/// Whether an existing file at the destination may be replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Existing {
    Replaced,
    Kept,
    /// Kept; the caller may not request its replacement.
    Protected,
}

impl Existing {
    /// Returns the policy for a caller. A model may create files in the directories that the
    /// operator allows, but not remove any.
    pub(crate) fn for_caller(force: bool, permissions: &Permissions) -> Result<Self, Error> {
        match (force, &permissions.files) {
            (true, Some(_)) => Err(Error::not_allowed("force is not allowed on this server")),
            (true, None) => Ok(Self::Replaced),
            (false, None) => Ok(Self::Kept),
            (false, Some(_)) => Ok(Self::Protected),
        }
    }
}

/// What was exported.
pub(crate) struct Exported {
    pub(crate) artifact_type: &'static str,
    pub(crate) entry_count: u64,
    pub(crate) bytes_written: u64,
    pub(crate) left_out: u64,
    pub(crate) changed: u64,
}

/// Copies a file, a directory or a link of the workspace to its destination. If the future is
/// dropped before that, a path is not changed, and a stream has no end mark.
pub(crate) async fn export(
    instance: &Instance,
    file: FilePath,
    output: Output<'_>,
    listener: &Listener,
) -> Result<Exported, Error> {
    match output {
        Output::Path(destination, existing) => {
            to_path(instance, file, &destination, existing, listener).await
        }
        Output::Stream(stream) => to_stream(instance, file, stream, listener).await,
    }
}

async fn to_path(
    instance: &Instance,
    file: FilePath,
    destination: &Destination,
    existing: Existing,
    listener: &Listener,
) -> Result<Exported, Error> {
    check_free(destination, existing)?;
    sweep(&destination.directory);
    let staging = Staging::make(destination).map_err(|error| Error::transfer(&error))?;
    let directory = staging.open.try_clone();
    let directory = directory.map_err(|error| Error::transfer(&error))?;
    let name = name(&file);
    let format = Format::wanted(&destination.name, &name);
    let make = move |input: &mut dyn Read, progress: &dyn Fn(Progress)| {
        make(input, directory.as_fd(), &name, &format, progress)
    };
    let (extracted, exported) = receive(instance, file, listener, make).await?;
    staging
        .place(
            extracted.directory,
            destination,
            existing == Existing::Replaced,
        )
        .map_err(|error| misplaced(error, destination, existing))?;
    Ok(exported)
}

/// Writes the received files to a staging directory, in the requested format.
fn make(
    input: &mut dyn Read,
    directory: BorrowedFd<'_>,
    name: &[u8],
    format: &Format,
    progress: &dyn Fn(Progress),
) -> Result<Extracted, pyro_archive::Error> {
    let failed = |source| pyro_archive::Error::Write {
        output: "archive",
        source,
    };
    let archive = OnceCell::new();
    let mut choose = |top| {
        let Some(packing) = format.of(top)? else {
            return Ok(Target::Files(directory));
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let opened = rustix::fs::openat(directory, PACKED_NAME, flags, mode);
        let opened = opened.map_err(|error| failed(error.into()))?;
        let file: &File = archive.get_or_init(|| File::from(opened));
        Ok(tar(Packer::new(packing, file), name))
    };
    let extracted = extract(input, PACKED_NAME, &mut choose, progress)?;
    if let Some(file) = archive.get() {
        file.sync_all().map_err(failed)?;
    }
    Ok(extracted)
}

async fn to_stream(
    instance: &Instance,
    file: FilePath,
    stream: &mut (dyn AsyncWrite + Send + Unpin),
    listener: &Listener,
) -> Result<Exported, Error> {
    let (packed, output) = pipe().map_err(|error| Error::transfer(&error))?;
    let name = name(&file);
    let make = move |input: &mut dyn Read, progress: &dyn Fn(Progress)| {
        let mut choose = |_| Ok(tar(Packer::new(Packing::Plain, &output), &name));
        extract(input, PACKED_NAME, &mut choose, progress)
    };
    let copy = async move {
        let mut packed = packed;
        tokio::io::copy(&mut packed, stream).await?;
        stream.flush().await
    };
    // The order of the fields is the order in which they are dropped: the thread's output must be
    // closed before its end is awaited.
    let (copied, received) = tokio::join!(copy, receive(instance, file, listener, make));
    copied.map_err(|error| pyro_machine::Error::output(&error))?;
    received.map(|(_, exported)| exported)
}

/// A tar file in which the caller owns everything.
fn tar<'a>(output: Packer<'a>, name: &'a [u8]) -> Target<'a> {
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    Target::Tar {
        output,
        name,
        owner: (user, group),
    }
}

/// Returns the name of the exported file or directory.
fn name(file: &FilePath) -> Vec<u8> {
    let path = octets::decode(&file.path);
    match path.rsplit(|byte| *byte == b'/').next() {
        Some(name) if !name.is_empty() => name.to_vec(),
        _ => WORKSPACE.as_bytes()[1..].to_vec(),
    }
}

/// Makes the guest send files, which a thread processes.
async fn receive(
    instance: &Instance,
    file: FilePath,
    listener: &Listener,
    make: impl FnOnce(&mut dyn Read, &dyn Fn(Progress)) -> Result<Extracted, pyro_archive::Error>
    + Send
    + 'static,
) -> Result<(Extracted, Exported), Error> {
    let (output, input) = pipe().map_err(|error| Error::transfer(&error))?;
    let mut extraction = Extraction::begin(input, make, listener)?;
    // Declared after the extraction, so that it is closed before the extraction's end is awaited.
    let mut output = output;
    let call = Call::Pack { file };
    let answer = instance::call(instance, &call, &[], &mut output).await;
    drop(output);
    let extracted = extraction.result().await?;
    let (extracted, packed) = match (extracted, answer) {
        (Err(pyro_archive::Error::NotWanted), _) => return Err(format::refused()),
        // The call could not continue to write because its output was refused.
        (Err(error), Err(call)) if call.is_of_output() => return Err(refused(error)),
        (_, Err(error)) => return Err(error),
        (Err(error), Ok(_)) => return Err(refused(error)),
        (Ok(extracted), Ok(answer)) => (extracted, answer),
    };
    let exported = check(&extracted, &packed)?;
    Ok((extracted, exported))
}

/// Moves a complete file to its destination.
pub(crate) fn place_file(
    file: &Path,
    destination: &Destination,
    existing: Existing,
) -> Result<(), Error> {
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
        .place(None, destination, existing == Existing::Replaced)
        .map_err(|error| misplaced(error, destination, existing))
}

/// Fails if the destination exists and must not be replaced.
pub(crate) fn check_free(destination: &Destination, existing: Existing) -> Result<(), Error> {
    if existing != Existing::Replaced && is_there(destination)? {
        return Err(exists(destination, existing));
    }
    Ok(())
}

fn misplaced(error: Errno, destination: &Destination, existing: Existing) -> Error {
    match error {
        Errno::EXIST => exists(destination, existing),
        error => Error::transfer(&error),
    }
}

/// Compares the received files with the guest's summary of what it sent.
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
                Top::Directory => "directory",
            },
            entry_count: entries,
            bytes_written: bytes,
            left_out,
            changed,
        }),
        _ => Err(Error::guest_output("files", &format!("{answer:?}"))),
    }
}

/// Only errors of the host's disk are the host's; all others are the guest's.
fn refused(error: pyro_archive::Error) -> Error {
    match error {
        error @ pyro_archive::Error::Write { .. } => error.into(),
        error => Error::guest_output("files", &error),
    }
}

fn exists(destination: &Destination, existing: Existing) -> Error {
    let path = pyro_text::line(&destination.path.to_string_lossy());
    let error = Error::invalid(format!("output_path already exists: {path}"));
    error.remedy(match existing {
        Existing::Protected => "name another path",
        _ => "name another path, or replace it with `--force`",
    })
}

fn is_there(destination: &Destination) -> Result<bool, Error> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    match rustix::fs::statat(&destination.directory, &destination.name, flags) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(Error::transfer(&error)),
    }
}

/// A thread that processes a stream.
struct Extraction {
    thread: Option<JoinHandle<()>>,
    result: oneshot::Receiver<Result<Extracted, pyro_archive::Error>>,
}

impl Extraction {
    fn begin(
        mut input: UnixStream,
        make: impl FnOnce(&mut dyn Read, &dyn Fn(Progress)) -> Result<Extracted, pyro_archive::Error>
        + Send
        + 'static,
        listener: &Listener,
    ) -> Result<Self, Error> {
        let listener = listener.clone();
        let (sender, result) = oneshot::channel();
        let work = move || {
            let extracted = make(&mut input, &progress_to("export", &listener));
            // This fails if the receiver is gone.
            let _ = sender.send(extracted);
        };
        let thread = std::thread::Builder::new().spawn(work);
        Ok(Self {
            thread: Some(thread.map_err(|error| Error::transfer(&error))?),
            result,
        })
    }

    async fn result(&mut self) -> Result<Result<Extracted, pyro_archive::Error>, Error> {
        let result = (&mut self.result).await;
        result.map_err(|error| Error::transfer(&error))
    }
}

/// Waits for the thread, which ends at the end of its stream: files that it created later would not
/// be removed.
impl Drop for Extraction {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
