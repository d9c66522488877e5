//! The *disk limit* bounds the space that all machines of this user take of the host's disk:
//! private disks, seeds, logs. It is checked before a machine starts, and while one grows.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::statvfs;

use crate::code::ErrorCode;
use crate::error::ErrorKind;
use crate::{Config, Error, variables};

const MIB: u64 = 1024 * 1024;
/// The space that is kept free if the user sets no limit, or a share of the file system if that is
/// less. No fixed limit fits all disks, and a full disk harms other programs too. Between two
/// checks a guest may take some of this space.
const KEPT_FREE_BYTES: u64 = 2048 * MIB;
const KEPT_FREE_SHARE: u64 = 20;
/// How far a machine may grow before the limit is checked. A machine that has grown by less is not
/// the cause if the limit is exceeded.
const STEP_BYTES: u64 = 4 * MIB;
/// The interval at which a machine's size is checked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The unit of `st_blocks`, whatever the file system's is.
const BLOCK_BYTES: u64 = 512;

/// The limit.
#[derive(Clone, Debug)]
pub(crate) struct DiskLimit {
    base: PathBuf,
    mib: Option<u64>,
}

/// All machines together exceed the limit.
#[derive(Clone, Debug)]
pub(crate) struct Exceeded {
    used_mib: u64,
    limit_mib: u64,
    /// The setting from which the limit follows.
    rule: String,
}

impl DiskLimit {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            base: config.base_dir.clone(),
            mib: config.max_disk_mib,
        }
    }

    /// Whether a check looks at all files of all machines, which takes some time.
    pub(crate) fn counts_files(&self) -> bool {
        self.mib.is_some()
    }

    /// Checks whether a machine may grow.
    pub(crate) fn check(&self) -> Result<(), Exceeded> {
        self.check_room(0)
    }

    /// Checks whether there is room for this many bytes.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<(), Exceeded> {
        if let Some(limit_mib) = self.mib {
            let used = allocated_bytes(&self.base);
            let used_mib = used / MIB;
            if used.saturating_add(bytes) / MIB < limit_mib {
                return Ok(());
            }
            let rule = format!("{} is {limit_mib}", variables::MAX_DISK_MIB);
            return Err(Exceeded {
                used_mib,
                limit_mib,
                rule,
            });
        }
        let Some((free, kept_free)) = free_bytes(&self.base) else {
            return Ok(());
        };
        if free > kept_free.saturating_add(bytes) {
            return Ok(());
        }
        // Computed only for the error: the walk takes some time.
        let used = allocated_bytes(&self.base);
        let rule = format!(
            "{} is not set: {} MiB of the file system of {} are kept free, and {} MiB are",
            variables::MAX_DISK_MIB,
            kept_free / MIB,
            self.base.display(),
            free / MIB
        );
        Err(Exceeded {
            used_mib: used / MIB,
            limit_mib: (used + free).saturating_sub(kept_free) / MIB,
            rule,
        })
    }

    /// Returns when the machine has grown and all machines exceed the limit. `own` returns the
    /// machine's size in bytes; nothing is checked until `awake` returns.
    pub(crate) async fn watch(&self, own: impl Fn() -> u64, awake: impl AsyncFn()) -> Exceeded {
        let mut least = own();
        loop {
            awake().await;
            tokio::time::sleep(LOOK_EVERY).await;
            let now = own();
            if now < least + STEP_BYTES {
                least = least.min(now);
                continue;
            }
            let limit = self.clone();
            match tokio::task::spawn_blocking(move || limit.check()).await {
                Ok(Err(exceeded)) => return exceeded,
                Ok(Ok(())) | Err(_) => least = now,
            }
        }
    }
}

impl Exceeded {
    /// The error of a machine that is not started.
    pub(crate) fn refused(self) -> Error {
        self.error("no machine is started", true)
    }

    /// The error of a disk that is not copied, which needs this many bytes.
    pub(crate) fn no_room(self, bytes: u64) -> Error {
        let needed = bytes / MIB;
        self.error(&format!("a copy of the disk needs {needed} MiB"), true)
    }

    /// The error of a machine that was ended.
    pub(crate) fn ended(self, machine: &str) -> Error {
        self.error(&format!("{machine} was ended"), false)
    }

    /// The reason in the record of a machine that was ended.
    pub(crate) fn reason(&self) -> String {
        format!("it grew, and {} ({})", self.facts(), self.rule)
    }

    fn facts(&self) -> String {
        let (used, limit) = (self.used_mib, self.limit_mib);
        format!("all machines take {used} MiB of the host's disk, of {limit} MiB at most")
    }

    fn error(self, consequence: &str, retry_safe: bool) -> Error {
        let remedy = format!(
            "make room: `pyro workspace list` and `pyro vm list` show what there is, `pyro \
             workspace delete ID` and `pyro vm delete ID` remove one with its disk and its logs, \
             `pyro workspace stop ID` ends one that grows; or raise {}",
            variables::MAX_DISK_MIB
        );
        Error {
            kind: ErrorKind::Failed,
            code: ErrorCode::DiskLimit.name().into(),
            message: format!("{consequence}: {}", self.facts()),
            cause: Some(self.rule),
            remedy: Some(remedy),
            retry_safe,
        }
    }
}

/// The disk space of a file, or of a directory with everything below it. Files that disappear in
/// the meantime, or cannot be read, count as empty.
pub(crate) fn allocated_bytes(path: &Path) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else {
        return 0;
    };
    let below = if found.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| allocated_bytes(&entry.path())).sum()
    } else {
        0
    };
    found.blocks() * BLOCK_BYTES + below
}

/// The space of the file system that is free for this user, and the space that is to be kept free.
/// `None` if it cannot be determined.
fn free_bytes(base: &Path) -> Option<(u64, u64)> {
    // The directory may not exist yet.
    let place = base.ancestors().find(|place| place.exists())?;
    let file_system = statvfs(place)
        .inspect_err(|error| tracing::warn!(%error, "free space is not known"))
        .ok()
        // A file system without blocks is no disk (/proc); the write fails by itself.
        .filter(|file_system| file_system.f_blocks > 0)?;
    let bytes = |blocks: u64| blocks.saturating_mul(file_system.f_frsize);
    let share = bytes(file_system.f_blocks) / KEPT_FREE_SHARE;
    Some((bytes(file_system.f_bavail), share.min(KEPT_FREE_BYTES)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn limit(base: &Path, mib: u64) -> DiskLimit {
        DiskLimit {
            base: base.to_owned(),
            mib: Some(mib),
        }
    }

    #[test]
    fn blocks_are_counted_and_holes_and_links_are_not() {
        let base = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let below = base.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        fs::write(below.join("data"), vec![1; 3 * 1024 * 1024]).unwrap();
        fs::write(other.path().join("data"), vec![1; 9 * 1024 * 1024]).unwrap();
        std::os::unix::fs::symlink(other.path(), below.join("link")).unwrap();
        let hole = fs::File::create(below.join("hole")).unwrap();
        hole.set_len(1024 * MIB).unwrap();
        assert_eq!(allocated_bytes(base.path()) / MIB, 3);
        assert_eq!(allocated_bytes(&base.path().join("nothing")), 0);

        assert!(limit(base.path(), 4).check().is_ok());
        let error = limit(base.path(), 3).check().unwrap_err().refused();
        assert_eq!((&*error.code, error.retry_safe), ("disk_limit", true));
        let facts = "3 MiB of the host's disk, of 3 MiB at most";
        assert!(error.message.contains(facts), "{error:?}");
        let unset = DiskLimit {
            base: base.path().join("not/yet"),
            mib: None,
        };
        // The free space of this machine may be anything; it only must be found.
        assert!(free_bytes(&unset.base).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_grows_beyond_it_is_told() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("data");
        let limit = limit(base.path(), 2);
        let own = AtomicU64::new(100 * MIB);
        let looks = AtomicU64::new(0);
        let watch = limit.watch(
            || own.load(Ordering::SeqCst),
            async || {
                looks.fetch_add(1, Ordering::SeqCst);
            },
        );
        tokio::pin!(watch);
        let mut told_within = async |seconds| {
            let limit = Duration::from_secs(seconds);
            tokio::time::timeout(limit, &mut watch).await
        };
        own.fetch_add(50 * MIB, Ordering::SeqCst);
        assert!(told_within(10).await.is_err(), "there is room");
        fs::write(&file, vec![1; 3 * 1024 * 1024]).unwrap();
        assert!(told_within(10).await.is_err(), "it has not grown");
        own.fetch_add(STEP_BYTES - 1, Ordering::SeqCst);
        assert!(told_within(10).await.is_err(), "not by much");
        own.fetch_add(1, Ordering::SeqCst);
        let exceeded = told_within(10).await.unwrap();
        assert_eq!((exceeded.used_mib, exceeded.limit_mib), (3, 2));
        let error = exceeded.ended("the machine");
        assert!(!error.retry_safe && error.message.starts_with("the machine was ended: all"));
        assert!(looks.load(Ordering::SeqCst) > 20);
    }
}
