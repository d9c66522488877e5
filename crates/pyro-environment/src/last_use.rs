//! The *last use* of an environment: the time of a file beside its own.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The name of the file.
const FILE: &str = "last-used";
/// How much later another use is not written down, so that most uses write nothing.
const PRECISION: Duration = Duration::from_secs(3600);

/// Notes that an environment is used, if its directory can be written.
pub(crate) fn note(directory: &Path) {
    let now = SystemTime::now();
    if last(directory).is_some_and(|last| now.duration_since(last).is_ok_and(|ago| ago < PRECISION))
    {
        return;
    }
    let path = directory.join(FILE);
    let file = File::options().create(true).append(true).open(path);
    // Somebody else's cache is used as it is.
    drop(file.and_then(|file| file.set_modified(now)));
}

/// When it was used last, if it was used.
pub(crate) fn last(directory: &Path) -> Option<SystemTime> {
    fs::metadata(directory.join(FILE))
        .and_then(|file| file.modified())
        .ok()
}

/// Whether it was used or installed within this time.
pub(crate) fn is_within(directory: &Path, installed_at: u64, time: Duration) -> bool {
    let installed = SystemTime::UNIX_EPOCH + Duration::from_secs(installed_at);
    let last = last(directory).map_or(installed, |last| last.max(installed));
    // What lies in the future is not over.
    SystemTime::now()
        .duration_since(last)
        .map_or(true, |ago| ago < time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_use_is_noted_at_most_once_an_hour() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert!(!is_within(path, 0, HOUR));
        note(path);
        assert!(is_within(path, 0, HOUR));
        let set = |ago| {
            let file = File::options().append(true).open(path.join(FILE)).unwrap();
            file.set_modified(SystemTime::now() - ago).unwrap();
        };
        set(HOUR / 2);
        let before = last(path);
        note(path);
        assert_eq!(last(path), before);
        set(HOUR * 2);
        assert!(!is_within(path, 0, HOUR));
        note(path);
        assert!(is_within(path, 0, HOUR));
        note(Path::new("/nonexistent"));
    }
}
