//! The *manifest* of an installed environment, and the records of its files.
//!
//! A file is known by its digest. Computing that takes a second for an image, so next to it lies
//! a [`Stamp`], what `stat` said when the digest was last known to be right: while it is the
//! same, so is the file. This finds truncated, damaged and replaced files; it is no defence
//! against somebody who can write to the cache, who could write the manifest too.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pyro_oci::{Digest, Process};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest;
use crate::layout::{MODULES, ROOTFS, VMLINUX};

/// Which form the file system of an image has; another one is made anew from its layers.
pub(crate) const FORMAT: u32 = 1;

/// What `stat` says about a file as long as nobody touches it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Stamp {
    ctime_ns: i128,
    inode: u64,
    mtime_ns: i128,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// What is known about one file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct FileRecord {
    pub(crate) sha256: String,
    pub(crate) size: u64,
    pub(crate) stamp: Stamp,
}

/// What looking at a recorded file found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing has changed.
    Same,
    /// The stamp is another one, so the contents have to be looked at.
    Touched,
    /// It is certainly not the recorded file, for this reason.
    Other(String),
}

impl FileRecord {
    /// Records the file as it is now. Reads all of it.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let sha256 = digest::of_file(path)?;
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self {
            sha256,
            size: metadata.len(),
            stamp: Stamp::of(&metadata),
        })
    }

    /// Compares what `stat` says with the record.
    pub(crate) fn look(&self, path: &Path) -> io::Result<Found> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Found::Other("is missing".into()));
            }
            Err(error) => return Err(error),
        };
        Ok(if !metadata.is_file() {
            Found::Other("is not a regular file".into())
        } else if metadata.len() != self.size {
            Found::Other(format!(
                "has {} bytes instead of {}",
                metadata.len(),
                self.size
            ))
        } else if Stamp::of(&metadata) == self.stamp {
            Found::Same
        } else {
            Found::Touched
        })
    }

    /// Makes sure that the file is the recorded one, reading it only if it was touched. Returns
    /// whether the stamp was brought up to date, or why it is not the recorded file.
    pub(crate) fn verify(&mut self, path: &Path) -> io::Result<Result<bool, String>> {
        match self.look(path)? {
            Found::Same => Ok(Ok(false)),
            Found::Other(reason) => Ok(Err(reason)),
            Found::Touched => {
                let now = Self::of(path)?;
                if now.sha256 != self.sha256 {
                    return Ok(Err(format!(
                        "does not match its recorded digest (expected {}, found {})",
                        self.sha256, now.sha256
                    )));
                }
                *self = now;
                Ok(Ok(true))
            }
        }
    }
}

/// The files of an environment.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Files {
    pub(crate) modules: FileRecord,
    pub(crate) rootfs: FileRecord,
    pub(crate) vmlinux: FileRecord,
}

impl Files {
    pub(crate) fn each(&mut self) -> [(&'static str, &mut FileRecord); 3] {
        // The cheap ones first.
        [
            (VMLINUX, &mut self.vmlinux),
            (MODULES, &mut self.modules),
            (ROOTFS, &mut self.rootfs),
        ]
    }
}

/// What is written down about an installed environment.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Manifest {
    pub(crate) catalog_version: String,
    pub(crate) files: Files,
    pub(crate) installed_at: u64,
    pub(crate) kernel_package_version: String,
    pub(crate) kernel_version: String,
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) source_digest: String,
    pub(crate) version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<Image>,
}

/// What an OCI image says, and what was found in it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Image {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The digest of its configuration.
    pub config_digest: Digest,
    /// The digests of its layers as they are stored, the lowest first.
    pub layers: Vec<Digest>,
    /// How its programs are started.
    pub process: Process,
    /// Whether there is a shell at `/bin/sh`.
    pub has_shell: bool,
    /// The distribution, as `/etc/os-release` names it; empty if it does not.
    pub distribution: String,
    /// The distribution's release.
    pub distribution_version: String,
}

/// Reads a JSON file; `None` if there is none, an error of kind `InvalidData` if it is no such
/// JSON.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(
            serde_json::from_slice(&bytes).map_err(io::Error::from)?,
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a JSON file so that it is, at any moment, the old one or the new one.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    replace(path, |file| file.write_all(&json))
}

/// Writes a file so that it is, at any moment, the old one or the new one.
pub(crate) fn replace(
    path: &Path,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut new = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(parent)?;
    fill(new.as_file_mut())?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|error| error.error)?;
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_only_when_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        fs::write(&path, "contents").unwrap();
        let mut record = FileRecord::of(&path).unwrap();
        assert_eq!(record.look(&path).unwrap(), Found::Same);
        assert_eq!(record.verify(&path).unwrap(), Ok(false));

        // Same contents, another inode: the digest still holds, the stamp follows.
        let copy = directory.path().join("copy");
        fs::copy(&path, &copy).unwrap();
        fs::rename(&copy, &path).unwrap();
        assert_eq!(record.look(&path).unwrap(), Found::Touched);
        assert_eq!(record.verify(&path).unwrap(), Ok(true));
        assert_eq!(record.look(&path).unwrap(), Found::Same);
    }

    #[test]
    fn altered_truncated_missing_and_irregular_files_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        fs::write(&path, "contents").unwrap();
        let mut record = FileRecord::of(&path).unwrap();

        fs::write(&path, "CONTENTS").unwrap();
        let reason = record.verify(&path).unwrap().unwrap_err();
        assert!(
            reason.starts_with("does not match its recorded digest"),
            "{reason}"
        );
        fs::write(&path, "cont").unwrap();
        assert_eq!(
            record.verify(&path).unwrap(),
            Err("has 4 bytes instead of 8".into())
        );
        fs::remove_file(&path).unwrap();
        assert_eq!(record.verify(&path).unwrap(), Err("is missing".into()));
        fs::create_dir(&path).unwrap();
        assert_eq!(
            record.verify(&path).unwrap(),
            Err("is not a regular file".into())
        );
    }

    #[test]
    fn json_is_replaced_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record.json");
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), None);
        write(&path, &vec![1, 2]).unwrap();
        write(&path, &vec![3]).unwrap();
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), Some(vec![3]));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        fs::write(&path, "[").unwrap();
        assert!(read::<Vec<u32>>(&path).is_err());
    }
}
