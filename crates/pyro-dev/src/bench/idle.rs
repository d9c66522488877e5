//! What an *idle* machine costs: memory, disk, and time of the processor.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;
use crate::program::Program;

const MACHINES: usize = 12;
const READY_LIMIT: Duration = Duration::from_secs(180);
const END_LIMIT: Duration = Duration::from_secs(60);
/// What the machines do before they sleep.
const SCRIPT: &str = "git --version >/dev/null; echo ready; sleep 1000";
/// How long the use of the processor is watched.
const WATCHED: Duration = Duration::from_secs(5);
/// In what the kernel counts the use of a processor towards programs, on every x86-64.
const TICKS_PER_SECOND: u64 = 100;
const MIB: f64 = 1024.0 * 1024.0;

/// Measures the cost of machines that have run a shell and git and wait, and of one that is
/// parked by `parking`, and returns it as Markdown.
///
/// # Errors
/// When they do not start.
pub(super) fn measure(
    restoring: &Program,
    parking: &Program,
    environment: &str,
) -> Result<String, Error> {
    let mut report = format!(
        "{MACHINES} machines of 1 GiB, each `pyro run {environment} -- sh -c '{SCRIPT}'`, \
         restored:\n\n| what | each |\n|---|--:|\n"
    );
    let before = available_mib()?;
    let machines = Waiting::start(restoring, environment)?;
    std::thread::sleep(Duration::from_secs(2));
    let fall = (before - available_mib()?) / MACHINES as f64;
    writeln!(
        report,
        "| fall of MemAvailable, the waiting `pyro` included | {fall:.1} MiB |"
    )?;

    let directories = restoring.machines();
    let mut disks = Vec::new();
    for directory in &directories {
        disks.push(disk_bytes(directory)? as f64 / MIB);
    }
    disks.sort_by(f64::total_cmp);
    let (median, most) = (disks.get(disks.len() / 2), disks.last());
    let (Some(median), Some(most)) = (median, most) else {
        return Err("the machines have no directories".into());
    };
    writeln!(
        report,
        "| disk, all files of the machine | {median:.1} MiB (at most {most:.1}) |"
    )?;
    let running = directories.first().ok_or("no machine is there")?;
    writeln!(
        report,
        "| processor, idle but running | {} |",
        usage(running)?
    )?;
    machines.end()?;

    let paused = parking.machines();
    let paused = paused.first().ok_or("no machine is parked")?;
    writeln!(
        report,
        "| processor, parked and paused | {} |",
        usage(paused)?
    )?;
    Ok(report)
}

/// Machines that do nothing; their processes are ended when dropped.
struct Waiting {
    children: Vec<Child>,
}

impl Waiting {
    fn start(program: &Program, environment: &str) -> Result<Self, Error> {
        let mut all = Self { children: vec![] };
        for _ in 0..MACHINES {
            let mut command = program.command(["run", environment, "-q", "--", "sh", "-c", SCRIPT]);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null());
            all.children.push(command.spawn()?);
        }
        let (tell, heard) = std::sync::mpsc::channel();
        for child in &mut all.children {
            let stdout = child.stdout.take().ok_or("no output")?;
            let tell = tell.clone();
            // Ends with the child, of which it is told here at the latest.
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stdout).lines();
                let first = lines.next().and_then(Result::ok);
                // Nobody may be waiting any more.
                let _ = tell.send(first.is_some_and(|line| line == "ready"));
                lines.count()
            });
        }
        let deadline = Instant::now() + READY_LIMIT;
        for _ in 0..MACHINES {
            let left = deadline.saturating_duration_since(Instant::now());
            match heard.recv_timeout(left) {
                Ok(true) => {}
                Ok(false) => return Err("an idle machine ended too early".into()),
                Err(_) => return Err("the idle machines did not get ready".into()),
            }
        }
        Ok(all)
    }

    /// Asks them to end and waits until they have.
    fn end(mut self) -> Result<(), Error> {
        self.terminate();
        let begun = Instant::now();
        for child in &mut self.children {
            while child.try_wait()?.is_none() {
                if begun.elapsed() > END_LIMIT {
                    return Err("an idle machine does not end".into());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    fn terminate(&self) {
        for child in &self.children {
            let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            // It may have ended; it is not reaped, so the number is still its own.
            let _ = id.map(|id| kill_process(id, Signal::TERM));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that was waited for is not signalled any more.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn available_mib() -> Result<f64, Error> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib.ok_or("/proc/meminfo has no MemAvailable")?.parse()?;
    Ok(kib / 1024.0)
}

/// What the files of a directory, which has none below it, take on the disk.
fn disk_bytes(directory: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        bytes += entry?.metadata()?.blocks() * 512;
    }
    Ok(bytes)
}

/// How much of a processor the VMM of a machine takes, in words.
pub(super) fn usage(machine: &Path) -> Result<String, Error> {
    let id = fs::read_to_string(machine.join("vmm.lock"))?;
    let id: u32 = id.trim_matches(|c: char| !c.is_ascii_digit()).parse()?;
    let before = ticks(id)?;
    std::thread::sleep(WATCHED);
    let ticks = ticks(id)? - before;
    let milliseconds = ticks * 1000 / TICKS_PER_SECOND;
    Ok(format!("{milliseconds} ms in {} s", WATCHED.as_secs()))
}

/// The time that a process has used, all its threads together.
fn ticks(id: u32) -> Result<u64, Error> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The second field, a name in parentheses, may contain anything.
    let (_, rest) = stat.rsplit_once(')').ok_or("a strange /proc/PID/stat")?;
    let field = |number: usize| rest.split_whitespace().nth(number - 3);
    let (Some(user), Some(system)) = (field(14), field(15)) else {
        return Err("a short /proc/PID/stat".into());
    };
    Ok(user.parse::<u64>()? + system.parse::<u64>()?)
}
