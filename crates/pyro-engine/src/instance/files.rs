//! The *files* in an instance's directory.

use std::path::{Path, PathBuf};

use pyro_store::{History, Object};

pub(super) fn history(object: &Object) -> History {
    History::new(object.path().join("history"))
}

pub(super) fn disk(object: &Object) -> PathBuf {
    disk_in(object.path())
}

/// The path of the private disk, whether or not there is one.
pub(super) fn disk_in(path: &Path) -> PathBuf {
    path.join("disk.ext4")
}

/// The path of the seed's image, whether or not there is one.
pub(crate) fn seed_in(path: &Path) -> PathBuf {
    path.join("seed.erofs")
}

/// The directory of its snapshots.
pub(super) const SNAPSHOTS: &str = "snapshots";

/// The directory of its shells.
pub(super) const SHELLS: &str = "shells";
/// The directory of its services.
pub(super) const SERVICES: &str = "services";

/// Removes the records and outputs of its shells and services, none of which may be running.
pub(super) fn remove_process_files(object: &Object) -> std::io::Result<()> {
    for directory in [SHELLS, SERVICES] {
        match std::fs::remove_dir_all(object.path().join(directory)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Removes the files of an expired VM; its record and history stay.
pub(super) fn discard(object: &Object) {
    for path in [disk(object), seed_in(object.path())] {
        let _ = std::fs::remove_file(path);
    }
    let _ = std::fs::remove_dir_all(object.path().join(SNAPSHOTS));
}
