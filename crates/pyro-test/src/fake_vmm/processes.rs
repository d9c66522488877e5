//! The *processes* of a fake guest, seen from the host: they are stopped with its virtual
//! processors, and end with the VMM.

#![expect(unsafe_code, reason = "waitpid on a child that was forked by hand")]

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// How many times to look for processes that were started in the meantime.
const ROUNDS: usize = 8;

/// The guest's first process, by its id in this namespace.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) keeper: libc::pid_t,
}

impl Guest {
    /// Waits for its end; returns the exit status of the VMM.
    pub(super) fn wait(&self) -> i32 {
        let mut status = 0;
        // SAFETY: it writes to a number of ours.
        let waited = unsafe { libc::waitpid(self.keeper, &raw mut status, 0) };
        if waited == self.keeper && libc::WIFEXITED(status) {
            return libc::WEXITSTATUS(status);
        }
        1
    }

    /// Stops all processes.
    pub(super) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Continues all processes.
    pub(super) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let mut done = Vec::new();
        for _ in 0..ROUNDS {
            let mut found = Vec::new();
            descendants(self.keeper, &mut found);
            found.retain(|pid| !done.contains(pid));
            if found.is_empty() {
                return;
            }
            for pid in found {
                let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
                done.push(pid);
            }
        }
    }
}

fn descendants(pid: i32, found: &mut Vec<i32>) {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in text.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            found.push(child);
            descendants(child, found);
        }
    }
}
