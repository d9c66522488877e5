//! The *activity* of an instance: when it was last used. It is stored as the modification time of an
//! empty file, because a record would have to be written and flushed for every command.

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

    /// Records that the instance is used now. A failure is ignored, because it must not prevent the
    /// use.
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

    /// The last recorded time, in seconds since the Unix epoch.
    pub(super) fn last(&self) -> Option<f64> {
        let modified = self.path.metadata().ok()?.modified().ok()?;
        Some(modified.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
    }
}
