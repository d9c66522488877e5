//! The *steps* of builds that are kept: the private disk that a machine had after a step, by the
//! digest of all that made it; and what other digests are known to stand for.
//!
//! ```text
//! <cache>/build/<digest>/{record.json,disk.ext4,last-used}
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pyro_machine::copy_disk;
use pyro_store::NamedDirectories;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::disk_limit::allocated_bytes;
use crate::off_thread::off_thread;

const DISK: &str = "disk.ext4";
const LAST_USED: &str = "last-used";
/// How long a step is kept that no build uses. A build that is worked on is repeated within hours.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// All steps that are kept.
#[derive(Clone, Debug)]
pub(crate) struct StepCache(PathBuf);

/// What is known of a step.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Record {
    format: u64,
    /// The instruction, as people see it.
    step: String,
    /// What the digest stands for, if not a disk: the image that a build became, or the files that
    /// were copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stands_for: Option<String>,
}

impl StepCache {
    pub(crate) fn new(cache: &Path) -> Self {
        Self(cache.join("build"))
    }

    fn directories(&self) -> NamedDirectories {
        NamedDirectories::new(self.0.clone())
    }

    /// Whether the disk of a step is kept. Notes that it is used.
    pub(super) fn has(&self, key: &str) -> bool {
        let Some(path) = self.directories().find(key) else {
            return false;
        };
        note_use(&path);
        path.join(DISK).exists()
    }

    /// Returns what a key is known to stand for. Notes that it is used.
    pub(super) fn known(&self, key: &str) -> Option<String> {
        let (path, record) = self.directories().read::<Record>(key)?;
        note_use(&path);
        record.stands_for
    }

    /// Copies the disk of a step. Returns whether it was there.
    pub(super) async fn copy(&self, key: &str, to: PathBuf) -> Result<bool, Error> {
        let (this, key) = (self.clone(), key.to_owned());
        off_thread(move || {
            let named = this.directories();
            // Locked, so that it is not removed meanwhile.
            let _locked = named.lock()?;
            let Some(path) = named.find(&key) else {
                return Ok(false);
            };
            copy_disk(&path.join(DISK), &to)?;
            Ok(true)
        })
        .await
    }

    /// Keeps the disk of a step, which nothing writes to meanwhile.
    pub(super) async fn add(&self, key: &str, step: &str, disk: PathBuf) -> Result<(), Error> {
        let record = Record {
            format: 1,
            step: step.to_owned(),
            stands_for: None,
        };
        self.keep(key, record, Some(disk)).await
    }

    /// Keeps what a key stands for.
    pub(super) async fn add_known(&self, key: &str, stands_for: &str) -> Result<(), Error> {
        let record = Record {
            format: 1,
            stands_for: Some(stands_for.to_owned()),
            ..Record::default()
        };
        self.keep(key, record, None).await
    }

    async fn keep(&self, key: &str, record: Record, disk: Option<PathBuf>) -> Result<(), Error> {
        let (this, key) = (self.clone(), key.to_owned());
        off_thread(move || {
            let locked = this.directories().lock()?;
            // A build without the cache makes it anew.
            locked.remove(&key)?;
            let new = locked.create()?;
            if let Some(disk) = disk {
                copy_disk(&disk, &new.path().join(DISK))?;
            }
            new.commit(&key, &record)?;
            Ok(())
        })
        .await
    }

    /// Removes steps that were not used for long, or for this time. Returns their names and how many
    /// bytes are free again. Blocks.
    pub(crate) fn prune(&self, unused_for: Option<Duration>) -> Result<(Vec<String>, u64), Error> {
        let mut removed = (Vec::new(), 0);
        if !self.0.exists() {
            return Ok(removed);
        }
        let limit = unused_for.map_or(KEPT, |time| time.min(KEPT));
        let locked = self.directories().lock()?;
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name());
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
                continue;
            };
            if last_use(&path).is_some_and(|ago| ago < limit) {
                continue;
            }
            let bytes = allocated_bytes(&path);
            if locked.remove(name)? {
                removed.0.push(format!("build/{name}"));
                removed.1 += bytes;
            }
        }
        Ok(removed)
    }
}

fn note_use(directory: &Path) {
    let used = File::options()
        .create(true)
        .append(true)
        .open(directory.join(LAST_USED));
    // Somebody else's cache is used as it is.
    drop(used.and_then(|file| file.set_modified(SystemTime::now())));
}

/// How long ago a step was used or made.
fn last_use(directory: &Path) -> Option<Duration> {
    let used = fs::metadata(directory.join(LAST_USED)).or_else(|_| fs::metadata(directory));
    let ago = SystemTime::now().duration_since(used.ok()?.modified().ok()?);
    // What lies in the future is not over.
    Some(ago.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn steps_are_kept_found_and_removed_when_they_are_old() {
        let cache = tempfile::tempdir().unwrap();
        let steps = StepCache::new(cache.path());
        assert!(!steps.has("one"));
        assert_eq!(steps.prune(None).unwrap(), (vec![], 0));
        let disk = cache.path().join("disk");
        fs::write(&disk, "content").unwrap();
        steps.add("one", "RUN ls", disk.clone()).await.unwrap();
        steps.add("two", "RUN ls", disk.clone()).await.unwrap();
        steps.add_known("end", "sha256:x").await.unwrap();
        assert!(steps.has("one") && !steps.has("end"));
        assert_eq!(steps.known("end").as_deref(), Some("sha256:x"));
        assert_eq!(steps.known("one"), None);
        let copy = cache.path().join("copy");
        assert!(steps.copy("one", copy.clone()).await.unwrap());
        assert_eq!(fs::read(&copy).unwrap(), b"content");
        assert!(!steps.copy("none", copy.clone()).await.unwrap());

        assert_eq!(steps.prune(None).unwrap().0, Vec::<String>::new());
        let used = cache.path().join("build/one").join(LAST_USED);
        let file = File::options().append(true).open(used).unwrap();
        file.set_modified(SystemTime::now() - KEPT * 2).unwrap();
        assert_eq!(steps.prune(None).unwrap().0, ["build/one"]);
        let rest = steps.prune(Some(Duration::ZERO)).unwrap().0;
        assert_eq!(rest.len(), 2, "{rest:?}");
    }
}
