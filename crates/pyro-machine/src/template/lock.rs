//! The *lock* of a template: held by many who restore from it, or by one who makes or removes it.
//!
//! It is a file beside the template's directory, which is removed with it. So who has locked one
//! looks whether it is still the one that others find.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// How often a lock is looked for that is removed as it is found.
const ATTEMPTS: u32 = 10;

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct TemplateLock {
    file: File,
}

impl TemplateLock {
    /// Takes the lock of the template at `path` for oneself; `None` if somebody holds it.
    pub(crate) fn exclusive(path: &Path) -> io::Result<Option<Self>> {
        Self::take(path, FlockOperation::NonBlockingLockExclusive)
    }

    /// Takes it with others who restore from the template; `None` if somebody makes or removes it.
    pub(crate) fn shared(path: &Path) -> io::Result<Option<Self>> {
        Self::take(path, FlockOperation::NonBlockingLockShared)
    }

    /// Where it is.
    pub(crate) fn path_of(template: &Path) -> PathBuf {
        template.with_extension("lock")
    }

    /// Lets others restore too. In between it is nobody's for a moment. Returns whether it is ours.
    pub(crate) fn share(&self) -> bool {
        flock(&self.file, FlockOperation::NonBlockingLockShared).is_ok()
    }

    /// Takes it for oneself, unless others restore. Returns whether it is ours alone; if not, it may
    /// be nobody's.
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

/// By an unlock, and not by closing the file alone: a process that another thread is starting has the
/// file open too, until it becomes its program.
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
