//! Shells, services and ports report their state correctly after any process was killed.
//! `PYRO_TEST_FULL` kills processes more often.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clones::count;
use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill};
use crate::templates::wait_until;

const NONE: &[&str] = &[];

/// Everything acknowledged is listed, and nothing is reported as running.
fn all_is_over(workspace: &Instance<'_>, round: usize, shell: &str, began: bool) {
    let json_of = |words: &[&str]| -> Value {
        workspace
            .call(words)
            .args(&["--json"])
            .run()
            .expect(0)
            .json()
    };
    let services = json_of(&["service", "list"]);
    assert_eq!(services["running_count"], 0, "{services}");
    let named = |wanted: String| {
        let all = services["services"].as_array().unwrap();
        all.iter()
            .find(|service| service["service_name"] == wanted)
            .cloned()
    };
    let known = named(format!("a{round}")).expect("it was acknowledged");
    let ended = (&known["state"], &known["stop_reason"]);
    assert_eq!(
        ended,
        (&json!("stopped"), &json!("workspace_stopped")),
        "{known}"
    );
    assert!(!began || named(format!("s{round}")).is_some(), "{services}");
    let shells = json_of(&["shell", "list"]);
    assert_eq!(shells["running_count"], 0);
    let all = shells["shells"].as_array().unwrap();
    assert!(all.iter().any(|one| one["shell_id"] == shell), "{shells}");
    workspace
        .call(&["shell", "read"])
        .args(&[shell])
        .run()
        .expect(0);
}

#[test]
fn whoever_dies_shells_and_services_say_so_and_ports_are_free() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = u64::from(now.subsec_nanos()) | 1;
    eprintln!("seed {random}");
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    // A service that starts with the workspace in every round, and one port for all rounds.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let rule = format!("{port}:9");
    workspace
        .call(&["port", "add"])
        .args(&[&rule])
        .run()
        .expect(0);
    let start = |name: &str, options: &[&str], script: &str| {
        let start = workspace.call(&["service", "start"]).args(&[name]);
        start
            .args(options)
            .args(&["--json", "--", "sh", "-c", script])
    };
    start("always", &["--autostart"], "while :; do sleep 0.1; done")
        .run()
        .expect(0);
    for round in 0..count(9, 100) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let moment = Duration::from_millis(random % 600);
        let victim = ["client", "supervisor", "VMM"][round % 3];
        eprintln!("round {round}: the {victim} dies {moment:?} into it");
        let name = format!("s{round}");
        let open = workspace
            .call(&["shell", "open", "--id-only"])
            .run()
            .expect(0);
        let shell = open.out().trim().to_owned();
        let acknowledged = start(&format!("a{round}"), NONE, "exec sleep 1000")
            .run()
            .expect(0);
        assert_eq!(acknowledged.json()["state"], "running");
        let ready = ["--ready-file", "up"];
        let slow = start(&name, &ready, "sleep 0.2; touch up; sleep 1000").start();
        thread::sleep(moment);
        match victim {
            "client" => slow.signal(Signal::KILL),
            "supervisor" => workspace.supervisor().into_iter().for_each(kill),
            _ => workspace.vmm().into_iter().for_each(kill),
        }
        let began = slow.finish().code == 0;
        if victim == "client" {
            // The supervisor continues.
            workspace.call(&["stop"]).run().expect(0);
        } else {
            wait_until("it is over", || workspace.state() == "stopped");
        }
        // The port is free for a moment.
        drop(TcpListener::bind(("127.0.0.1", port)).unwrap());
        all_is_over(&workspace, round, &shell, began);
        workspace.call(&["start"]).run().expect(0);
        wait_until("the service is begun again", || {
            let status = workspace
                .call(&["service", "status"])
                .args(&["always", "--json"]);
            status.run().expect(0).json()["state"] == "running"
        });
        assert!(
            TcpListener::bind(("127.0.0.1", port)).is_err(),
            "it is not published"
        );
        for old in [format!("a{round}"), name] {
            workspace.call(&["service", "stop"]).args(&[&old]).run();
        }
    }
}

#[test]
fn twenty_idle_workspaces_with_shells_take_no_processor_time() {
    use crate::idle::ticks;
    use crate::instances::vmms;
    let many = count(6, 20);
    let context = TestContext::with(debian()).with_variable("PYRO_MAX_ACTIVE_VMS", "24");
    let workspaces: Vec<_> = (0..many)
        .map(|_| Instance::workspace(&context, &["--mem-mib", "256"]))
        .collect();
    for workspace in &workspaces {
        workspace.call(&["shell", "open"]).run().expect(0);
    }
    let machines = vmms(&context);
    assert_eq!(machines.len(), many);
    let supervisors = workspaces
        .iter()
        .map(|workspace| workspace.supervisor().unwrap());
    let all: Vec<u32> = machines.into_iter().chain(supervisors).collect();
    let used = || -> u64 { all.iter().map(|pid| ticks(*pid)).sum() };
    wait_until("all are idle", || {
        let before = used();
        thread::sleep(Duration::from_secs(3));
        used() - before <= 1
    });
}
