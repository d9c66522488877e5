//! Calls that are refused, fail or are cancelled leave nothing behind.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;

use pyro_test::Action;
use serde_json::json;

use super::events::settle;
use super::stage::Stage;
use crate::context::{TestContext, debian};
use crate::instances::{Instance, Kind, id_in, kill};
use crate::leftovers;
use crate::templates::wait_until;

/// The limit on one output in a result.
const EACH: usize = 16 * 1024 * 1024;

fn supervisors(context: &TestContext) -> usize {
    let processes = leftovers::scan(context.directory()).into_iter();
    processes
        .filter(|(_, arguments)| arguments.contains(" supervise "))
        .count()
}

#[test]
fn a_start_that_is_refused_leaves_no_process_and_takes_no_place_or_skip() {
    let Some(stage) = Stage::set("a_start_that_is_refused_leaves_no_process") else {
        return;
    };
    let context = stage.context().with_variable("PYRO_MAX_ACTIVE_VMS", "1");
    let first = Instance::workspace(&context, &[] as &[&str]);
    for noun in ["workspace", "vm"] {
        let made = context.pyro(&[noun, "create", debian(), "--json"]).run();
        // One kind is started when it is created, the other is not.
        let refused = if noun == "workspace" {
            made
        } else {
            let vm = Instance::known(&context, Kind::Vm, id_in(&made.json(), Kind::Vm));
            vm.call(&["start", "--json"]).run()
        };
        assert_eq!(refused.expect(1).json()["code"], "too_many_active");
    }
    wait_until("nobody else waits", || supervisors(&context) == 1);
    first.call(&["stop"]).run().expect(0);
    first.call(&["start"]).run().expect(0);
}

#[test]
fn a_full_disk_is_told_and_ends_nothing_or_skip() {
    let Some(stage) = Stage::set("a_full_disk_is_told_and_ends_nothing") else {
        return;
    };
    let context = stage.context();
    let scene = stage.director.scene(context.directory());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    scene.wait_for("answer:synced", 1);
    scene.always("answer:synced", Action::Refuse("no space left".into()));
    workspace.ask("sleep 1000 >/dev/null 2>&1 & echo $! > pid");
    let so_far = scene.reached("answer:synced");
    scene.wait_for("answer:synced", so_far + 1);
    settle();
    // Its processes keep running.
    let told = workspace.shell("kill -0 $(cat pid) && echo runs").run();
    told.expect(0)
        .out_is("runs\n")
        .err_has("not all on the workspace's disk")
        .err_has("no space left");
    let log = fs::read_to_string(workspace.directory().join("supervisor.log")).unwrap();
    assert!(log.contains("no space left"), "{log}");
    scene.always("answer:synced", Action::Go);
    workspace.ask("kill $(cat pid)");
    scene.wait_for("qmp:stop:said", 1);
    workspace.shell("true").run().expect(0).err_lacks("disk");
}

#[test]
fn what_a_supervisor_said_last_is_shown_or_skip() {
    let Some(stage) = Stage::set("what_a_supervisor_said_last_is_shown") else {
        return;
    };
    let context = stage.context();
    let scene = stage.director.scene(context.directory());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    scene.next("qmp:stop", Action::Refuse("the reason".into()));
    scene.wait_for("qmp:stop", 1);
    settle();
    let mut run = workspace.shell("echo begun; sleep 1000").start();
    run.wait_for_stdout("begun");
    kill(workspace.supervisor().unwrap());
    let ended = run.finish().expect(1);
    ended
        .err_has("code: supervisor_gone")
        .err_has("its log ends with")
        .err_has("QEMU does not pause the machine: the reason");
}

#[test]
fn a_command_whose_caller_has_gone_before_it_was_told_does_not_go_on_or_skip() {
    let Some(stage) = Stage::set("a_command_whose_caller_has_gone_before_it_was_told") else {
        return;
    };
    let context = stage.context();
    let scene = stage.director.scene(context.directory());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    let say = |request: serde_json::Value| {
        let socket = workspace.directory().join("supervisor.sock");
        let connection = UnixStream::connect(socket).unwrap();
        writeln!(&connection, "{request}").unwrap();
        connection
    };
    let exec = |token: &str, command: &str| {
        let limit = 1_000_000;
        let exec = json!({"command": command, "timeout_ms": limit, "stdin": false, "token": token});
        say(json!({"version": 1, "request": {"exec": exec}}))
    };
    let abandon =
        |token: &str| say(json!({"version": 1, "request": {"abandon": {"token": token}}}));
    // One that runs.
    let commands = scene.reached("agent:exec");
    let running = exec("first", "sleep 1000");
    scene.wait_for("agent:exec", commands + 1);
    drop((running, abandon("first")));
    wait_until("it has ended", || {
        let entries = workspace.logs();
        entries.len() == 1 && entries[0]["interrupted"] != "running"
    });
    // A command that waits for the machine, and never starts.
    let pauses = scene.reached("qmp:stop:said");
    scene.wait_for("qmp:stop:said", pauses + 1);
    settle();
    let hold = scene.hold("qmp:cont");
    let waiting = exec("second", "touch begun");
    hold.wait();
    drop((waiting, abandon("second")));
    settle();
    hold.release(Action::Go);
    assert_eq!(workspace.ask("ls"), "");
    assert_eq!(workspace.logs().len(), 2);
}

#[test]
fn the_outputs_of_many_commands_are_shown_up_to_a_bound_or_skip() {
    let Some(stage) = Stage::set("the_outputs_of_many_commands_are_shown_up_to_a_bound") else {
        return;
    };
    let context = stage.context();
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    for _ in 0..3 {
        let run = workspace.shell(&format!("head -c {EACH} /dev/zero | tr '\\0' x"));
        run.run().expect(0);
    }
    let shown: Vec<usize> = workspace
        .logs()
        .iter()
        .map(|entry| entry["stdout"].as_str().unwrap().len())
        .collect();
    assert_eq!(shown, [0, EACH, EACH], "the newest first");
}
