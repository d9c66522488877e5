//! How much memory a pull of many paths takes.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pyro_machine::{FileChange, FileState, FileType};

use super::place::{Place, Target};
use super::plan::{Action, OnConflict, Outcome};
use super::protected::Named;
use super::pulled::Pulled;
use super::receive::Receiver;
use super::transaction::Transaction;
use super::undo::take_back;
use crate::Listener;
use crate::comparison::Changes;

const DIRECTORIES: usize = 400;
const FILES: usize = 40_000;
/// A pull of so many is to take less than 30 MiB, and the program has 14 MiB when it has done nothing.
/// What the result takes comes when most of this is free again.
const LIMIT_KIB: usize = 11 * 1024;
/// How often to look how much it is.
const PAUSE: Duration = Duration::from_millis(5);
/// Set in the process in which nothing else takes memory.
const ALONE: &str = "MEMORY_TEST_ALONE";

#[test]
fn tens_of_thousands_of_paths_take_little_memory() {
    if std::env::var_os(ALONE).is_none() {
        let name = format!("{}::is_alone", module_path!().split_once("::").unwrap().1);
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let ran = alone
            .args(["--exact", &name, "--nocapture"])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(ran.status.success() && said.contains("1 passed"), "{said}");
        eprintln!("{said}");
    }
}

/// What the test above runs.
#[test]
fn is_alone() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [base, workspace, target] =
        ["base", "workspace", "target"].map(|name| directory.path().join(name));
    for directory in [&base, &workspace, &target] {
        fs::create_dir(directory).unwrap();
    }
    for (what, mode) in [("new", 0o644), ("changed", 0o755)] {
        measure(what, || pull(&base, &workspace, &target, mode));
        assert_eq!(fs::read_dir(&target).unwrap().count(), DIRECTORIES);
    }
    measure("undone", || {
        let open = target_of(&target);
        let undone = take_back(&base, &workspace, "id", &open, false).unwrap();
        assert_eq!(undone.count(Action::Modify), FILES as u64);
        undone
    });
}

fn target_of(path: &Path) -> Target {
    Target {
        open: OwnedFd::from(File::open(path).unwrap()),
        path: path.to_owned(),
    }
}

/// Pulls a workspace in which there are only new paths, as they come from the guest.
fn pull(base: &Path, workspace: &Path, target: &Path, mode: u32) -> Outcome {
    let Target { open, path } = target_of(target);
    let place = Place::lock(base, &path, &open).unwrap();
    let open = Arc::new(open);
    let mut receiver = Receiver::new(
        Arc::clone(&open),
        Transaction::create(place.current()).unwrap(),
        Pulled::read(workspace, path.to_str().unwrap()),
        Named::default(),
        OnConflict::Fail,
        Listener::default(),
    );
    let mut change = |path: &str, file_type, mode| {
        let new = FileState {
            file_type,
            size: 0,
            mode,
            modified: 0,
            target: None,
        };
        let change = FileChange {
            path: path.to_owned(),
            old: None,
            new: Some(new),
            same_content: false,
        };
        receiver.change(path.as_bytes(), change).unwrap();
    };
    for directory in 0..DIRECTORIES {
        let directory = format!("a-directory-of-a-project-{directory:04}");
        change(&directory, FileType::Directory, 0o755);
        for file in 0..FILES / DIRECTORIES {
            let file = format!("{directory}/a-file-of-a-name-{file:05}.txt");
            change(&file, FileType::File, mode);
        }
    }
    receiver.end().unwrap();
    let Receiver {
        plan,
        kept,
        transaction,
        pulled,
        ..
    } = receiver;
    let record = pulled.into_record();
    let outcome = Outcome::of(&plan, kept.len(), 0);
    drop(kept);
    let into = (open.as_fd(), path.as_path());
    place
        .carry_out(into, transaction, &plan, &record, "id")
        .unwrap();
    outcome
}

/// Compares the most memory of its own that the process has while `work` goes on with what it had
/// before. Code is not counted: that of tests is large.
fn measure<T>(what: &str, work: impl FnOnce() -> T) {
    let before = own_kib();
    let is_over = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(own_kib());
                thread::sleep(PAUSE);
            }
            most
        });
        drop(work());
        is_over.store(true, Ordering::Relaxed);
        looking.join().unwrap()
    });
    let grown = most.saturating_sub(before);
    eprintln!("{what}: {before} KiB, and {grown} KiB more");
    assert!(grown < LIMIT_KIB, "{what}: {grown} KiB");
}

fn own_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mut lines = status.lines();
    let line = lines.find(|line| line.starts_with("RssAnon:")).unwrap();
    let value = line.split_whitespace().nth(1).unwrap();
    value.parse().unwrap()
}
