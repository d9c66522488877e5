//! The *activity* of an instance: when it was last used. It is the time of an empty file, because that
//! costs no write that anybody waits for: a record would be written and flushed with every command.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use pyro_store::Object;

/// The activity of one instance.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    path: PathBuf,
}

impl Activity {
    pub(super) fn of(object: &Object) -> Self {
        Self {
            path: object.path().join("activity"),
        }
    }

    /// Notes that the instance is used now. What cannot be noted is no reason to refuse the use.
    pub(crate) fn note(&self) {
        let mut options = File::options();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path);
        if let Err(error) = file.and_then(|file| file.set_modified(SystemTime::now())) {
            tracing::debug!(%error, "the activity could not be noted");
        }
    }

    /// When it was last noted, in seconds since the Unix epoch.
    pub(super) fn last(&self) -> Option<f64> {
        let modified = self.path.metadata().ok()?.modified().ok()?;
        Some(modified.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
    }
}
