//! A *record* is an object's JSON on disk. Readers see all of the old or all of the new one.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crash_point::between_steps;
use crate::power_loss::flushed;
use crate::{Error, create_private_directory};

/// Replaces the file at `path` with `bytes`: temporary file, flush to disk, rename, and a flush of
/// the directory, so that the new version survives a power loss too.
///
/// # Errors
/// When the directory does not exist or cannot be written; the old file is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace(path, bytes)?;
    sync_directory(directory_of(path))
}

/// The same in a directory that is not in its place yet: its rename is followed by a flush.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::new("write", path, source);
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(directory_of(path))
        .map_err(failed)?;
    between_steps();
    file.write_all(bytes).map_err(failed)?;
    between_steps();
    file.as_file().sync_all().map_err(failed)?;
    flushed(file.as_file());
    between_steps();
    file.persist(path).map_err(|error| failed(error.error))?;
    between_steps();
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Makes created, renamed and removed entries of a directory survive a power loss.
///
/// # Errors
/// When the directory cannot be flushed.
pub fn sync_directory(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::new("flush", path, source);
    let directory = File::open(path).map_err(failed)?;
    directory.sync_all().map_err(failed)?;
    flushed(&directory);
    Ok(())
}

/// Creates a private directory that survives a power loss, if it does not exist yet.
pub(crate) fn create_lasting_directory(path: &Path) -> Result<(), Error> {
    let exists = path.exists();
    create_private_directory(path)?;
    if exists {
        return Ok(());
    }
    sync_directory(directory_of(path))
}

/// Writes `record` as JSON, atomically.
///
/// # Errors
/// As [`write_atomically`].
///
/// # Panics
/// When `record` is not representable as JSON, which is a defect of its type.
pub fn write_record(path: &Path, record: &impl Serialize) -> Result<(), Error> {
    write_atomically(path, &text_of(record))
}

/// A record's JSON.
pub(crate) fn text_of(record: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(record)
        .expect("records are plain structs because only those derive Serialize here");
    bytes.push(b'\n');
    bytes
}

/// Reads a record. `None` if there is none, or if the file is not a valid record (callers that must
/// distinguish the two read the file themselves).
pub fn read_record<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_replaced_whole_and_nothing_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record.json");
        write_record(&path, &vec![1, 2, 3]).unwrap();
        write_record(&path, &vec![4]).unwrap();
        assert_eq!(read_record::<Vec<u32>>(&path), Some(vec![4]));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_record_reads_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record.json");
        std::fs::write(&path, "[1, 2").unwrap();
        assert_eq!(read_record::<Vec<u32>>(&path), None);
    }
}
