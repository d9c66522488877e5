//! A *seed* is the image of a workspace's initial files.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use pyro_store::create_private_file;

use super::disk::failed;
use crate::Error;

/// Size of a seed's disk as the guest sees it, in bytes. The kernel of a template has already read
/// it, so it is the same for all seeds; on the host the disk takes only the seed's size.
pub const SEED_DISK_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Makes the disk of a machine that has no seed, in its directory.
pub(crate) fn no_seed(directory: &Path) -> Result<PathBuf, Error> {
    let path = directory.join("no-seed");
    create_private_file(&path)
        .and_then(|file| file.set_len(SEED_DISK_BYTES))
        .map_err(|error| failed(&path, &error))?;
    Ok(path)
}

/// Extends a seed's image to the size of its disk.
pub(crate) fn fit(image: &Path) -> Result<PathBuf, Error> {
    let fit = |file: File| match file.metadata()?.len() {
        SEED_DISK_BYTES => Ok(()),
        more if more > SEED_DISK_BYTES => Err(io::ErrorKind::FileTooLarge.into()),
        _ => file.set_len(SEED_DISK_BYTES),
    };
    File::options()
        .write(true)
        .open(image)
        .and_then(fit)
        .map_err(|error| failed(image, &error))?;
    Ok(image.to_owned())
}
