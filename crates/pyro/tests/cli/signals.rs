//! Signals, and sudden death.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use rustix::process::Signal;

use crate::context::{PYRO, TestContext, debian};
use crate::instances::Instance;
use crate::process::Running;
use crate::templates::wait_until;

const SIGNALS: &[(Signal, i32)] = &[(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

#[test]
fn a_signal_while_booting_ends_the_run() {
    let context = TestContext::with(debian());
    for (signal, code) in SIGNALS {
        let mut run = context
            .debian(&["--", "sleep", "100"])
            .silent_stdin()
            .start();
        run.wait_for_stderr("phase=start");
        run.signal(*signal);
        run.finish()
            .expect(*code)
            .err_has("run was cancelled")
            .err_lacks("panicked");
        context.assert_nothing_is_left();
    }
}

#[test]
fn a_signal_while_the_command_runs_ends_the_run() {
    let context = TestContext::with(debian());
    for (signal, code) in SIGNALS {
        let mut run = context
            .shell("echo ready; sleep 100")
            .silent_stdin()
            .start();
        run.wait_for_stdout("ready");
        let sent = Instant::now();
        run.signal(*signal);
        run.finish()
            .expect(*code)
            .err_has("code: cancelled")
            .out_is("ready\n");
        assert!(
            sent.elapsed() < Duration::from_secs(30),
            "{:?}",
            sent.elapsed()
        );
        context.assert_nothing_is_left();
    }
    let run = context.debian(&["--json", "--", "sleep", "100"]).start();
    thread::sleep(Duration::from_secs(1));
    run.signal(Signal::TERM);
    let finished = run.finish().expect(143);
    assert_eq!(finished.json()["code"], "cancelled");
}

#[test]
fn a_second_interrupt_waits_for_nothing() {
    let context = TestContext::with(debian());
    // The reader of its standard error, where it reports the cancellation, is gone.
    let (path, _pipe) = full_pipe(&context);
    let interrupt = |words: &[&str]| {
        let words = [words, &["--", "sh", "-c", "echo ready; sleep 100"]].concat();
        let run = context.scripted(&format!("exec \"$@\" 2>{path}"), &words);
        let mut run = run.silent_stdin().limit(60).start();
        run.wait_for_stdout("ready");
        interrupt_until_it_ends(run, "ready\n");
    };
    interrupt(&["-q", "run", debian()]);
    context.assert_nothing_is_left();
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    interrupt(&["-q", "workspace", "exec", &workspace.id]);
    wait_until("the first interrupt has ended the command", || {
        workspace.logs()[0]["interrupted"] != "running"
    });
}

#[test]
fn an_interrupt_ends_a_program_whose_result_nobody_reads() {
    let context = TestContext::with(debian());
    let (path, _pipe) = full_pipe(&context);
    let script = format!("exec \"$@\" >{path}");
    for words in [
        ["env", "list"].as_slice(),
        &["env", "list", "--json"],
        &["workspace", "list", "--json"],
    ] {
        let run = context.scripted(&script, words).limit(60).start();
        wait_until("it has its own way to end", || {
            catches_interrupts(run.pid())
        });
        interrupt_until_it_ends(run, "");
    }
}

/// Sends interrupts repeatedly, like an impatient user.
#[track_caller]
fn interrupt_until_it_ends(mut run: Running, output: &str) {
    while !run.has_ended() {
        run.signal(Signal::INT);
        thread::sleep(Duration::from_millis(250));
    }
    run.finish().expect(130).out_is(output);
}

/// A full named pipe, and its reader, which does not read.
fn full_pipe(context: &TestContext) -> (String, File) {
    let path = context.path("full");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
    let mut options = File::options();
    options.read(true).write(true);
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let mut pipe = options.open(&path).unwrap();
    let full = loop {
        if let Err(error) = pipe.write(&[0]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    (path.to_str().unwrap().to_owned(), pipe)
}

/// Whether a process runs pyro and has installed its handler for SIGINT. The shell that becomes pyro
/// catches the signal, too.
fn catches_interrupts(pid: u32) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    if program != Path::new(PYRO) {
        return false;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    caught & 1 << (Signal::INT.as_raw() - 1) != 0
}

#[test]
fn fifty_sudden_deaths_leave_nothing_after_the_next_call() {
    const DEATHS: u64 = 50;
    const LANES: u64 = 2;
    let context = TestContext::with(debian());
    let whole = context.debian(&["--", "true"]).run().expect(0).elapsed;
    let seed = u64::from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .subsec_nanos(),
    );
    eprintln!("seed {seed}, a whole run takes {whole:?}");
    thread::scope(|scope| {
        for lane in 0..LANES {
            let context = &context;
            scope.spawn(move || {
                let mut state = seed.wrapping_mul(lane * 2 + 1) | 1;
                for _ in 0..DEATHS / LANES {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    // Most are killed during the boot, some before and some after.
                    let moment = whole.mul_f64(1.1 * (state % 1000) as f64 / 1000.0);
                    let run = context.debian(&["--", "sleep", "100"]).start();
                    thread::sleep(moment);
                    run.signal(Signal::KILL);
                    run.finish().expect(-9);
                }
            });
        }
    });
    context.pyro(&["env", "list"]).run().expect(0);
    context.assert_nothing_is_left();
    assert_no_remains(&context);
    context.debian(&["--", "true"]).run().expect(0);
    assert_no_remains(&context);
}

#[test]
fn a_death_while_the_first_disk_is_formatted_leaves_nothing() {
    let context = TestContext::with(debian());
    for step in 0..6 {
        // The blank disk is made by the first run below a base directory.
        let base = context.path(&format!("base-{step}"));
        let run = context
            .debian(&["--", "true"])
            .env("PYRO_BASE_DIR", &base)
            .start();
        let begun = Instant::now();
        while !base.join("vms").exists() && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(step * 12));
        run.signal(Signal::KILL);
        run.finish();
        context
            .debian(&["-q", "--", "true"])
            .env("PYRO_BASE_DIR", &base)
            .run()
            .expect(0);
        let left = hidden(&base);
        assert!(left.is_empty(), "{left:?}");
    }
}

#[track_caller]
fn assert_no_remains(context: &TestContext) {
    let left = hidden(&context.base());
    assert!(left.is_empty(), "{left:?}");
}

/// Incomplete files of killed processes have names that begin with a dot.
fn hidden(directory: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        // Known: a record that was being flushed when its writer died remains as a small file.
        .filter(|name| name.starts_with('.') && !name.starts_with(".new-"))
        .collect()
}
