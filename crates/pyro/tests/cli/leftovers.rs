//! The leftovers of a test: processes that refer to its directory, machines, and instances.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a killed process may take to disappear.
const GRACE: Duration = Duration::from_secs(10);

/// Describes the leftovers of processes that were started in `directory`, after they had time to
/// end.
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
        // The parent directory of machines has a lock file, which no process holds.
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

/// Ends these processes, so that a failed test does not slow down later ones.
pub(crate) fn end(directory: &Path) {
    for (pid, _) in scan(directory) {
        if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
            // It may have ended in the meantime.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// The ids and arguments of these processes.
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
