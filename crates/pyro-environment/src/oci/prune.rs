//! To *prune* images: what no name stands for, what was interrupted, and what nobody has used for
//! long.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pyro_oci::Digest;

use super::place::place;
use super::store::{Pin, Store};
use crate::Error;
use crate::disk_use;
use crate::last_use;
use crate::layout::Layout;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::ready::{self, State};
use crate::removed::Removed;

/// How long the beginning of a download is kept.
const PART_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Removes what is not needed, besides images that are used; all are kept if it is not known which
/// those are. With a time, also images that were not used for so long. Does nothing while somebody
/// pulls or imports an image.
pub(crate) fn prune(
    layout: &Layout,
    used: Option<&BTreeSet<Digest>>,
    unused_for: Option<Duration>,
) -> Result<Removed, Error> {
    if !layout.oci().is_dir() {
        return Ok(Removed::default());
    }
    let Some(lock) = Lock::attempt(&layout.oci_lock()) else {
        return Ok(Removed::default());
    };
    if let (Some(used), Some(time)) = (used, unused_for) {
        forget_unused(layout, used, time)?;
    }
    sweep(layout, used, &lock)
}

/// Forgets names that stand for what was not used for so long.
fn forget_unused(layout: &Layout, used: &BTreeSet<Digest>, time: Duration) -> Result<(), Error> {
    let store = Store::new(layout);
    for pin in store.pins()? {
        let directory = place(layout, &pin.digest).directory;
        if !used.contains(&pin.digest) && !last_use::is_within(&directory, pin.pulled_at, time) {
            forget(&store, &pin)?;
        }
    }
    Ok(())
}

/// Forgets what a name stands for.
pub(crate) fn forget(store: &Store, pin: &Pin) -> Result<(), Error> {
    remove_file(&store.pin_file(&pin.reference))
}

/// Removes all images that nothing names, then all blobs that no image needs, and remains. The lock
/// is that of all images.
pub(crate) fn sweep(
    layout: &Layout,
    used: Option<&BTreeSet<Digest>>,
    _lock: &Lock,
) -> Result<Removed, Error> {
    let store = Store::new(layout);
    let mut removed = Removed::default();
    remove_remains(layout, &mut removed)?;
    let Some(used) = used else {
        return Ok(removed);
    };
    let pinned = store.pins()?.into_iter().map(|pin| pin.digest);
    let named: BTreeSet<Digest> = pinned.chain(used.iter().cloned()).collect();
    for (name, path) in entries(&layout.images())? {
        if name.starts_with('.') || !path.is_dir() {
            continue;
        }
        let digest = format!("sha256:{name}").parse::<Digest>().ok();
        let digest = digest.filter(|digest| named.contains(digest));
        let is_needed = match digest {
            None => false,
            // What is damaged or of another form is made again from its blobs.
            Some(digest) => matches!(ready::look(&place(layout, &digest))?, State::Installed(_)),
        };
        if !is_needed {
            remove_image(layout, &path, &mut removed)?;
        }
    }
    let mut needed = BTreeSet::new();
    for digest in &named {
        // Without its documents it is pulled again, if it is pulled.
        let Ok(image) = store.image(digest) else {
            continue;
        };
        needed.insert(digest.hex().to_owned());
        needed.insert(image.manifest.config.digest.hex().to_owned());
        let layers = image.manifest.layers.iter();
        needed.extend(layers.map(|layer| layer.digest.hex().to_owned()));
    }
    for (name, path) in entries(&layout.blobs())? {
        if !needed.contains(&name) {
            removed.bytes += disk_use::freed(&path);
            remove_file(&path)?;
        }
    }
    Ok(removed)
}

/// Removes what dead processes have left: nobody pulls while the lock is held.
fn remove_remains(layout: &Layout, removed: &mut Removed) -> Result<(), Error> {
    for (name, path) in entries(&layout.images())? {
        if Layout::partial_key(&name).is_some() {
            removed.bytes += disk_use::freed(&path);
            fs::remove_dir_all(&path).map_err(Error::cache("remove", &path))?;
            removed.directories.push(format!("oci/images/{name}"));
        }
    }
    for (name, path) in entries(&layout.downloads())? {
        if Layout::partial_key(&name).is_some() {
            removed.bytes += disk_use::freed(&path);
            fs::remove_dir_all(&path).map_err(Error::cache("remove", &path))?;
            removed.directories.push(format!("oci/downloads/{name}"));
        } else if path.extension() != Some(OsStr::new("part")) || is_old(&path) {
            // A lock that nobody holds, or what nobody goes on with.
            removed.bytes += disk_use::freed(&path);
            remove_file(&path)?;
        }
    }
    Ok(())
}

fn is_old(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|file| file.modified());
    modified.is_ok_and(|modified| {
        let ago = SystemTime::now().duration_since(modified);
        ago.is_ok_and(|ago| ago > PART_KEPT)
    })
}

/// Removes an image so that, if that is interrupted, what is left is a partial directory.
fn remove_image(layout: &Layout, path: &Path, removed: &mut Removed) -> Result<(), Error> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let doomed = layout
        .images()
        .join(format!("{}removed", Layout::partial_prefix(name)));
    if doomed.exists() {
        fs::remove_dir_all(&doomed).map_err(Error::cache("remove", &doomed))?;
    }
    removed.bytes += disk_use::freed(path);
    fs::rename(path, &doomed).map_err(Error::cache("remove", path))?;
    fs::remove_dir_all(&doomed).map_err(Error::cache("remove", &doomed))?;
    removed.directories.push(format!("oci/images/{name}"));
    Ok(())
}

/// Returns the manifests of the images that are installed.
pub(crate) fn installed(layout: &Layout) -> Result<Vec<Manifest>, Error> {
    let mut manifests = Vec::new();
    for (name, _) in entries(&layout.images())? {
        if let Ok(digest) = format!("sha256:{name}").parse::<Digest>()
            && let State::Installed(manifest) = ready::look(&place(layout, &digest))?
        {
            manifests.push(*manifest);
        }
    }
    Ok(manifests)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::cache("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Returns names and paths of what is in a directory, which need not exist, sorted.
fn entries(directory: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::cache("read", directory)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::cache("read", directory))?;
        // Names that are not UTF-8 are not ours.
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}
