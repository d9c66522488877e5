//! The end of an instance's time to live.

use std::io::Read;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::context::{TestContext, debian};
use crate::instances::{Instance, is_alive};

/// The minimum time to live.
const SECONDS: f64 = 60.0;
/// How long the supervisor's cleanup may take.
const GRACE: f64 = 5.0;

#[test]
fn nobody_calls_and_it_ends_all_the_same() {
    let context = TestContext::with(debian());
    let options = ["--ttl-seconds", "60"];
    let workspace = Instance::workspace(&context, &options);
    let vm = Instance::vm(&context, &options);
    vm.call(&["start"]).run().expect(0);
    let idle_vm = Instance::vm(&context, &options);
    workspace.ask("echo printed before the end");
    let mut client = workspace
        .shell_with(&["--timeout-seconds", "100"], "echo begun; sleep 90")
        .start();
    client.wait_for_stdout("begun");
    // A transfer that does not end either.
    workspace.ask("truncate -s 1T endless");
    let transfer = workspace.call(&["export"]);
    let mut transfer = transfer.args(&["endless", "--output", "-"]).start_unread();
    let mut zeros = transfer.take_stdout();
    thread::spawn(move || {
        let mut some = vec![0; 1 << 16];
        while zeros.read(&mut some).is_ok_and(|count| count > 0) {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let processes = [&workspace, &vm].map(|instances| instances.supervisor().unwrap());
    let made = idle_vm.status()["created_at"].as_f64().unwrap();

    let client = client.finish().expect(1);
    let expired =
        |noun: &str, id: &str| format!("{noun} '{id}' expired and was automatically deleted");
    client.err_has(&expired("workspace", &workspace.id));
    let transfer = transfer.finish().expect(1);
    transfer.err_has(&expired("workspace", &workspace.id));
    thread::sleep(Duration::from_secs_f64(
        (made + SECONDS + GRACE - now()).max(0.0),
    ));
    assert!(!processes.into_iter().any(is_alive));
    for instances in [&workspace, &vm] {
        let record = std::fs::read_to_string(instances.directory().join("record.json")).unwrap();
        assert!(record.contains("\"state\": \"expired\""), "{record}");
        assert!(!instances.directory().join("disk.ext4").exists());
    }

    let id = &workspace.id;
    let message = expired("workspace", id);
    let exec = workspace.shell_with(&["--json"], "true").run();
    assert_eq!(exec.json_error("vm_expired", false)["error"], message);
    workspace.push(".").run().expect(1).err_has(&message);
    workspace.call(&["start"]).run().expect(1).err_has(&message);
    assert_eq!(workspace.state(), "expired");
    let logs = workspace.logs();
    assert_eq!(logs[0]["stdout"], "printed before the end\n");
    assert_eq!(logs[1]["stdout"], "begun\n");
    assert_eq!(logs[1]["interrupted"], message);
    workspace.call(&["delete"]).run().expect(0);

    // Reported once.
    let message = expired("vm", &vm.id);
    vm.call(&["status"]).run().expect(1).err_has(&message);
    vm.call(&["status"])
        .run()
        .expect(1)
        .err_has("does not exist");
    let reaped = context
        .pyro(&["vm", "reap-expired", "--json"])
        .run()
        .expect(0)
        .json();
    let expected = serde_json::json!({"count": 1, "deleted_vm_ids": [idle_vm.id]});
    assert_eq!(reaped, expected);
    let nothing = context
        .pyro(&["vm", "reap-expired", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(nothing["count"], 0);
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}
