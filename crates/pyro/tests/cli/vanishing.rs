//! Clients that end in different ways while their command runs.

use std::fs;

use rustix::process::Signal;

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::templates::wait_until;

const NO_OPTIONS: &[&str] = &[];

/// Prints lines until it is asked to end.
const UNTIL_TOLD: &str = "echo begun; until [ -e told ]; do sleep 0.1; done; echo ended; exit 7";

#[test]
fn a_command_outlives_its_client_and_others_see_the_rest() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    let mut client = workspace.shell(UNTIL_TOLD).start();
    client.wait_for_stdout("begun");
    client.signal(Signal::KILL);
    client.finish().expect(-9);
    let entry = workspace.logs().remove(0);
    assert_eq!(entry["interrupted"], "running");
    assert_eq!(entry["stdout"], "begun\n");

    let mut follower = workspace.call(&["logs", "--follow"]).start();
    follower.wait_for_stdout("begun");
    workspace.ask("touch told");
    let seen = follower.finish().expect(0).out_is("begun\nended\n");
    seen.err_has("#1 exit_code=7 ");
    let entry = workspace.logs().remove(0);
    assert_eq!(entry["stdout"], "begun\nended\n");
    assert_eq!(entry["exit_code"], 7);
    assert_eq!(entry.get("interrupted"), None);
    // An ended command can also be followed.
    let again = workspace
        .call(&["logs", "--follow", "--sequence", "1"])
        .run();
    again.expect(0).out_is("begun\nended\n");
}

#[test]
fn a_signal_to_the_client_ends_the_command_in_the_guest() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let script = "echo begun; sleep 4711 & sleep 4712";
        let mut client = workspace.shell(script).silent_stdin().start();
        client.wait_for_stdout("begun");
        assert_eq!(sleepers(&workspace), 2);
        client.signal(signal);
        client.finish().expect(code).err_has("code: cancelled");
        wait_until("they are gone", || sleepers(&workspace) == 0);
    }
    let entry = workspace.logs().remove(0);
    assert_eq!(
        (&entry["exit_code"], &entry["stdout"]),
        (&137.into(), &"begun\n".into())
    );
}

#[test]
fn a_signal_before_the_command_begins_leaves_nothing_running() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    let client = workspace.exec(&["true"]).run().expect(0);
    for step in 0..8 {
        let client_runs = workspace.shell("sleep 4713").silent_stdin().start();
        std::thread::sleep(client.elapsed.mul_f64(f64::from(step) / 8.0));
        client_runs.signal(Signal::INT);
        let ended = client_runs.finish();
        // Before it has installed its handlers, a signal ends it at once.
        assert!(ended.code == 130 || ended.code == -2, "{ended:?}");
    }
    wait_until("they are gone", || sleepers(&workspace) == 0);
}

#[test]
fn the_time_limit_ends_all_of_a_command_and_keeps_what_it_printed() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    let script = "trap '' TERM; echo before; echo err >&2; sleep 4711 & sleep 4712; echo after";
    let limit = ["--timeout-seconds", "1"];
    let run = workspace.shell_with(&limit, script).run().expect(124);
    run.out_is("before\n")
        .err_has("err\n")
        .err_has("command timed out");
    wait_until("they are gone", || sleepers(&workspace) == 0);
    let limit = ["--timeout-seconds", "1", "--json"];
    let result = workspace
        .shell_with(&limit, script)
        .run()
        .expect(124)
        .json();
    assert_eq!(result["timed_out"], true);
    for entry in workspace
        .logs()
        .iter()
        .filter(|entry| entry["exit_code"] == 124)
    {
        assert_eq!(entry["stdout"], "before\n");
        assert_eq!(entry["timed_out"], true);
    }
}

#[test]
fn every_byte_passes_both_ways() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let echoed = workspace.exec(&["tee", "/dev/stderr"]);
    let echoed = echoed.stdin(bytes.clone()).run().expect(0);
    assert!(echoed.stdout == bytes, "{} bytes", echoed.stdout.len());
    assert!(echoed.stderr.starts_with(&bytes));
    let entry = workspace.logs().remove(0);
    for name in ["stdout_file", "stderr_file"] {
        let kept = fs::read(entry[name].as_str().unwrap()).unwrap();
        assert!(kept == bytes, "{name}: {} bytes", kept.len());
    }
    assert_eq!(
        (&entry["stdout_lossy"], &entry["stderr_lossy"]),
        (&true.into(), &true.into())
    );
    let part = ["logs", "--json", "--offset", "1", "--limit", "4"];
    let part = workspace.call(&part).run().expect(0).json();
    assert_eq!(part["entries"][0]["stdout_truncated_from_bytes"], 3_000_000);
    // A command without input, and one with more input than it reads.
    let nothing = workspace.exec(&["cat"]).run().expect(0);
    nothing.out_is("");
    let first = workspace.exec(&["head", "-c", "3"]).stdin(bytes.clone());
    assert_eq!(first.run().expect(0).stdout, &bytes[..3]);
    let signal = workspace.exec(&["exec", "sh", "-c", "kill -TERM $$"]);
    signal.run().expect(143);
    assert_eq!(workspace.logs()[3]["exit_code"], 143);
}

/// The number of these tests' `sleep` processes in the guest.
#[track_caller]
fn sleepers(workspace: &Instance) -> usize {
    let found = workspace.ask("pgrep -x sleep -a | grep -c ' 471[0-9]' || true");
    found.trim().parse().unwrap()
}
