//! The *lock* of a template: shared while restoring from it, exclusive while making or removing it.
//!
//! It is a file beside the template's directory, and is removed with it. So after locking one, a
//! process checks that the file is still at its path.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// How often to retry if the file is removed before it is locked.
const ATTEMPTS: u32 = 10;

/// A lock that this process holds.
#[derive(Debug)]
pub(crate) struct TemplateLock {
    file: File,
}

impl TemplateLock {
    /// Takes the exclusive lock of the template at `path`; `None` if it is held.
    pub(crate) fn exclusive(path: &Path) -> io::Result<Option<Self>> {
        Self::take(path, FlockOperation::NonBlockingLockExclusive)
    }

    /// Takes the shared lock; `None` if another process makes or removes the template.
    pub(crate) fn shared(path: &Path) -> io::Result<Option<Self>> {
        Self::take(path, FlockOperation::NonBlockingLockShared)
    }

    /// The path of a template's lock.
    pub(crate) fn path_of(template: &Path) -> PathBuf {
        template.with_extension("lock")
    }

    /// Makes the lock shared. It may be free for a moment in between. Returns whether it is held.
    pub(crate) fn share(&self) -> bool {
        flock(&self.file, FlockOperation::NonBlockingLockShared).is_ok()
    }

    /// Makes the lock exclusive, unless others restore. Returns whether it is; if not, it may have
    /// been lost.
    pub(crate) fn claim(&self) -> bool {
        flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    fn take(template: &Path, how: FlockOperation) -> io::Result<Option<Self>> {
        let path = Self::path_of(template);
        for _ in 0..ATTEMPTS {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
                .open(&path)?;
            match flock(&file, how) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if is_at(&file, &path) {
                return Ok(Some(Self { file }));
            }
        }
        Ok(None)
    }
}

/// Unlocks explicitly, because closing the file is not enough: between `fork` and `exec`, a child
/// process that another thread starts has the file open too.
impl Drop for TemplateLock {
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let id = |meta: fs::Metadata| (meta.dev(), meta.ino());
    let (Ok(held), Ok(found)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    id(held) == id(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_restore_or_one_makes() {
        let directory = tempfile::tempdir().unwrap();
        let template = directory.path().join("key");
        let shared = || TemplateLock::shared(&template).unwrap();
        let exclusive = || TemplateLock::exclusive(&template).unwrap();
        let (one, two) = (shared().unwrap(), shared().unwrap());
        assert!(exclusive().is_none());
        assert!(!one.claim(), "another restores");
        drop(two);
        assert!(one.claim());
        assert!(shared().is_none());
        assert!(one.share());
        assert!(shared().is_some());
    }

    #[test]
    fn a_lock_that_was_removed_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let template = directory.path().join("key");
        let held = TemplateLock::exclusive(&template).unwrap().unwrap();
        fs::remove_file(TemplateLock::path_of(&template)).unwrap();
        let other = TemplateLock::exclusive(&template).unwrap();
        assert!(other.is_some(), "it is another file");
        drop(held);
        assert!(TemplateLock::shared(&template).unwrap().is_none());
    }
}
