//! A *crash point* lies between two steps of the store. Tests end the process there.

/// A point between two steps.
#[cfg(not(test))]
pub(crate) fn between_steps() {}

#[cfg(test)]
pub(crate) use tests::between_steps;

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::Command;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};
    use serde::{Deserialize, Serialize};

    use crate::power_loss::flushed;
    use crate::{Exit, History, HistoryEntry, NamedDirectories, Object, Objects, Record};

    /// A child's operation, its directory, and the number of steps before it dies.
    const DEED: &str = "STORE_DEED";
    const PLACE: &str = "STORE_PLACE";
    const STEPS: &str = "STORE_STEPS";

    static TAKEN: AtomicU32 = AtomicU32::new(1);

    /// Ends the process if this is the chosen step.
    pub(crate) fn between_steps() {
        let Some(last) = std::env::var_os(STEPS) else {
            return;
        };
        let taken = TAKEN.fetch_add(1, Ordering::SeqCst);
        if *last == *taken.to_string() {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }

    #[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
    pub(crate) struct Note {
        format: u64,
        text: String,
    }

    impl Record for Note {
        const FORMAT: u64 = 1;
    }

    fn note(text: &str) -> Note {
        let text = text.into();
        Note { format: 1, text }
    }

    fn entry(sequence: u64) -> HistoryEntry {
        HistoryEntry {
            sequence,
            command: "true".into(),
            cwd: "/".into(),
            execution_mode: "none".into(),
            recorded_at: 1.0,
            exit: None,
        }
    }

    pub(crate) fn history(object: &Object) -> History {
        History::new(object.path().join("history"))
    }

    fn snapshots(object: &Object) -> NamedDirectories {
        NamedDirectories::new(object.path().join("snapshots"))
    }

    /// Writes and flushes a disk, as the users of the store do.
    fn write_disk(directory: &Path) {
        let mut disk = fs::File::create(directory.join("disk")).unwrap();
        disk.write_all(b"whole").unwrap();
        disk.sync_all().unwrap();
        flushed(&disk);
    }

    fn make(objects: &Objects) -> Object {
        let new = objects.create().unwrap();
        write_disk(new.path());
        new.commit(&note("old")).unwrap()
    }

    /// Performs the operation, in a child process or in the test itself.
    fn perform(deed: &str, objects: &Objects) {
        if deed == "create" {
            make(objects);
            return;
        }
        let object = objects.all().remove(0);
        match deed {
            "update" => drop(object.update(|note: &mut Note| note.text = "new".into())),
            "delete" => object.delete(Duration::ZERO).unwrap(),
            "own" => drop(object.own().unwrap()),
            "command" => {
                let mut log = history(&object).begin(entry(1)).unwrap();
                log.stdout.write_all(b"printed").unwrap();
                log.end(Exit::default()).unwrap();
            }
            "close" => history(&object).close("it killed").unwrap(),
            "snapshot" => {
                let locked = snapshots(&object).lock().unwrap();
                let new = locked.create().unwrap();
                write_disk(new.path());
                new.commit("one", &"record").unwrap();
            }
            "remove snapshot" => {
                snapshots(&object).lock().unwrap().remove("one").unwrap();
            }
            deed => panic!("{deed}"),
        }
    }

    #[test]
    fn child() {
        // Without the variables this test does nothing.
        if let (Ok(deed), Some(place)) = (std::env::var(DEED), std::env::var_os(PLACE)) {
            perform(&deed, &Objects::new(place.into()));
        }
    }

    /// Performs it in a child that dies after `steps` steps; returns whether it died. `variables` are
    /// further ones of the child.
    pub(crate) fn dies(deed: &str, place: &Path, steps: u32, variables: &[(&str, &Path)]) -> bool {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child
            .args(["--exact", "crash_point::tests::child"])
            .env(DEED, deed)
            .env(PLACE, place)
            .env(STEPS, steps.to_string())
            .envs(variables.iter().copied());
        let output = child.output().unwrap();
        let killed = output.status.signal() == Some(9);
        assert!(killed || output.status.success(), "{output:?}");
        killed
    }

    /// The operations, each with the least number of its steps.
    pub(crate) const TABLE: [(&str, u32); 8] = [
        ("create", 10),
        ("update", 6),
        ("delete", 3),
        ("own", 1),
        ("command", 12),
        ("close", 4),
        ("snapshot", 8),
        ("remove snapshot", 4),
    ];

    /// Makes the object, and what else the operation needs.
    pub(crate) fn prepare(deed: &str, objects: &Objects) {
        if deed == "create" {
            return;
        }
        let object = make(objects);
        if deed == "close" {
            drop(history(&object).begin(entry(1)).unwrap());
        }
        if deed == "remove snapshot" {
            perform("snapshot", objects);
        }
    }

    #[test]
    fn whenever_it_dies_everything_is_whole_or_absent() {
        for (deed, at_least) in TABLE {
            let mut steps = 0;
            loop {
                steps += 1;
                let base = tempfile::tempdir().unwrap();
                let objects = Objects::new(base.path().join("things"));
                prepare(deed, &objects);
                let killed = dies(deed, &base.path().join("things"), steps, &[]);
                check(deed, killed, &objects);
                if !killed {
                    break;
                }
            }
            assert!(steps > at_least, "{deed} has {steps} steps");
        }
    }

    /// Checks the objects after the operation, which may have been interrupted.
    pub(crate) fn check(deed: &str, killed: bool, objects: &Objects) {
        let found = objects.all();
        objects.sweep();
        assert_eq!(objects.sweep(), 0, "{deed}");
        assert_eq!(
            objects.all().len(),
            found.len(),
            "{deed}: what is whole is not swept"
        );
        let names = fs::read_dir(objects.directory())
            .into_iter()
            .flatten()
            .flatten();
        let hidden = names.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."));
        assert!(hidden.count() <= 1, "{deed}: nothing but the gate is left");
        if !killed {
            assert_eq!(found.len(), usize::from(deed != "delete"));
        }
        for object in found {
            assert!(!object.is_owned());
            assert_eq!(fs::read(object.path().join("disk")).unwrap(), b"whole");
            let text = object.record::<Note>().unwrap().text;
            assert!(
                text == "old" || (deed == "update" && text == "new"),
                "{deed}: {text}"
            );
            assert!(killed || deed != "update" || text == "new");
            check_history(&object);
            check_snapshots(deed, killed, &object);
            // The object is still usable, and unfinished files do not remain.
            object
                .update(|note: &mut Note| note.text = "newer".into())
                .unwrap();
            assert_no_drafts(object.path());
            let owner = object.own().unwrap().expect("nobody owns it");
            drop(owner);
            object.delete(Duration::ZERO).unwrap();
        }
        perform("create", objects);
    }

    fn check_history(object: &Object) {
        let history = history(object);
        for sequence in history.sequences() {
            history.entry(sequence).unwrap();
            let printed = fs::read(history.stdout(sequence)).unwrap();
            assert!(printed.is_empty() || printed == b"printed");
        }
        history.close("it killed").unwrap();
        let next = history.last() + 1;
        history
            .begin(entry(next))
            .unwrap()
            .end(Exit::default())
            .unwrap();
        for sequence in history.sequences() {
            assert!(history.entry(sequence).unwrap().exit.is_some());
        }
        let directory = object.path().join("history");
        assert_no_drafts(&directory);
    }

    fn check_snapshots(deed: &str, killed: bool, object: &Object) {
        let snapshots = snapshots(object);
        let found = snapshots.all::<String>();
        if !killed {
            assert_eq!(found.len(), usize::from(deed == "snapshot"));
        }
        for (name, record) in &found {
            assert_eq!((&**name, &**record), ("one", "record"));
            let disk = snapshots.find(name).unwrap().join("disk");
            assert_eq!(fs::read(disk).unwrap(), b"whole");
        }
        drop(snapshots.lock().unwrap());
        assert_eq!(snapshots.all::<String>(), found, "what is whole stays");
        let entries = fs::read_dir(object.path().join("snapshots")).unwrap();
        assert_eq!(entries.count(), found.len() + 1, "and the lock");
    }

    #[track_caller]
    fn assert_no_drafts(directory: &Path) {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let name = entry.file_name();
            assert!(!name.as_encoded_bytes().starts_with(b".new-"), "{name:?}");
        }
    }
}
