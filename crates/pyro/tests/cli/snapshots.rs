//! Snapshots of a workspace, and resets. With `PYRO_TEST_FULL` there are more sudden deaths.

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clones::count;
use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill, signal};
use crate::mcp_client::{Client, Era};
use crate::templates::wait_until;

const NONE: &[&str] = &[];

/// A workspace that began with the file `seed`.
fn seeded(context: &TestContext) -> Instance<'_> {
    let source = context.path("source");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("seed"), "seed\n").unwrap();
    Instance::workspace(context, &["--seed-path".as_ref(), source.as_os_str()])
}

fn snapshot(workspace: &Instance<'_>, name: &str) -> Value {
    let call = workspace.call(&["snapshot", "create", "--json"]);
    call.args(&[name]).run().expect(0).json()
}

fn names(workspace: &Instance<'_>) -> Vec<String> {
    let list = workspace.call(&["snapshot", "list", "--json"]).run();
    let list = list.expect(0).json();
    let snapshots = list["snapshots"].as_array().unwrap();
    assert_eq!(list["count"], snapshots.len());
    let name = |snapshot: &Value| snapshot["snapshot_name"].as_str().unwrap().to_owned();
    snapshots.iter().map(name).collect()
}

#[test]
fn a_workspace_goes_back_to_its_snapshots_and_to_how_it_began() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    let before = workspace.status();
    // One that writes all the time, so that the snapshot is of a disk in use.
    workspace.ask("(while :; do date > ticking; done) > /dev/null 2>&1 &");
    workspace.ask("echo one > file; ln -s file link; echo kept > /root/outside; rm seed");
    let made = snapshot(&workspace, "one");
    assert_eq!(made["execution_mode"], "guest_vsock");
    let snapshot_made = &made["snapshot"];
    assert_eq!(snapshot_made["kind"], "named");
    assert_eq!(snapshot_made["deletable"], true);
    assert_eq!(snapshot_made["entry_count"], 3);
    assert!(snapshot_made["bytes_written"].as_u64().unwrap() >= 4);
    assert!(snapshot_made["disk_bytes"].as_u64().unwrap() > 0);

    workspace.ask("rm -rf link /root/outside; echo broken > file; pidof sh > /dev/null");
    let reset = workspace
        .call(&["reset", "--snapshot", "one", "--json"])
        .run();
    let reset = reset.expect(0).json();
    assert_eq!(reset["workspace_reset"]["snapshot_name"], "one");
    assert_eq!(reset["workspace_reset"]["kind"], "named");
    assert_eq!(reset["workspace_reset"]["destination"], "/workspace");
    assert_eq!(reset["state"], "started");
    assert_eq!(reset["command_count"], 0);
    for kept in ["workspace_id", "expires_at", "created_at", "workspace_seed"] {
        assert_eq!(reset[kept], before[kept], "{kept}");
    }
    assert_eq!(
        workspace.ask("cat file link /root/outside; ls"),
        "one\none\nkept\nfile\nlink\nticking\n"
    );
    assert_eq!(workspace.logs().len(), 1, "only the command since then");
    // What ran does not come back.
    assert_eq!(
        workspace
            .ask("stat -c %Y ticking; sleep 1.1; stat -c %Y ticking")
            .lines()
            .collect::<std::collections::HashSet<_>>()
            .len(),
        1
    );

    // To how it began, and forth again: snapshots outlive a reset.
    workspace.call(&["reset"]).run().expect(0);
    assert_eq!(workspace.ask("cat *; ls /root"), "seed\n");
    snapshot(&workspace, "two");
    assert_eq!(names(&workspace), ["baseline", "two", "one"]);
    workspace
        .call(&["reset", "--snapshot", "one"])
        .run()
        .expect(0);
    assert_eq!(workspace.ask("cat file"), "one\n");

    let deleted = workspace.call(&["snapshot", "delete"]).args(&["two"]).run();
    deleted.expect(0).out_is("Deleted snapshot: two\n");
    assert_eq!(names(&workspace), ["baseline", "one"]);
}

#[test]
fn what_cannot_be_done_with_snapshots_is_refused_and_changes_nothing() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("echo kept > file");
    snapshot(&workspace, "one");
    let table: &[(&[&str], &[&str], &str, &str)] = &[
        (
            &["snapshot", "create"],
            &["one"],
            "snapshot_exists",
            "already",
        ),
        (
            &["snapshot", "create"],
            &["baseline"],
            "invalid_input",
            "'baseline'",
        ),
        (
            &["snapshot", "create"],
            &["../one"],
            "invalid_input",
            "letters",
        ),
        (
            &["snapshot", "create"],
            &[".one"],
            "invalid_input",
            "letters",
        ),
        (&["snapshot", "create"], &[""], "invalid_input", "letters"),
        (
            &["snapshot", "delete"],
            &["two"],
            "no_such_snapshot",
            "\"two\"",
        ),
        (
            &["snapshot", "delete"],
            &["baseline"],
            "invalid_input",
            "'baseline'",
        ),
        (
            &["reset"],
            &["--snapshot", "two"],
            "no_such_snapshot",
            "\"two\"",
        ),
        (
            &["reset"],
            &["--snapshot", "a/b"],
            "invalid_input",
            "letters",
        ),
    ];
    for (words, arguments, code, text) in table {
        let call = workspace.call(words).args(arguments).args(&["--json"]);
        let error = call.run().expect(1).json_error(code, true);
        let message = error["error"].as_str().unwrap();
        assert!(message.contains(text), "{words:?} {arguments:?}: {message}");
    }
    assert_eq!(names(&workspace), ["baseline", "one"]);
    assert_eq!(workspace.ask("cat file"), "kept\n");

    // No room: the limit is less than what there is.
    let full = workspace
        .call(&["snapshot", "create"])
        .args(&["two", "--json"]);
    let full = full.env("PYRO_MAX_DISK_MIB", "1").run();
    let error = full.expect(1).json_error("disk_limit", true);
    let message = error["error"].as_str().unwrap();
    assert!(message.starts_with("a copy of the disk needs"), "{message}");
    assert_eq!(workspace.ask("cat file"), "kept\n");
}

#[test]
fn a_stopped_workspace_is_copied_and_reset_too() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask("echo one > file");
    workspace.call(&["stop"]).run().expect(0);
    let made = snapshot(&workspace, "one");
    // Nobody can look into it without a machine.
    assert_eq!(made["snapshot"]["entry_count"], Value::Null);
    workspace.call(&["start"]).run().expect(0);
    workspace.ask("echo two > file");
    workspace.call(&["stop"]).run().expect(0);
    let reset = workspace
        .call(&["reset", "--snapshot", "one", "--json"])
        .run();
    assert_eq!(reset.expect(0).json()["state"], "started");
    assert_eq!(workspace.ask("cat file seed"), "one\nseed\n");
}

#[test]
fn a_reset_that_cannot_start_is_finished_by_the_next_start() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask("echo one > file");
    snapshot(&workspace, "one");
    workspace.ask("echo two > file");
    // The machine ends, and no other one starts: there is no QEMU.
    let reset = workspace.call(&["reset", "--snapshot", "one", "--json"]);
    let refused = reset.env("PATH", "/nowhere").run().expect(1);
    refused.json_error("qemu_missing", true);
    assert_ne!(workspace.state(), "started");
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("cat file"), "one\n");

    // As if the process had died before it ended the machine.
    workspace.ask("echo two > file");
    workspace.call(&["stop"]).run().expect(0);
    let path = workspace.directory().join("record.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["reset_to"] = "one".into();
    fs::write(&path, record.to_string()).unwrap();
    for (words, name) in [("delete", "one"), ("create", "two")] {
        let call = workspace.call(&["snapshot", words]).args(&[name, "--json"]);
        call.run().expect(1).json_error("wrong_state", true);
    }
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("cat file"), "one\n");
    workspace
        .call(&["snapshot", "delete"])
        .args(&["one"])
        .run()
        .expect(0);
}

#[test]
fn a_reset_is_not_begun_while_the_machine_runs() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask("echo one > file");
    let supervisor = workspace.supervisor().unwrap();
    // It does not answer, and so its machine is not stopped.
    signal(supervisor, Signal::STOP);
    let run = workspace.call(&["reset"]).start();
    thread::sleep(Duration::from_secs(2));
    run.signal(Signal::KILL);
    run.finish();
    signal(supervisor, Signal::CONT);
    wait_until("the machine that was told to stop has stopped", || {
        workspace.state() == "stopped"
    });
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("cat file"), "one\n");
}

#[test]
fn models_save_and_reset_too() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    let id = &workspace.id;
    workspace.ask("echo one > file");
    let mut client = Client::start(&context, Era::Legacy, &[]);
    let made = client.tool(
        "snapshot_create",
        &json!({"workspace_id": id, "snapshot_name": "one"}),
    );
    assert_eq!(made["snapshot"]["snapshot_name"], "one", "{made}");
    workspace.ask("rm file");
    let reset = client.tool(
        "workspace_reset",
        &json!({"workspace_id": id, "snapshot": "one"}),
    );
    assert_eq!(reset["workspace_reset"]["kind"], "named", "{reset}");
    assert_eq!(workspace.ask("cat file"), "one\n");
    let list = client.tool("snapshot_list", &json!({"workspace_id": id}));
    assert_eq!(list["count"], 2, "{list}");
    let deleted = client.tool(
        "snapshot_delete",
        &json!({"workspace_id": id, "snapshot_name": "one"}),
    );
    assert_eq!(deleted["deleted"], true, "{deleted}");
    client.finish().expect(0);
}

#[test]
fn whoever_dies_a_snapshot_is_whole_or_absent_and_a_reset_done_or_not() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = u64::from(now.subsec_nanos()) | 1;
    eprintln!("seed {random}");
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    // More than a moment to copy.
    workspace.ask("echo one > file; head -c 60000000 /dev/urandom > /root/big; sync");
    snapshot(&workspace, "one");
    let deeds = ["snapshot", "reset", "baseline"];
    let victims = ["client", "supervisor", "VMM"];
    for round in 0..count(9, 99) {
        let (deed, victim) = (deeds[round % 3], victims[round / 3 % 3]);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let moment = Duration::from_millis(random % 900);
        eprintln!("round {round}: the {victim} dies {moment:?} into {deed}");
        workspace.ask("echo two > file; sync");
        let name = format!("round-{round}");
        let call = match deed {
            "snapshot" => workspace.call(&["snapshot", "create"]).args(&[&name]),
            "reset" => workspace.call(&["reset", "--snapshot", "one"]),
            _ => workspace.call(&["reset"]),
        };
        let run = call.start();
        thread::sleep(moment);
        match victim {
            "client" => run.signal(Signal::KILL),
            "supervisor" => workspace.supervisor().into_iter().for_each(kill),
            _ => workspace.vmm().into_iter().for_each(kill),
        }
        let done = run.finish().code == 0;
        // A machine that is still starting is left alone.
        let look = || {
            workspace.call(&["start"]).run();
            workspace.shell("cat file 2> /dev/null || echo none").run()
        };
        wait_until("its death was noticed, and it is started again", || {
            look().code == 0
        });
        let found = look().out();
        let after = match deed {
            "snapshot" => "two\n",
            "reset" => "one\n",
            _ => "none\n",
        };
        assert!(
            found == after || (found == "two\n" && !done),
            "{done} {found}"
        );
        let made = names(&workspace).contains(&name);
        assert!(made || deed != "snapshot" || !done);
        if made {
            workspace
                .call(&["reset", "--snapshot", &name])
                .run()
                .expect(0);
            assert_eq!(workspace.ask("cat file"), "two\n");
            workspace
                .call(&["snapshot", "delete"])
                .args(&[&name])
                .run()
                .expect(0);
        }
        assert_tidy(&workspace);
    }
}

/// Whoever changes snapshots next removes what was left.
fn assert_tidy(workspace: &Instance<'_>) {
    snapshot(workspace, "tidy");
    workspace
        .call(&["snapshot", "delete"])
        .args(&["tidy"])
        .run()
        .expect(0);
    let left = fs::read_dir(workspace.directory().join("snapshots")).unwrap();
    let mut left: Vec<_> = left.flatten().map(|entry| entry.file_name()).collect();
    left.sort();
    assert_eq!(left, [".lock", "one"]);
    assert!(!workspace.directory().join("disk.partial").exists());
}

#[test]
fn a_workspace_begins_with_another_ones_snapshot() {
    let context = TestContext::with(debian());
    let first = seeded(&context);
    first.ask("echo one > file; echo kept > /root/outside");
    snapshot(&first, "one");
    let from = |name: &str| format!("{}:{name}", first.id);
    let second = Instance::workspace(&context, &["--from-snapshot", &from("one")]);
    assert_eq!(
        second.ask("cat file seed /root/outside"),
        "one\nseed\nkept\n"
    );
    assert_eq!(
        second.status()["workspace_seed"],
        first.status()["workspace_seed"]
    );
    // They are two from now on, whatever becomes of the first.
    second.ask("echo two > file");
    assert_eq!(first.ask("cat file"), "one\n");
    let third = Instance::workspace(&context, &["--from-snapshot", &from("baseline")]);
    drop(first);
    assert_eq!(second.ask("cat file seed"), "two\nseed\n");
    second.call(&["reset"]).run().expect(0);
    assert_eq!(second.ask("cat *"), "seed\n");
    assert_eq!(third.ask("cat *; ls /root"), "seed\n");
    let used = second.status()["disk_bytes"].as_u64().unwrap();
    assert!((1..1 << 30).contains(&used), "{used}");

    let refused = |value: &str, more: &[&str], code: &str| {
        let call = context.pyro(&["workspace", "create", debian(), "--json"]);
        let call = call.args(&["--from-snapshot", value]).args(more);
        call.run().expect(1).json_error(code, true);
    };
    refused(&third.id, &[], "invalid_input");
    refused(&format!("{}:nothing", third.id), &[], "no_such_snapshot");
    refused("0123456789ab:one", &[], "not_found");
    let baseline = format!("{}:baseline", third.id);
    refused(&baseline, &["--seed-path", "."], "invalid_input");
}
