//! The end of commands: the same rule for all causes, and the reported result.

use std::fs;
use std::io::Read as _;

use rustix::process::Signal;

use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill};
use crate::process::Pyro;
use crate::templates::wait_until;

/// Starts processes that try to escape: one in a session of its own, and an orphan.
const GET_AWAY: &str = "setsid sleep 1000 & (setsid sh -c 'setsid sleep 2000 & exit' &); \
                        until test $(pgrep -cx sleep) = 2; do :; done; echo ready; wait; sleep 3000";

#[test]
fn what_a_command_has_started_ends_with_it_whoever_ends_it() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    let nothing_runs = || {
        let look = "for i in 1 2 3 4 5 6 7 8 9; do pgrep -x sleep >/dev/null || exit 0; sleep 0.3; \
                    done; pgrep -ax sleep; exit 1";
        workspace.shell(look).run().expect(0);
    };
    // Ended by its time limit.
    let limited = workspace.shell_with(&["--timeout-seconds", "3"], GET_AWAY);
    limited.run().expect(124).out_is("ready\n");
    nothing_runs();
    // Ended by the user, and by the client's timeout.
    for signal in [Signal::INT, Signal::TERM] {
        let mut run = workspace.shell(GET_AWAY).start();
        run.wait_for_stdout("ready\n");
        run.signal(signal);
        run.finish();
        nothing_runs();
    }
    // Ended because the reader of its output is gone.
    let mut run = workspace
        .shell(&format!("{GET_AWAY} & while echo; do :; done"))
        .start_unread();
    drop(run.take_stdout());
    run.finish().expect(141);
    nothing_runs();
    // The end of a command does not end its daemons.
    workspace.ask("setsid sleep 1000 >/dev/null 2>&1 & exit 0");
    workspace.ask("pgrep -x sleep && pkill -x sleep");
}

#[test]
fn the_end_of_memory_is_told_from_a_kill() {
    let context = TestContext::with(debian());
    // A signal of its own process, and of a child that its shell reports.
    for (script, code) in [("exec tail /dev/zero", 137), ("tail /dev/zero; exit 3", 3)] {
        let long = ["--timeout-seconds", "300"];
        let small = [&long[..], &["--mem-mib", "256", "--", "sh", "-c", script]].concat();
        context
            .debian(&small)
            .run()
            .expect(code)
            .err_has("the machine's memory was used up (mem_mib: 256)");
        let result = context
            .debian(&["--json"])
            .args(&small)
            .run()
            .expect(code)
            .json();
        assert_eq!(result["oom_killed"], true, "{result}");
    }
    let killed = context.debian(&["--json", "--", "sh", "-c", "kill -9 $$"]);
    assert!(killed.run().expect(137).json().get("oom_killed").is_none());

    let workspace = Instance::workspace(&context, &["--mem-mib", "256"]);
    let exhaust = |run: Pyro| run.run().expect(137).err_has("memory was used up");
    exhaust(workspace.shell_with(&["--timeout-seconds", "300"], "exec tail /dev/zero"));
    workspace
        .shell("kill -9 $$")
        .run()
        .expect(137)
        .err_lacks("memory");
    let told: Vec<bool> = workspace
        .logs()
        .iter()
        .map(|entry| entry.get("oom_killed").is_some())
        .collect();
    assert_eq!(told, [true, false]);
}

/// A supervisor whose machine died waits for its clients: until then the workspace is neither running
/// nor ready to be started.
#[test]
fn a_start_during_the_end_is_a_start() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    workspace.ask("head -c 30000000 /dev/zero >large; sync");
    let export = workspace
        .call(&["export"])
        .args(&["large", "--output", "-"]);
    let mut export = export.start_unread();
    // The rest of it waits to be read.
    let mut output = export.take_stdout();
    output.read_exact(&mut [0; 512]).unwrap();
    kill(workspace.vmm().unwrap());
    let record = workspace.directory().join("record.json");
    wait_until("its supervisor has seen it", || {
        fs::read_to_string(&record).unwrap().contains("is_ending")
    });
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("stat -c %s large").trim(), "30000000");
    drop(output);
    export.finish();
}
