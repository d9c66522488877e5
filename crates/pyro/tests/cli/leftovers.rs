//! What a test has left: processes that have anything to do with its directory, machines, and
//! what outlives a call.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A process that was killed needs a moment to be gone.
const GRACE: Duration = Duration::from_secs(10);

/// Describes what is left of what was started in `directory`, once that had time to end.
pub(crate) fn find(directory: &Path) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let found = look(directory);
        if found.is_empty() || begun.elapsed() > GRACE {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn look(directory: &Path) -> Vec<String> {
    let mut found = processes(directory);
    let places = [
        "base/vms",
        "base/workspaces",
        "base/virtual-machines",
        "tmp",
    ];
    for place in places {
        let entries = fs::read_dir(directory.join(place));
        let names = entries.into_iter().flatten().flatten();
        // The directories of machines have a file of their own, which is a lock nobody holds.
        found.extend(
            names
                .filter(|entry| place == "tmp" || entry.path().is_dir())
                .map(|entry| entry.path().display().to_string()),
        );
    }
    found
}

/// Describes the processes that name `directory` in their arguments or their environment, or
/// work in it.
pub(crate) fn processes(directory: &Path) -> Vec<String> {
    let describe = |(pid, arguments): (u32, String)| format!("process {pid}: {arguments}");
    scan(directory).into_iter().map(describe).collect()
}

/// Ends those processes, one by one: a test that failed must not weigh on those that follow.
pub(crate) fn end(directory: &Path) {
    for (pid, _) in scan(directory) {
        if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Those processes: their ids and arguments.
pub(crate) fn scan(directory: &Path) -> Vec<(u32, String)> {
    let needle = directory.as_os_str().as_encoded_bytes();
    let contains = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let arguments = read("cmdline");
        let works_there = || {
            fs::read_link(entry.path().join("cwd")).is_ok_and(|path| path.starts_with(directory))
        };
        if contains(&arguments) || contains(&read("environ")) || works_there() {
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            found.push((pid, arguments.chars().take(160).collect()));
        }
    }
    found
}
