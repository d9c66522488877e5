//! To *prune* the cache: remove all that no environment of this version needs. What somebody is
//! building right now is left alone.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use crate::Error;
use crate::catalog::CATALOG;
use crate::confined;
use crate::initramfs;
use crate::layout::{INITRAMFS, KERNEL_RECORD, KERNELS, Layout};
use crate::lock::Lock;
use crate::ready::{self, Place, State};

/// Removes what is not needed and returns the names of the directories removed, sorted. Kernels
/// are named `kernels/VERSION`. If some cannot be removed, all others are before this fails.
pub(crate) fn prune(layout: &Layout) -> Result<Vec<String>, Error> {
    let platform = layout.platform();
    let mut removed = Vec::new();
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
        if !is_current(layout, &name)? {
            // One that resists, being somebody else's, is no reason to keep the others.
            match remove(layout, &platform.join(&name), key) {
                Ok(()) => removed.push(name),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
    }
    removed.extend(prune_kernels(layout)?);
    prune_initramfs(layout)?;
    removed.sort_unstable();
    failure.map_or(Ok(removed), Err)
}

fn is_current(layout: &Layout, name: &str) -> Result<bool, Error> {
    let Some(entry) = CATALOG.iter().find(|entry| entry.directory_name() == name) else {
        return Ok(false);
    };
    Ok(matches!(
        ready::look(&Place::of(layout, entry))?,
        State::Installed(_)
    ))
}

/// Removes a directory so that, if that is interrupted, what is left is a partial directory.
fn remove(layout: &Layout, directory: &Path, key: &str) -> Result<(), Error> {
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

fn prune_kernels(layout: &Layout) -> Result<Vec<String>, Error> {
    let directory = layout.kernels();
    let names = directories(&directory)?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let Some(_lock) = Lock::attempt(&layout.lock(KERNELS)) else {
        return Ok(Vec::new());
    };
    let mut needed = BTreeSet::new();
    for entry in CATALOG {
        if let State::Installed(manifest) = ready::look(&Place::of(layout, entry))? {
            needed.insert(layout.kernel(&manifest.kernel_package_version));
        }
    }
    let mut removed = Vec::new();
    for name in names {
        let path = directory.join(&name);
        if needed.contains(&path) && path.join(KERNEL_RECORD).is_file() {
            continue;
        }
        remove(layout, &path, KERNELS)?;
        removed.push(format!("{KERNELS}/{name}"));
    }
    Ok(removed)
}

/// Removes the archives of other builds' agents, and of modules that no environment has. Any of
/// them is made again in a moment when it is asked for.
fn prune_initramfs(layout: &Layout) -> Result<(), Error> {
    let mut needed = BTreeSet::new();
    for entry in CATALOG {
        if let State::Installed(manifest) = ready::look(&Place::of(layout, entry))? {
            needed.insert(initramfs::key(&manifest.files.modules));
        }
    }
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
