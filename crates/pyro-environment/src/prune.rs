//! To *prune* the cache: remove all that no environment of this version needs, and, if it is asked
//! for, environments that nobody has used for long. What somebody is building right now is left
//! alone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::Error;
use crate::catalog::CATALOG;
use crate::confined;
use crate::disk_use;
use crate::initramfs;
use crate::last_use;
use crate::layout::{INITRAMFS, KERNEL_RECORD, KERNELS, Layout};
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::oci;
use crate::ready::{self, Place, State};
use crate::removed::Removed;
use crate::users::Users;

/// Removes what is not needed and returns the names of the directories removed, sorted. Kernels
/// are named `kernels/VERSION`, images `oci/images/DIGEST`. If some cannot be removed, all others are
/// before this fails.
pub(crate) fn prune(
    layout: &Layout,
    users: &Users,
    unused_for: Option<Duration>,
) -> Result<Removed, Error> {
    let platform = layout.platform();
    let mut removed = Removed::default();
    let mut failure = None;
    for name in directories(&platform)? {
        let key = match Layout::partial_key(&name) {
            Some(key) => key,
            None if name == KERNELS || name == INITRAMFS => continue,
            None => &name,
        };
        // Somebody is building it; a partial directory is then that build's.
        let Some(_lock) = Lock::attempt(&layout.lock(key)) else {
            continue;
        };
        if !is_needed(layout, &name, users, unused_for)? {
            let path = platform.join(&name);
            let bytes = disk_use::freed(&path);
            // One that resists, being somebody else's, is no reason to keep the others.
            match remove(layout, &path, key) {
                Ok(()) => {
                    removed.bytes += bytes;
                    removed.directories.push(name);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
    }
    match oci::prune(layout, users.images().as_ref(), unused_for) {
        Ok(images) => removed.add(images),
        Err(error) => failure = failure.or(Some(error)),
    }
    let installed = installed(layout)?;
    prune_kernels(layout, &installed, &mut removed)?;
    prune_initramfs(layout, &installed)?;
    removed.directories.sort_unstable();
    failure.map_or(Ok(removed), Err)
}

/// Whether a directory is an environment of the catalog that is installed and, if there is a time,
/// was used within it or has users.
fn is_needed(
    layout: &Layout,
    name: &str,
    users: &Users,
    unused_for: Option<Duration>,
) -> Result<bool, Error> {
    let Some(entry) = CATALOG.iter().find(|entry| entry.directory_name() == name) else {
        return Ok(false);
    };
    let place = Place::of(layout, entry);
    let State::Installed(manifest) = ready::look(&place)? else {
        return Ok(false);
    };
    let is_used = users.may_be_more || !users.of_entry(entry.name).is_empty();
    Ok(is_used
        || unused_for
            .is_none_or(|time| last_use::is_within(&place.directory, manifest.installed_at, time)))
}

/// Returns the manifests of all that is installed.
fn installed(layout: &Layout) -> Result<Vec<Manifest>, Error> {
    let mut manifests = oci::installed(layout)?;
    for entry in CATALOG {
        if let State::Installed(manifest) = ready::look(&Place::of(layout, entry))? {
            manifests.push(*manifest);
        }
    }
    Ok(manifests)
}

/// Removes a directory so that, if that is interrupted, what is left is a partial directory.
pub(crate) fn remove(layout: &Layout, directory: &Path, key: &str) -> Result<(), Error> {
    let name = directory
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    if Layout::partial_key(name).is_some() {
        return confined::remove(directory);
    }
    let doomed = layout
        .platform()
        .join(format!("{}removed", Layout::partial_prefix(key)));
    confined::remove(&doomed)?;
    fs::rename(directory, &doomed).map_err(Error::cache("remove", directory))?;
    confined::remove(&doomed)
}

fn prune_kernels(
    layout: &Layout,
    installed: &[Manifest],
    removed: &mut Removed,
) -> Result<(), Error> {
    let directory = layout.kernels();
    let names = directories(&directory)?;
    if names.is_empty() {
        return Ok(());
    }
    let Some(_lock) = Lock::attempt(&layout.lock(KERNELS)) else {
        return Ok(());
    };
    let needed = installed.iter();
    let needed: BTreeSet<_> = needed
        .map(|manifest| layout.kernel(&manifest.kernel_package_version))
        .collect();
    for name in names {
        let path = directory.join(&name);
        if needed.contains(&path) && path.join(KERNEL_RECORD).is_file() {
            continue;
        }
        let bytes = disk_use::freed(&path);
        remove(layout, &path, KERNELS)?;
        removed.bytes += bytes;
        removed.directories.push(format!("{KERNELS}/{name}"));
    }
    Ok(())
}

/// Removes the archives of other builds' agents, and of modules that no environment has. Any of
/// them is made again in a moment when it is asked for.
fn prune_initramfs(layout: &Layout, installed: &[Manifest]) -> Result<(), Error> {
    let needed = installed.iter();
    let needed: BTreeSet<_> = needed
        .map(|manifest| initramfs::key(&manifest.files.modules))
        .collect();
    let directory = layout.initramfs();
    for (name, _) in entries(&directory)? {
        let key = name.split('.').next().unwrap_or_default();
        // Files that are just being written have names that begin with a dot.
        if !key.is_empty() && !needed.contains(key) {
            let path = directory.join(&name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::cache("remove", path)(error));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Returns the names of the directories in a directory, which need not exist.
fn directories(parent: &Path) -> Result<Vec<String>, Error> {
    let entries = entries(parent)?;
    Ok(entries
        .into_iter()
        .filter(|(_, kind)| kind.is_dir())
        .map(|(name, _)| name)
        .collect())
}

fn entries(parent: &Path) -> Result<Vec<(String, fs::FileType)>, Error> {
    let entries = match fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::cache("read", parent)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::cache("read", parent))?;
        let kind = entry
            .file_type()
            .map_err(Error::cache("examine", entry.path()))?;
        // Names that are not UTF-8 are not ours.
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, kind));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

#[cfg(test)]
#[path = "prune_tests.rs"]
mod tests;
