//! Streams that block, fail or end early: a failure is reported as an error, and is never treated
//! as the end of the data.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::context::{TestContext, debian};
use crate::instances::Instance;

const NONE: [&str; 0] = [];

fn numbers(last: u32) -> String {
    let numbers: Vec<String> = (1..=last).map(|number| number.to_string()).collect();
    numbers.join("\n") + "\n"
}

/// Reads in small steps with pauses, so that the writer's pipe is full most of the time.
fn read_slowly(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 150_000];
    loop {
        thread::sleep(Duration::from_millis(20));
        match from.read(&mut buffer).unwrap() {
            0 => return bytes,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
}

#[test]
fn input_that_does_not_block_is_waited_for() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &NONE);
    let cat = |run: crate::process::Pyro| {
        let mut run = run.nonblocking().silent_stdin().start();
        run.wait_for_stdout("ready\n");
        run.say("late\n");
        run.say_no_more();
        run.finish().expect(0).out_is("ready\nlate\n");
    };
    cat(context.shell("echo ready; cat"));
    cat(workspace.shell("echo ready; cat"));
}

#[test]
fn output_that_does_not_block_is_waited_for() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &NONE);
    for run in [context.shell("seq 400000"), workspace.shell("seq 400000")] {
        let mut run = run.nonblocking().start_unread();
        let read = read_slowly(run.take_stdout());
        run.finish().expect(0);
        assert!(read == numbers(400_000).as_bytes(), "{} bytes", read.len());
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_with_a_name() {
    let context = TestContext::with(debian());
    for words in [
        ["env", "list"].as_slice(),
        &["env", "list", "--json"],
        &["--help"],
        &["--version"],
        &["run", "--help"],
        &["completions", "bash"],
        &["manual"],
        &["mcp", "config", "codex"],
        &["doctor"],
        &["workspace", "list", "--json"],
        &["run", debian(), "--json", "--", "true"],
    ] {
        context
            .scripted("exec \"$@\" >/dev/full", words)
            .run()
            .expect(1)
            .err_has("cannot write to standard output: No space left on device")
            .err_has("output_failed");
        context
            .scripted("exec \"$@\" >/dev/full 2>&1", words)
            .run()
            .expect(1);
    }
}

#[test]
fn output_of_a_command_that_cannot_be_written_ends_it() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &NONE);
    let run = ["run", debian(), "--", "sh", "-c", "seq 9; sleep 100"];
    let exec = [
        "workspace",
        "exec",
        &workspace.id,
        "--",
        "sh",
        "-c",
        "seq 9; sleep 100",
    ];
    for words in [run.as_slice(), &exec] {
        context
            .scripted("exec \"$@\" >/dev/full", words)
            .run()
            .expect(1)
            .err_has("the command's output cannot be written: No space left on device")
            .err_has("code: output_failed");
        context
            .scripted("exec \"$@\" 2>/dev/full >/dev/full", words)
            .run()
            .expect(1);
    }
    // The command has ended.
    workspace.shell("! pgrep -x sleep").run().expect(0);
    let lost = ["run", debian(), "--", "sh", "-c", "echo lost >&2"];
    let lost = context.scripted("exec \"$@\" 2>/dev/full", &lost);
    lost.run().expect(1);
}

#[test]
fn output_beyond_the_limit_of_a_file_is_an_error_and_no_signal() {
    let context = TestContext::with(debian());
    // The machine's files already exist; only the output exceeds the limit.
    let workspace = Instance::workspace(&context, &NONE);
    let exec = ["workspace", "exec", &workspace.id, "--", "seq", "400000"];
    context
        .scripted("ulimit -f 1000; exec \"$@\" >out", &exec)
        .run()
        .expect(1)
        .err_has("the command's output cannot be written: File too large");
}

#[test]
fn our_own_words_that_nobody_can_be_told_change_nothing() {
    let context = TestContext::with(debian());
    for (code, script) in [(5, "exit 5"), (0, "echo out")] {
        let run = ["run", debian(), "--", "sh", "-c", script];
        for to in ["2>/dev/full", "2>&-"] {
            let script = format!("exec \"$@\" {to}");
            context.scripted(&script, &run).run().expect(code);
        }
    }
    let wrong = ["workspace", "status", "nothing"];
    context
        .scripted("exec \"$@\" 2>/dev/full", &wrong)
        .run()
        .expect(1);
    let wrong = ["run", "--no-such-option"];
    context
        .scripted("exec \"$@\" 2>/dev/full", &wrong)
        .run()
        .expect(2);
}

#[test]
fn an_input_that_cannot_be_read_is_not_one_that_has_ended() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &NONE);
    let directory = || File::open(context.directory()).unwrap();
    for run in [
        context.shell("cat; sleep 100"),
        workspace.shell("cat; sleep 100"),
    ] {
        run.stdin_from(directory())
            .run()
            .expect(1)
            .err_has("standard input cannot be read: Is a directory")
            .err_has("code: input_failed");
    }
    workspace.shell("! pgrep -x sleep").run().expect(0);
    // As `nohup` does, so that programs do not wait for a terminal.
    let not_for_reading = || OpenOptions::new().write(true).open("/dev/null").unwrap();
    for run in [
        context.shell("cat; echo end"),
        workspace.shell("cat; echo end"),
    ] {
        run.stdin_from(not_for_reading())
            .run()
            .expect(0)
            .out_is("end\n");
    }
}

#[test]
fn half_an_input_is_not_taken_for_the_whole() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &NONE);
    let script = "cat >part; touch whole";
    let mut run = workspace
        .shell(&format!("echo ready; {script}"))
        .silent_stdin()
        .start();
    run.wait_for_stdout("ready");
    run.say("half");
    workspace
        .shell("until grep -q half part; do sleep 0.1; done")
        .run()
        .expect(0);
    run.signal(Signal::KILL);
    run.finish().expect(-9);
    // The supervisor has noticed it when it has answered another request.
    workspace
        .shell("sleep 1; test ! -e whole; pgrep -x cat")
        .run()
        .expect(0);
    // A regular end of the input is not an error.
    workspace.shell(script).stdin("whole").run().expect(0);
    workspace.shell("test -e whole").run().expect(0);
}

#[test]
fn a_list_that_a_loop_reads_is_left_alone() {
    let context = TestContext::with(debian());
    let script = "printf '1\\n2\\n3\\n' | while read x; do \"$@\" echo $x; done";
    for option in ["-n", "--no-stdin"] {
        let run = ["-q", "run", option, debian(), "--"];
        context
            .scripted(script, &run)
            .run()
            .expect(0)
            .out_is("1\n2\n3\n");
    }
}

#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    let context = TestContext::with(debian());
    for signal in [Signal::HUP, Signal::INT] {
        let run = [
            "run",
            debian(),
            "--",
            "sh",
            "-c",
            "echo ready; read go; echo end",
        ];
        let mut run = context
            .scripted("trap '' HUP INT; exec \"$@\"", &run)
            .silent_stdin()
            .start();
        run.wait_for_stdout("ready");
        run.signal(signal);
        thread::sleep(Duration::from_millis(300));
        run.say("go\n");
        run.finish().expect(0).out_is("ready\nend\n");
    }
}

#[test]
fn a_log_that_cannot_be_read_is_no_end_of_output() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &NONE);
    let mut run = workspace.shell("echo begun; sleep 1000").start();
    run.wait_for_stdout("begun\n");
    // Reading from a directory fails with an error of the kernel, as with a damaged disk.
    let log = workspace.directory().join("history/000001/stdout");
    std::fs::rename(&log, log.with_extension("away")).unwrap();
    std::fs::create_dir(&log).unwrap();
    for options in [["logs", "--follow"].as_slice(), &["logs"]] {
        let logs = workspace.call(options).run().expect(1);
        logs.err_has("cannot read the log")
            .err_has("code: store_unusable");
    }
    run.signal(Signal::INT);
    run.finish().expect(130);
}
