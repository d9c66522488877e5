//! A *power loss* discards everything that was not flushed. Tests record what was.

use std::fs::File;

/// Records that a file or directory was flushed.
#[cfg(not(test))]
pub(crate) fn flushed(_: &File) {}

#[cfg(test)]
pub(crate) use tests::flushed;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::{self, DirBuilder, Metadata};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    use std::path::Path;
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::Objects;
    use crate::crash_point::tests::{TABLE, check, dies, history, prepare};

    /// The directory in which a child records the files that it has flushed.
    const DURABLE: &str = "STORE_DURABLE";

    /// Records the present content of a file, or the entries of a directory.
    pub(crate) fn flushed(file: &File) {
        if let Some(durable) = std::env::var_os(DURABLE) {
            record(file, durable.as_ref());
        }
    }

    fn record(file: &File, durable: &Path) {
        let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
        let is = file.metadata().unwrap();
        let recorded = durable.join(key(&is));
        if is.is_dir() {
            let entry = |entry: fs::DirEntry| {
                let name = entry.file_name().into_string().unwrap();
                (name, key(&entry.metadata().unwrap()))
            };
            let entries = fs::read_dir(path).unwrap().flatten().map(entry);
            let entries: BTreeMap<String, String> = entries.collect();
            fs::write(recorded, serde_json::to_vec(&entries).unwrap()).unwrap();
        } else {
            fs::copy(path, recorded).unwrap();
        }
    }

    /// The number of an inode is used again after its file is removed, but not at the same time.
    fn key(is: &Metadata) -> String {
        let kind = if is.is_dir() { "d" } else { "f" };
        let created = is.created().unwrap_or(UNIX_EPOCH);
        let created = created.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        format!("{kind}-{}-{created}", is.ino())
    }

    /// Records everything at and below a path.
    fn record_all(path: &Path, durable: &Path) {
        record(&File::open(path).unwrap(), durable);
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap().flatten() {
                record_all(&entry.path(), durable);
            }
        }
    }

    /// Makes at `path` what a disk has after a power loss: entries that were not flushed are absent,
    /// and files whose content was not flushed are empty.
    fn restore(key: &str, durable: &Path, path: &Path) {
        if key.starts_with('f') {
            let content = fs::read(durable.join(key)).unwrap_or_default();
            return fs::write(path, content).unwrap();
        }
        DirBuilder::new().mode(0o700).create(path).unwrap();
        let Ok(entries) = fs::read(durable.join(key)) else {
            return;
        };
        let entries: BTreeMap<String, String> = serde_json::from_slice(&entries).unwrap();
        for (name, key) in entries {
            restore(&key, durable, &path.join(name));
        }
    }

    #[test]
    fn after_a_power_loss_everything_is_whole_or_absent_and_what_was_acknowledged_is_there() {
        for (deed, _) in TABLE {
            let mut steps = 0;
            loop {
                steps += 1;
                let base = tempfile::tempdir().unwrap();
                let durable = tempfile::tempdir().unwrap();
                let things = base.path().join("things");
                prepare(deed, &Objects::new(things.clone()));
                record_all(base.path(), durable.path());
                let killed = dies(deed, &things, steps, &[(DURABLE, durable.path())]);

                let after = tempfile::tempdir().unwrap();
                let root = after.path().join("base");
                let key = key(&fs::metadata(base.path()).unwrap());
                restore(&key, durable.path(), &root);
                let objects = Objects::new(root.join("things"));
                if !killed {
                    check_acknowledged(deed, &objects);
                }
                check(deed, killed, &objects);
                if !killed {
                    break;
                }
            }
        }
    }

    /// Checks the log of an operation that has returned; `check` checks the rest.
    fn check_acknowledged(deed: &str, objects: &Objects) {
        if !["command", "close"].contains(&deed) {
            return;
        }
        let history = history(&objects.all()[0]);
        let exit = history.entry(1).unwrap().exit.expect("it has an end");
        assert_eq!(exit.interrupted.is_some(), deed == "close");
        let printed = fs::read(history.stdout(1)).unwrap();
        assert_eq!(printed == b"printed", deed == "command", "{printed:?}");
    }
}
