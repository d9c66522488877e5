//! The *disk use* of all machines of a user: their disks, seeds and logs, as far as they take room
//! on the host. There is a limit to it, which is looked at before a machine starts and while it
//! writes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::{Error, Machines};

const MIB: u64 = 1024 * 1024;
/// A block of `stat`, whatever the file system's are.
const BLOCK_BYTES: u64 = 512;
/// How often a machine's own use is looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// What a directory takes on its file system, with all below it. What goes away meanwhile takes
/// nothing.
pub fn allocated_bytes(path: &Path) -> u64 {
    let Ok(is) = fs::symlink_metadata(path) else {
        return 0;
    };
    let own = is.blocks() * BLOCK_BYTES;
    if !is.is_dir() {
        return own;
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    own + entries
        .map(|entry| allocated_bytes(&entry.path()))
        .sum::<u64>()
}

impl Machines {
    /// The limit in MiB: what was set, or half of the file system.
    pub fn disk_limit_mib(&self) -> u64 {
        self.max_disk_mib.unwrap_or_else(|| {
            let existing = self.base_dir.ancestors().find(|path| path.exists());
            let size = existing.and_then(|path| rustix::fs::statvfs(path).ok());
            // Where it is not known there is none.
            size.map_or(u64::MAX / MIB, |size| {
                size.f_blocks * size.f_frsize / MIB / 2
            })
        })
    }

    /// Checks that there is room for one more machine.
    ///
    /// # Errors
    /// When the limit is reached.
    pub(crate) fn check_disk_use(&self) -> Result<(), Error> {
        let (used_mib, limit_mib) = self.disk_use();
        if used_mib < limit_mib {
            return Ok(());
        }
        Err(Error::DiskLimit {
            used_mib,
            limit_mib,
        })
    }

    /// Waits until the limit is passed while what is in `own`, the directory of one machine, grows:
    /// a machine that writes nothing is not to blame.
    pub async fn disk_overrun(&self, own: &Path) -> Error {
        let mut before = allocated_bytes(own);
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = allocated_bytes(own);
            if now > before {
                let (used_mib, limit_mib) = self.disk_use();
                if used_mib >= limit_mib {
                    return Error::DiskOverrun {
                        used_mib,
                        limit_mib,
                    };
                }
            }
            before = now;
        }
    }

    fn disk_use(&self) -> (u64, u64) {
        (allocated_bytes(&self.base_dir) / MIB, self.disk_limit_mib())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use super::*;

    #[test]
    fn holes_take_no_room_and_links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let empty = allocated_bytes(directory.path());
        let mut file = fs::File::create(directory.path().join("sparse")).unwrap();
        file.set_len(1 << 30).unwrap();
        std::os::unix::fs::symlink("/usr", directory.path().join("link")).unwrap();
        assert!(allocated_bytes(directory.path()) < empty + 64 * 1024);
        file.seek(SeekFrom::Start(1 << 20)).unwrap();
        file.write_all(&vec![1; 1 << 20]).unwrap();
        file.sync_all().unwrap();
        assert!(allocated_bytes(directory.path()) >= empty + (1 << 20));
        assert_eq!(allocated_bytes(Path::new("/no/such/place")), 0);
    }
}
