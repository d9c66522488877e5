//! To *remove* an environment, by name.

use std::fs;

use crate::catalog::Entry;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::name::Name;
use crate::progress::{Listener, Progress};
use crate::removed::Removed;
use crate::source::Source;
use crate::users::Users;
use crate::{Error, disk_use, oci, prune, ready};

/// Removes an environment that nobody uses. Of an image the name goes, and the image with the last
/// one of its names.
pub(crate) async fn remove(
    layout: &Layout,
    name: &str,
    users: &Users,
    progress: Listener<'_>,
) -> Result<Removed, Error> {
    match Name::parse(name)? {
        Name::Entry(entry) => remove_entry(layout, entry, users, progress).await,
        Name::Image(source) => remove_image(layout, name, &source, users, progress).await,
    }
}

async fn remove_entry(
    layout: &Layout,
    entry: &'static Entry,
    users: &Users,
    progress: Listener<'_>,
) -> Result<Removed, Error> {
    let place = ready::Place::of(layout, entry);
    check_unused(entry.name, users.of_entry(entry.name), users)?;
    if fs::symlink_metadata(&place.directory).is_err() {
        return Err(not_installed(entry.name));
    }
    let _lock = Lock::acquire(&place.lock, || waiting(progress)).await?;
    let bytes = disk_use::freed(&place.directory);
    prune::remove(layout, &place.directory, &entry.directory_name())?;
    Ok(Removed {
        directories: vec![entry.directory_name()],
        bytes,
    })
}

async fn remove_image(
    layout: &Layout,
    name: &str,
    source: &Source,
    users: &Users,
    progress: Listener<'_>,
) -> Result<Removed, Error> {
    if !layout.oci().is_dir() {
        return Err(not_installed(name));
    }
    let lock = Lock::acquire(&layout.oci_lock(), || waiting(progress)).await?;
    let names = oci::names_of(layout, source)?;
    let Some(digest) = names.digest else {
        return Err(not_installed(name));
    };
    if names.others == 0 {
        check_unused(name, users.of_image(&digest), users)?;
    }
    oci::forget(layout, &names.these)?;
    oci::sweep(layout, users.images().as_ref(), &lock)
}

fn check_unused(name: &str, by: Vec<String>, users: &Users) -> Result<(), Error> {
    if by.is_empty() && !users.may_be_more {
        return Ok(());
    }
    let name = name.to_owned();
    Err(Error::InUse { name, by })
}

fn not_installed(name: &str) -> Error {
    Error::NotInstalled {
        name: name.to_owned(),
    }
}

fn waiting(progress: Listener<'_>) {
    progress(Progress::Notice(
        "waiting for another process to finish installing an environment".into(),
    ));
}
