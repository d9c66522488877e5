//! *Transfers* copy files into a workspace: at its creation as an image that the guest mounts,
//! later as a stream that it unpacks.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pyro_archive::{PathLimits, Report, Source, SourceKind, write_image, write_tar};
use pyro_machine::{UNPACKED_LIST_BYTES, UNPACKED_PATH_BYTES};

use crate::instance::{Instance, Push, SeedRecord, seed_in};
use crate::left_out::{LeftOut, TransferWarning};
use crate::off_thread::off_thread;
use crate::request::WORKSPACE;
use crate::request::path_text;
use crate::{Error, Event, Listener};

/// The kind of a source, as results name it.
pub(crate) fn mode(source: &Source) -> &'static str {
    match source.kind() {
        SourceKind::Directory => "directory",
        SourceKind::TarArchive => "tar_archive",
        SourceKind::ZipArchive => "zip_archive",
    }
}

/// Makes the image of a seed in the directory of its workspace.
pub(crate) async fn seed(
    source: Source,
    directory: &Path,
    listener: &Listener,
) -> Result<SeedRecord, Error> {
    let image = seed_in(directory);
    let mode = mode(&source).to_owned();
    let path = path_text(source.path());
    let to_writer = listener.clone();
    let written = tokio::task::spawn_blocking(move || write_seed(&source, &image, &to_writer));
    let report = written.await.map_err(|error| Error::transfer(&error))??;
    announce(&report, listener);
    Ok(SeedRecord {
        mode,
        path,
        entry_count: report.entry_count,
        bytes_written: report.bytes_written,
        left_out: LeftOut::of(&report),
        warnings: TransferWarning::all(&report),
    })
}

fn write_seed(source: &Source, image: &PathBuf, listener: &Listener) -> Result<Report, Error> {
    let mut options = File::options();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(image)
        .map_err(|error| Error::transfer(&error))?;
    let progress = progress_to("seed", listener);
    let report = write_image(source, &file, &WORKSPACE[1..], &progress)?;
    file.sync_all().map_err(|error| Error::transfer(&error))?;
    Ok(report)
}

/// Sends a source to a running workspace; returns when all files are in place. If the future is
/// dropped before that, nothing is changed.
pub(crate) async fn push(
    source: Source,
    instance: Instance,
    destination: &str,
    listener: &Listener,
) -> Result<Report, Error> {
    let limits = path_limits(destination);
    let checked = off_thread(move || source.check_paths(limits).map(|()| source));
    let source = checked.await?;
    let push = Push::begin(&instance, destination)?;
    let hang_up = push.hang_up().map_err(|error| Error::transfer(&error))?;
    let to_sender = listener.clone();
    let sent =
        tokio::task::spawn_blocking(move || send(&source, push, &instance, limits, &to_sender));
    let report = sent.await.map_err(|error| Error::transfer(&error))?;
    drop(hang_up);
    let report = report?;
    announce(&report, listener);
    Ok(report)
}

/// The guest's limits on paths, which include the destination.
fn path_limits(destination: &str) -> PathLimits {
    PathLimits {
        path_bytes: UNPACKED_PATH_BYTES,
        list_bytes: UNPACKED_LIST_BYTES - destination.len() as u64 - 1,
    }
}

/// Reports the warnings as events; programs find them in the response.
fn announce(report: &Report, listener: &Listener) {
    if let Some(left_out) = LeftOut::of(report) {
        listener.report(Event::Notice(left_out.line()));
    }
    for warning in TransferWarning::all(report) {
        let text = format!("{}. {}", warning.message, warning.remedy);
        listener.report(Event::Warning(text));
    }
}

fn send(
    source: &Source,
    mut push: Push,
    instance: &Instance,
    limits: PathLimits,
    listener: &Listener,
) -> Result<Report, Error> {
    match write_tar(source, &mut push, limits, &progress_to("push", listener)) {
        Ok(report) => push.end(instance).map(|()| report),
        // The supervisor hung up; its reply gives the reason.
        Err(error @ pyro_archive::Error::Write { .. }) => {
            push.end(instance)?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn progress_to(
    what: &'static str,
    listener: &Listener,
) -> impl Fn(pyro_archive::Progress) {
    let listener = listener.clone();
    move |progress: pyro_archive::Progress| {
        listener.report(Event::Transfer {
            what,
            bytes: progress.bytes,
            total: progress.total,
        });
    }
}
