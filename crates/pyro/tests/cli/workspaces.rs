//! A *workspace* from its creation to its end, each step in a separate process.

use std::fs;

use serde_json::Value;

use crate::context::{TestContext, debian};
use rustix::process::Signal;

use crate::instances::{Instance, Kind, is_alive, kill, signal};
use crate::templates::wait_until;

const KEYS: &[&str] = &[
    "allow_host_compat",
    "command_count",
    "created_at",
    "disk_bytes",
    "environment",
    "environment_version",
    "execution_mode",
    "expires_at",
    "guest_ip",
    "labels",
    "last_activity_at",
    "last_command",
    "mem_mib",
    "metadata",
    "name",
    "network_enabled",
    "network_policy",
    "published_ports",
    "running_service_count",
    "secrets",
    "service_count",
    "state",
    "tap_name",
    "ttl_seconds",
    "vcpu_count",
    "workspace_id",
    "workspace_path",
    "workspace_seed",
];

#[test]
fn the_story_of_a_repository() {
    let context = TestContext::with(debian());
    let repository = context.path("home/repository");
    fs::create_dir(&repository).unwrap();
    fs::write(repository.join("app.py"), "print('bug')\n").unwrap();
    fs::write(repository.join("README"), "read me\n").unwrap();
    let source = repository.to_str().unwrap();

    let made = context.pyro(&["workspace", "create", debian(), "--seed-path", source]);
    let made = made.run().expect(0).out();
    let id = made.lines().next().unwrap();
    let id = id.strip_prefix("Workspace ID: ").expect(&made);
    let workspace = Instance::known(&context, Kind::Workspace, id.to_owned());
    // As it is written: what is parsed may be the number beside it.
    let status = workspace.call(&["status", "--json"]).run().expect(0).out();
    let (_, last_activity_at) = status.split_once("\"last_activity_at\": ").unwrap();
    let (last_activity_at, _) = last_activity_at.split_once(',').unwrap();
    let block = format!(
        "Workspace ID: {id}\nEnvironment: {}\nState: started\nWorkspace: /workspace\n\
         Last activity at: {last_activity_at}\nWorkspace seed: directory from {source}\nExecution mode: guest_vsock\n\
         Resources: 1 vCPU / 1024 MiB\nCommand count: 0\n",
        debian()
    );
    assert_eq!(made, block);
    let empty = workspace.call(&["logs"]).run().expect(0);
    empty.out_is("No workspace logs found.\n");

    let run = workspace.shell("cat app.py; pwd; echo oops >&2; exit 3");
    let run = run.run().expect(3).out_is("print('bug')\n/workspace\n");
    assert_eq!(
        without_duration(&run.err()),
        format!(
            "oops\n[workspace-exec] workspace_id={id} sequence=1 cwd=/workspace \
             execution_mode=guest_vsock exit_code=3 duration_ms=N\n"
        )
    );

    fs::write(repository.join("app.py"), "print('fixed')\n").unwrap();
    let pushed = workspace.push("repository").run().expect(0);
    pushed.out_is(&format!(
        "[workspace-sync] workspace_id={id} mode=directory source={source} \
         destination=/workspace entry_count=2 bytes_written=23 execution_mode=guest_vsock\n"
    ));
    assert_eq!(workspace.ask("cat app.py"), "print('fixed')\n");
    let pushed = workspace
        .push("repository")
        .args(&["--dest", "new//copy/", "--json"]);
    let pushed = pushed.run().expect(0).json();
    assert_eq!(
        keys(&pushed),
        ["execution_mode", "workspace_id", "workspace_sync"]
    );
    let sync = &pushed["workspace_sync"];
    assert_eq!(
        keys(sync),
        [
            "bytes_written",
            "destination",
            "entry_count",
            "mode",
            "source_path"
        ]
    );
    assert_eq!(sync["destination"], "/workspace/new/copy");
    assert_eq!(workspace.ask("cat new/copy/README"), "read me\n");

    let status = workspace.status();
    assert_eq!(keys(&status), KEYS);
    assert_eq!(status["command_count"], 3);
    let seed = &status["workspace_seed"];
    assert_eq!(seed["entry_count"], 2);
    assert_eq!(seed["bytes_written"], 21);
    assert_eq!(seed["destination"], "/workspace");
    assert_eq!(
        status["last_command"]["command"],
        "sh -c 'cat new/copy/README'"
    );
    assert_eq!(
        keys(&status["last_command"]),
        [
            "command",
            "cwd",
            "duration_ms",
            "execution_mode",
            "exit_code",
            "sequence"
        ]
    );
    assert_logs(&workspace);

    let list = context
        .pyro(&["workspace", "list", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(list["count"], 1);
    assert_eq!(list["workspaces"][0]["workspace_id"], id);
    assert_eq!(list["workspaces"][0]["command_count"], 3);

    assert_stops_and_starts(&workspace);
    let deleted = workspace.call(&["delete"]).run().expect(0);
    deleted.out_is(&format!("Deleted workspace: {id}\n"));
    assert!(!workspace.directory().exists());
    let list = context.pyro(&["workspace", "list"]).run().expect(0);
    list.out_is("No workspaces found.\n");
}

/// Files and logs exist while it is stopped, and after the next start.
#[track_caller]
fn assert_stops_and_starts(workspace: &Instance) {
    let id = &workspace.id;
    let (supervisor, vmm) = (workspace.supervisor().unwrap(), workspace.vmm().unwrap());
    let stopped = workspace.call(&["stop", "--json"]).run().expect(0).json();
    assert_eq!(keys(&stopped), KEYS);
    assert_eq!(stopped["state"], "stopped");
    assert!(!is_alive(vmm));
    wait_until("its supervisor is gone", || !is_alive(supervisor));
    let refused = workspace.shell_with(&["--json"], "true").run();
    let refused = refused.json_error("not_started", true);
    let message = format!("workspace {id} must be in 'started' state before workspace_exec");
    assert_eq!(refused["error"], message);
    let refused = workspace.push("repository").run().expect(1);
    refused.err_has("must be in 'started' state before workspace_sync_push");
    assert_logs(workspace);

    workspace.call(&["start"]).run().expect(0);
    let files = workspace.ask("cat app.py new/copy/app.py README");
    assert_eq!(files, "print('fixed')\nprint('fixed')\nread me\n");
    assert_eq!(workspace.logs()[3]["sequence"], 4);
}

/// The first of three commands, for people and for programs.
#[track_caller]
fn assert_logs(workspace: &Instance) {
    let logs = workspace.logs();
    assert_eq!(logs.len(), 3);
    let first = &logs[0];
    assert_eq!(
        keys(first),
        [
            "command",
            "cwd",
            "duration_ms",
            "execution_mode",
            "exit_code",
            "recorded_at",
            "sequence",
            "stderr",
            "stderr_file",
            "stdout",
            "stdout_file"
        ]
    );
    assert_eq!(first["exit_code"], 3);
    assert_eq!(first["stdout"], "print('bug')\n/workspace\n");
    assert_eq!(first["stderr"], "oops\n");
    let file = first["stdout_file"].as_str().unwrap();
    assert_eq!(fs::read(file).unwrap(), b"print('bug')\n/workspace\n");

    let human = workspace.call(&["logs"]).run().expect(0);
    assert_eq!(human.err(), "oops\n");
    let lines = without_duration(&human.out());
    assert!(
        lines.starts_with(
            "#1 exit_code=3 duration_ms=N cwd=/workspace\n\
             $ sh -c 'cat app.py; pwd; echo oops >&2; exit 3'\nprint('bug')\n/workspace\n\
             #2 exit_code=0 duration_ms=N cwd=/workspace\n"
        ),
        "{lines}"
    );
    let tail = workspace.call(&["logs", "--tail", "1"]).run().expect(0);
    assert!(tail.out().starts_with("#3 "), "{tail:?}");
}

#[test]
fn what_does_not_exist_is_said_not_to() {
    let context = TestContext::new();
    let table: &[(&str, &[&str], &[&str])] = &[
        ("workspace", &["status"], &[]),
        ("workspace", &["exec"], &["true"]),
        ("workspace", &["sync", "push"], &["."]),
        ("workspace", &["logs"], &[]),
        ("workspace", &["start"], &[]),
        ("workspace", &["stop"], &[]),
        ("workspace", &["delete"], &[]),
        ("vm", &["status"], &[]),
        ("vm", &["start"], &[]),
        ("vm", &["exec"], &["true"]),
        ("vm", &["stop"], &[]),
        ("vm", &["delete"], &[]),
        ("vm", &["network-info"], &[]),
    ];
    for id in ["0123456789ab", "nonsense", "../vms", ""] {
        for (noun, verb, rest) in table {
            let run = context
                .pyro(&[noun])
                .args(verb)
                .args(&["--json", id])
                .args(rest)
                .run();
            let error = run.json_error("not_found", true);
            let message = match id {
                "" => format!("the id of the {noun} is empty"),
                id => format!("{noun} '{id}' does not exist"),
            };
            assert_eq!(error["error"], message);
        }
    }
    // A query creates nothing.
    assert!(!context.base().join("workspaces").exists());
}

#[test]
fn bad_requests_are_refused_before_anything_is_made() {
    let context = TestContext::with(debian());
    let cases: &[(&[&str], &str)] = &[
        (&["--vcpu-count", "9"], "vcpu_count must be between 1 and 8"),
        (&["--mem-mib", "1"], "mem_mib must be between 256 and 32768"),
        (&["--ttl-seconds", "59"], "ttl_seconds"),
        (&["--ttl-seconds", "-1"], "ttl_seconds"),
        (&["--seed-path", "nowhere"], "does not exist"),
        (
            &["--seed-path", "/dev/null"],
            "must be a directory or a .tar",
        ),
    ];
    for (options, message) in cases {
        let run = context.pyro(&["workspace", "create", debian()]);
        run.args(options).run().expect(1).err_has(message);
    }
    let run = context
        .pyro(&["workspace", "create", "alpine"])
        .run()
        .expect(1);
    run.err_has("unknown environment 'alpine'; expected one of: debian:12,");
    assert!(!context.base().join("workspaces").exists());

    let workspace = Instance::workspace(&context, &[] as &[&str]);
    let dest = |dest: &str| workspace.push(".").args(&["--dest", dest]).run().expect(1);
    for outside in [
        "/",
        "/etc",
        "/workspacefoo",
        "..",
        "a/../../b",
        "/workspace/..",
    ] {
        dest(outside).err_has("workspace destination must stay inside /workspace");
    }
    dest("  ").err_has("workspace destination must not be empty");
    let exec = |words: &[&str]| workspace.call(&["exec"]).args(words).run().expect(1);
    exec(&[]).err_has("command is required after `--`");
    exec(&["--timeout-seconds", "0", "--", "true"]).err_has("timeout_seconds must be positive");
    assert_eq!(workspace.status()["command_count"], 0);
}

#[test]
fn a_workspace_whose_supervisor_is_killed_says_so_and_starts_again() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    workspace.ask("echo kept > file; sync");
    let mut left = workspace.shell("echo begun; sleep 100").start();
    left.wait_for_stdout("begun");
    kill(workspace.supervisor().unwrap());
    let left = left.finish().expect(1);
    left.err_has("code: supervisor_gone").out_is("begun\n");

    let status = workspace.status();
    assert_eq!(status["state"], "stopped");
    let reason = status["state_reason"].as_str().unwrap();
    assert!(reason.contains("its supervisor was killed"), "{reason}");
    let error = workspace.shell("true").run().expect(1);
    error.err_has("must be in 'started' state").err_has(reason);
    // Twice: interrupted commands are not resumed with the workspace.
    for started in [false, true] {
        if started {
            workspace.call(&["start"]).run().expect(0);
        }
        let last = workspace.logs().pop().unwrap();
        assert_eq!(last["stdout"], "begun\n");
        assert_eq!(last["exit_code"], Value::Null);
        assert_eq!(last["interrupted"], "the workspace ended while it ran");
    }
    assert_eq!(workspace.status().get("state_reason"), None);
    assert_eq!(workspace.ask("cat file"), "kept\n");
}

#[test]
fn all_who_wait_for_commands_are_told_why_there_is_no_end() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    let ends: &[(&str, &str)] = &[
        ("stop", "was stopped"),
        ("SIGTERM", "was stopped"),
        ("VMM", "QEMU was killed"),
    ];
    for (number, (how, why)) in ends.iter().enumerate() {
        let mut clients = [(); 3].map(|()| workspace.shell("echo begun; sleep 100").start());
        for client in &mut clients {
            client.wait_for_stdout("begun");
        }
        match *how {
            "stop" => drop(workspace.call(&["stop"]).run().expect(0)),
            "SIGTERM" => signal(workspace.supervisor().unwrap(), Signal::TERM),
            _ => kill(workspace.vmm().unwrap()),
        }
        for client in clients {
            client.finish().expect(1).err_has(why).out_is("begun\n");
        }
        wait_until("it is stopped", || workspace.state() == "stopped");
        let entries = workspace.logs();
        assert_eq!(entries.len(), 3 * (number + 1));
        for entry in &entries[3 * number..] {
            assert_eq!(entry["stdout"], "begun\n");
            let interrupted = entry["interrupted"].as_str().unwrap();
            assert!(
                interrupted.contains(why) || interrupted.contains("stopped"),
                "{how}: {entry}"
            );
        }
        workspace.call(&["start"]).run().expect(0);
    }
}

/// The keys of an object, in order.
#[track_caller]
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// The same, with every duration replaced by `N`.
fn without_duration(text: &str) -> String {
    let mut parts = text.split("duration_ms=");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        result.push_str("duration_ms=N");
        result.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    result
}
