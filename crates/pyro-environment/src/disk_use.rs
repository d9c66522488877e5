//! The *disk use* of files: the blocks that they have, which are fewer than their lengths say where
//! there are holes.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The unit of `stat`.
const BLOCK: u64 = 512;

/// Returns the bytes of a file, or of all that is in a directory, as far as it can be looked at.
pub(crate) fn of(path: &Path) -> u64 {
    sum(path, |_| true)
}

/// Returns the bytes that are free again when it is removed: those of files without other names.
pub(crate) fn freed(path: &Path) -> u64 {
    sum(path, |metadata| metadata.is_dir() || metadata.nlink() == 1)
}

fn sum(path: &Path, counts: fn(&Metadata) -> bool) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return 0;
    };
    let mut bytes = if counts(&metadata) {
        metadata.blocks() * BLOCK
    } else {
        0
    };
    if metadata.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            bytes += sum(&entry.path(), counts);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn holes_take_no_room_and_what_is_not_there_neither() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("deep/file");
        fs::create_dir(file.parent().unwrap()).unwrap();
        let empty = of(directory.path());
        fs::File::create(&file).unwrap().set_len(1 << 30).unwrap();
        assert!(of(directory.path()) < empty + MIB);
        fs::write(&file, vec![1; 1 << 20]).unwrap();
        assert!(of(directory.path()) >= empty + MIB);
        assert!(freed(directory.path()) >= empty + MIB);
        fs::hard_link(&file, directory.path().join("other")).unwrap();
        assert!(freed(directory.path()) < empty + MIB);
        assert_eq!(of(Path::new("/nonexistent")), 0);
    }
}
