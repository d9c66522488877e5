//! Many processes that use one workspace, or create workspaces, at once.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use crate::context::{TestContext, debian};
use crate::instances::{Instance, Kind, id_in, vmms};
use crate::templates::wait_until;

const CLIENTS: usize = 20;
const COMMANDS: usize = 10;
/// More than all buffers in between can hold.
const MANY_BYTES: usize = 4_000_000;

#[test]
fn two_hundred_commands_of_twenty_clients_are_all_logged() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let workspace = &workspace;
            scope.spawn(move || {
                for command in 0..COMMANDS {
                    let run = workspace
                        .shell(&script(client, command))
                        .run()
                        .expect(command_code(command));
                    let (stdout, stderr) = expected(client, command);
                    assert!(run.stdout == stdout, "{client} {command}: {run:?}");
                    assert!(
                        run.stderr.starts_with(&stderr),
                        "{client} {command}: {run:?}"
                    );
                }
            });
        }
    });
    let entries = workspace.logs();
    let sequences: Vec<u64> = entries
        .iter()
        .map(|entry| entry["sequence"].as_u64().unwrap())
        .collect();
    let all: Vec<u64> = (1..=(CLIENTS * COMMANDS) as u64).collect();
    assert_eq!(sequences, all);
    let by_command: BTreeMap<&str, _> = entries
        .iter()
        .map(|entry| (entry["command"].as_str().unwrap(), entry))
        .collect();
    for client in 0..CLIENTS {
        for command in 0..COMMANDS {
            let script = script(client, command);
            let found = by_command.iter().find(|(line, _)| line.contains(&script));
            let (_, entry) = found.unwrap_or_else(|| panic!("no {script}"));
            let (stdout, stderr) = expected(client, command);
            let read = |name: &str| fs::read(entry[name].as_str().unwrap()).unwrap();
            assert!(read("stdout_file") == stdout, "{entry}");
            assert!(read("stderr_file") == stderr, "{entry}");
            assert_eq!(entry["exit_code"], command_code(command));
        }
    }
    assert_eq!(workspace.status()["command_count"], CLIENTS * COMMANDS);
}

fn command_code(command: usize) -> i32 {
    i32::try_from(command % 3).unwrap()
}

fn script(client: usize, command: usize) -> String {
    let much = if (client, command) == (7, 5) {
        format!("head -c {MANY_BYTES} /dev/zero | tr \"\\0\" x; ")
    } else {
        String::new()
    };
    let code = command_code(command);
    format!(
        "{much}printf \"\\377\\0 out {client} {command}\"; echo \"err {client} {command}\" >&2; exit {code}"
    )
}

fn expected(client: usize, command: usize) -> (Vec<u8>, Vec<u8>) {
    let mut stdout = Vec::new();
    if (client, command) == (7, 5) {
        stdout.resize(MANY_BYTES, b'x');
    }
    stdout.extend([0xff, 0]);
    stdout.extend(format!(" out {client} {command}").bytes());
    (stdout, format!("err {client} {command}\n").into_bytes())
}

#[test]
fn six_makers_cannot_race_past_a_limit_of_two() {
    let context = TestContext::with(debian());
    let made: Vec<_> = thread::scope(|scope| {
        let makers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let run = context.pyro(&["workspace", "create", debian(), "--json"]);
                    run.env("PYRO_MAX_ACTIVE_VMS", "2").run()
                })
            })
            .collect();
        makers
            .into_iter()
            .map(|maker| maker.join().unwrap())
            .collect()
    });
    let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(|run| run.code == 0);
    let made: Vec<Instance> = made
        .iter()
        .map(|run| {
            Instance::known(
                &context,
                Kind::Workspace,
                id_in(&run.json(), Kind::Workspace),
            )
        })
        .collect();
    assert_eq!(made.len(), 2, "{refused:#?}");
    for run in &refused {
        let error = run.json();
        let message = "max active VMs reached (2); delete old VMs first";
        assert_eq!(error["error"], message, "{error}");
    }
    let list = context
        .pyro(&["workspace", "list", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(list["count"], 2, "{list}");
    wait_until("the others are gone", || vmms(&context).len() == 2);
    for workspace in &made {
        assert_eq!(workspace.ask("echo alive"), "alive\n");
    }
    // An ended machine is not active.
    made[0].call(&["stop"]).run().expect(0);
    let third = context.pyro(&["workspace", "create", debian(), "--json"]);
    let third = third.env("PYRO_MAX_ACTIVE_VMS", "2").run().expect(0).json();
    drop(Instance::known(
        &context,
        Kind::Workspace,
        id_in(&third, Kind::Workspace),
    ));
}

#[test]
fn those_who_start_one_at_once_start_it_once() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    for _ in 0..3 {
        workspace.call(&["stop"]).run().expect(0);
        let runs: Vec<_> = (0..4)
            .map(|_| workspace.call(&["start", "--json"]).start())
            .collect();
        let runs: Vec<_> = runs
            .into_iter()
            .map(crate::process::Running::finish)
            .collect();
        assert!(runs.iter().any(|run| run.code == 0), "{runs:#?}");
        assert_eq!(workspace.state(), "started", "{runs:#?}");
        assert_eq!(vmms(&context).len(), 1);
    }
}

#[test]
fn what_is_deleted_while_it_starts_is_gone() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    for step in 0..6 {
        let vm = Instance::vm(&context, &[] as &[&str]);
        let start = vm.call(&["start"]).start();
        thread::sleep(std::time::Duration::from_millis(step * 40));
        // Two of them must not interfere.
        let deletes = [vm.call(&["delete"]).start(), vm.call(&["delete"]).start()];
        let deletes = deletes.map(crate::process::Running::finish);
        assert!(deletes.iter().all(|run| run.code >= 0), "{deletes:#?}");
        assert!(deletes.iter().any(|run| run.code == 0), "{deletes:#?}");
        let start = start.finish();
        assert!(start.code >= 0, "{start:?}");
        assert!(!vm.directory().exists());
        wait_until("its machine is gone", || vmms(&context).len() == 1);
    }
    assert_eq!(workspace.ask("echo alive"), "alive\n");
}
