//! Streams: bytes in, bytes out, in order, unchanged and bounded.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::context::{TestContext, debian};

/// Bytes of all values, with a long period.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn fifty_megabytes_go_through_unchanged() {
    let context = TestContext::with(debian());
    let bytes = noise(50_000_000);
    let run = context.debian(&["--timeout-seconds", "200", "--", "cat"]);
    let finished = run.stdin(bytes.clone()).run().expect(0);
    assert_eq!(finished.stdout.len(), bytes.len());
    assert!(
        finished.stdout == bytes,
        "the output differs from the input"
    );
}

#[test]
fn every_kind_of_standard_input_ends() {
    let context = TestContext::with(debian());
    let count = ["run", debian(), "--", "wc", "-c"];
    context.pyro(&count).run().expect(0).out_is("0\n");
    context
        .pyro(&count)
        .stdin("abc")
        .run()
        .expect(0)
        .out_is("3\n");
    let closed = context.scripted("exec \"$@\" <&-", &count);
    closed.run().expect(0).out_is("0\n");
    // Input that the command does not read, and input without an end.
    context
        .debian(&["--", "true"])
        .stdin(noise(3_000_000))
        .run()
        .expect(0);
    context
        .debian(&["--", "echo", "hi"])
        .silent_stdin()
        .run()
        .expect(0)
        .out_is("hi\n");
}

#[test]
fn output_streams_while_the_command_runs() {
    let context = TestContext::with(debian());
    let mut run = context
        .shell("echo first; echo second >&2; sleep 20; echo last")
        .start();
    run.wait_for_stdout("first\n");
    run.wait_for_stderr("second\n");
    let seen = Instant::now();
    run.finish().expect(0).out_is("first\nlast\n");
    assert!(
        seen.elapsed() > Duration::from_secs(10),
        "it came only at the end"
    );
}

#[test]
fn binary_output_is_passed_on_and_flagged_in_json() {
    let context = TestContext::with(debian());
    let script = "printf 'a\\377\\000b'; printf '\\303\\050' >&2";
    let finished = context
        .debian(&["-q", "--", "sh", "-c", script])
        .run()
        .expect(0);
    assert_eq!(finished.stdout, b"a\xff\0b");
    assert_eq!(finished.stderr, b"\xc3(");

    let result = context
        .debian(&["--json", "--", "sh", "-c", script])
        .run()
        .expect(0)
        .json();
    assert_eq!(result["stdout"], "a\u{fffd}\0b");
    assert_eq!(result["stdout_lossy"], true);
    assert_eq!(result["stdout_lossy_from_bytes"], 4);
    assert_eq!(result["stderr"], "\u{fffd}(");
    assert_eq!(result["stderr_lossy"], true);
    assert_eq!(result["stderr_lossy_from_bytes"], 2);
}

#[test]
fn collected_output_is_cut_at_its_limit_and_says_so() {
    let context = TestContext::with(debian());
    let script = "head -c 20000000 /dev/zero | tr '\\0' x; echo short >&2";
    let run = context.debian(&[
        "--json",
        "--timeout-seconds",
        "200",
        "--",
        "sh",
        "-c",
        script,
    ]);
    let result = run.run().expect(0).json();
    assert_eq!(result["stdout"].as_str().unwrap().len(), 16 * 1024 * 1024);
    assert_eq!(result["stdout_truncated_from_bytes"], 20_000_000);
    assert_eq!(result["stderr"], "short\n");
    assert!(result.get("stderr_truncated_from_bytes").is_none());
}

#[test]
fn a_reader_that_goes_away_ends_the_run() {
    let context = TestContext::with(debian());
    let run = context
        .debian(&["--timeout-seconds", "200", "--", "yes"])
        .limit(100);
    let mut run = run.start_unread();
    let mut stdout = run.take_stdout();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    run.finish().expect(141).err_lacks("panicked");
    context.assert_nothing_is_left();
}

#[test]
fn a_flood_to_a_reader_that_does_not_read_stays_in_the_guest() {
    const LIMIT_KIB: u64 = 100 * 1024;
    let context = TestContext::with(debian());
    let mut run = context
        .debian(&["--timeout-seconds", "100", "--", "yes"])
        .start_unread();
    let mut stdout = run.take_stdout();
    stdout.read_exact(&mut [0; 1024]).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        let memory = resident_kib(run.pid());
        assert!(memory < LIMIT_KIB, "pyro holds {memory} KiB");
        std::thread::sleep(Duration::from_millis(100));
    }
    // The waiting output is complete, and no more than the buffers in between hold was produced.
    stdout.read_exact(&mut vec![0; 4_000_000]).unwrap();
    drop(stdout);
    run.finish().expect(141);
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
