//! The cost of an idle workspace.

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::templates::wait_until;

/// How long to check that nothing happens.
const WATCHED: Duration = Duration::from_secs(2);
/// The maximum difference between a guest's clock and the host's.
const CLOCK_TOLERANCE: f64 = 1.0;
/// The limit on a supervisor's memory on the host, in KiB. Its private memory is small; this
/// includes all pages of a debug build.
const SUPERVISOR_KIB: u64 = 64 * 1024;

#[test]
fn an_idle_workspace_is_paused_and_wakes_with_the_right_time() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    workspace.ask("echo kept > file");
    let (supervisor, vmm) = (workspace.supervisor().unwrap(), workspace.vmm().unwrap());
    wait_until("it is paused", || {
        let before = (ticks(supervisor), ticks(vmm));
        thread::sleep(WATCHED);
        (ticks(supervisor), ticks(vmm)) == before
    });
    let memory = resident_kib(supervisor);
    assert!(memory < SUPERVISOR_KIB, "{memory} KiB");
    // Long enough to detect a stopped clock.
    thread::sleep(Duration::from_secs(3));
    let times = workspace.ask("date +%s.%N; cat file");
    let guest: f64 = times.lines().next().unwrap().parse().unwrap();
    let off = now() - guest;
    assert!(
        (0.0..CLOCK_TOLERANCE).contains(&(off + CLOCK_TOLERANCE / 2.0)),
        "{off} s"
    );
    assert!(times.ends_with("kept\n"));
    assert_eq!(workspace.vmm(), Some(vmm), "it is the same machine");
}

#[test]
fn what_is_left_running_goes_on() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    // Its writes are observed on the host; asking the guest would resume it.
    let writer = "nohup sh -c 'while :; do echo >> ticks; sync; sleep 0.2; done' \
                  >/dev/null 2>&1 & echo $! >pid";
    workspace.ask(writer);
    let disk = workspace.directory().join("disk.ext4");
    let written = || fs::metadata(&disk).unwrap().modified().unwrap();
    // Longer than the delay before the supervisor pauses an idle machine. A paused one writes
    // nothing from then on.
    thread::sleep(Duration::from_secs(7));
    for _ in 0..10 {
        let last = written();
        wait_until("it writes", || written() != last);
    }
    workspace.ask("kill $(cat pid)");
    let (supervisor, vmm) = (workspace.supervisor().unwrap(), workspace.vmm().unwrap());
    wait_until("it is paused", || {
        let before = (ticks(supervisor), ticks(vmm));
        thread::sleep(WATCHED);
        (ticks(supervisor), ticks(vmm)) == before
    });
}

/// The processor time that a process has used.
#[track_caller]
pub(crate) fn ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = text.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    // utime and stime are the 14th and 15th, counted from 1, and this begins with the third.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The memory of a process, including shared pages.
#[track_caller]
pub(crate) fn resident_kib(pid: u32) -> u64 {
    memory_kib(pid, "VmRSS:")
}

/// Its peak memory.
#[track_caller]
pub(crate) fn peak_kib(pid: u32) -> u64 {
    memory_kib(pid, "VmHWM:")
}

#[track_caller]
fn memory_kib(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}
