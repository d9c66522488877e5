//! A *process tree* is a command with all processes that it started. The machine's own tree also
//! contains the kernel's threads and the agent.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// One line of `/proc/*/stat`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    session: i32,
    /// Whether it is a thread of the kernel.
    is_kernel: bool,
    /// Whether it has ended and was not reaped yet.
    has_ended: bool,
}

/// The kernel's flag for its own threads.
const PF_KTHREAD: u32 = 0x0020_0000;

/// How often the tree is read again for processes that were started meanwhile.
const ROUNDS: usize = 16;

/// Kills the command `pid`, which must not have been reaped yet, with its process group and all its
/// descendants. For machines whose kernel has no control groups.
///
/// These may escape: a process that left the group and whose parent ended before, so that PID 1
/// inherited it (a daemon), and the children of a fork bomb that starts processes faster than
/// [`ROUNDS`] reads find them.
pub(crate) fn kill(pid: Pid) {
    let root = pid.as_raw_pid();
    let mut members: Vec<i32> = Vec::new();
    // Stop first, then kill: a process that is killed at once would leave its newest children to
    // PID 1, where they look like daemons.
    crate::reaper::signal_group(pid, Signal::STOP);
    for _ in 0..ROUNDS {
        let found = descendants(&processes(), root);
        let new: Vec<i32> = found
            .into_iter()
            .filter(|pid| !members.contains(pid))
            .collect();
        if new.is_empty() {
            break;
        }
        for &pid in &new {
            send(pid, Signal::STOP);
        }
        members.extend(new);
    }
    for pid in members {
        send(pid, Signal::KILL);
    }
    crate::reaper::signal_group(pid, Signal::KILL);
}

/// Returns the number of running processes except this one and the kernel's. All of them descend
/// from PID 1, which is this process.
pub(crate) fn count() -> u32 {
    // Usually there are none. Reading through the kernel's threads to find that out would take ten
    // milliseconds under software emulation.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    if rustix::process::waitid(WaitId::All, options).is_err_and(|error| error == Errno::CHILD) {
        return 0;
    }
    let own = rustix::process::getpid().as_raw_pid();
    let counts =
        |process: &&Process| process.pid != own && !process.is_kernel && !process.has_ended;
    u32::try_from(processes().iter().filter(counts).count()).unwrap_or(u32::MAX)
}

fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // The process may have ended by itself.
        let _sent = rustix::process::kill_process(pid, signal);
    }
}

/// Returns `root`, the processes in its process group or its session, and all their descendants.
fn descendants(processes: &[Process], root: i32) -> Vec<i32> {
    let mut members = vec![root];
    loop {
        let before = members.len();
        for process in processes {
            if !members.contains(&process.pid)
                && (process.group == root
                    || process.session == root
                    || members.contains(&process.parent))
            {
                members.push(process.pid);
            }
        }
        if members.len() == before {
            return members;
        }
    }
}

fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .filter_map(|entry| parse(&fs::read(entry.path().join("stat")).ok()?))
        .collect()
}

/// Parses `pid (name) state parent group session terminal its-group flags …`; the name may contain
/// any character, even `)`.
fn parse(stat: &[u8]) -> Option<Process> {
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let after_name = std::str::from_utf8(&stat[end_of_name + 1..]).ok()?;
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next()?;
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    let flags: u32 = fields.nth(2)?.parse().ok()?;
    let pid = stat.split(|&byte| byte == b' ').next()?;
    Some(Process {
        pid: std::str::from_utf8(pid).ok()?.parse().ok()?,
        parent,
        group,
        session,
        is_kernel: flags & PF_KTHREAD != 0,
        has_ended: matches!(state, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, group: i32, session: i32) -> Process {
        Process {
            pid,
            parent,
            group,
            session,
            is_kernel: false,
            has_ended: false,
        }
    }

    #[test]
    fn a_hostile_name_does_not_confuse() {
        let stat = b"42 (a) R 1 1 1 (b) S 7 8 9 0 -1 4194560";
        assert_eq!(parse(stat), Some(process(42, 7, 8, 9)));
        let thread = parse(b"9 (kworker/0:1) I 2 0 0 0 -1 69238880 0").unwrap();
        assert!(thread.is_kernel && !thread.has_ended);
        let zombie = parse(b"10 (sh) Z 1 10 1 0 -1 4227084 0").unwrap();
        assert!(zombie.has_ended && !zombie.is_kernel);
        assert_eq!(parse(b"42 (a"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn descendants_are_found_whatever_their_group_and_order() {
        let processes = [
            process(1, 0, 1, 1),
            process(30, 20, 30, 30), // a grandchild in a session of its own
            process(20, 10, 20, 1),  // a child in a group of its own
            process(10, 1, 10, 1),
            process(11, 1, 10, 1), // an orphan that stayed in the group
            process(50, 1, 50, 1), // another command
            process(51, 50, 50, 1),
        ];
        let mut found = descendants(&processes, 10);
        found.sort_unstable();
        assert_eq!(found, [10, 11, 20, 30]);
    }

    #[test]
    fn this_process_is_found() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(processes().iter().any(|process| process.pid == own));
    }
}
