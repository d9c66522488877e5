//! What is refused, fails, or is not wanted any more, and leaves nothing.

use std::fs;
use std::thread;

use pyro_test::Action;
use rustix::process::Signal;

use super::events::settle;
use super::stage::Stage;
use crate::context::TestContext;
use crate::lasting::{Kind, Lasting, id_in, kill};
use crate::leftovers;
use crate::templates::wait_until;

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
    let first = Lasting::workspace(&context, &[] as &[&str]);
    for noun in ["workspace", "vm"] {
        let made = context.pyro(&[noun, "create", "debian:12", "--json"]).run();
        // One is started as it is made, the other is not.
        let refused = if noun == "workspace" {
            made
        } else {
            let vm = Lasting::known(&context, Kind::Vm, id_in(&made.json(), Kind::Vm));
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
    let workspace = Lasting::workspace(&context, &[] as &[&str]);
    scene.wait_for("answer:synced", 1);
    scene.always("answer:synced", Action::Refuse("no space left".into()));
    workspace.ask("sleep 1000 >/dev/null 2>&1 & echo $! > pid");
    let so_far = scene.reached("answer:synced");
    scene.wait_for("answer:synced", so_far + 1);
    settle();
    // What ran in it runs on.
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
    let workspace = Lasting::workspace(&context, &[] as &[&str]);
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
    // Which of the two a client sees first, its signal or the answer, is left to chance.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| give_up(&stage));
        }
    });
}

fn give_up(stage: &Stage) {
    let context = stage.context();
    let scene = stage.director.scene(context.directory());
    let workspace = Lasting::workspace(&context, &[] as &[&str]);
    scene.wait_for("qmp:stop:said", 1);
    settle();
    let hold = scene.hold("qmp:cont");
    let commands = scene.reached("agent:exec");
    let client = workspace.shell("sleep 1000").start();
    hold.wait();
    client.signal(Signal::STOP);
    hold.release(Action::Go);
    scene.wait_for("agent:exec", commands + 1);
    settle();
    client.signal(Signal::INT);
    client.signal(Signal::CONT);
    client.finish().expect(130);
    wait_until("nothing runs", || {
        let entries = workspace.logs();
        entries
            .iter()
            .all(|entry| entry["interrupted"] != "running")
    });
}
