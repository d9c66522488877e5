//! The life of a *VM* that outlives the call that created it.

use serde_json::Value;

use crate::context::{TestContext, debian};
use crate::instances::{Instance, is_alive};
use crate::templates::wait_until;
use crate::workspaces::keys;

const KEYS: &[&str] = &[
    "allow_host_compat",
    "created_at",
    "environment",
    "environment_version",
    "execution_mode",
    "expires_at",
    "guest_ip",
    "mem_mib",
    "metadata",
    "network_enabled",
    "state",
    "tap_name",
    "ttl_seconds",
    "vcpu_count",
    "vm_id",
];

#[test]
fn from_created_to_deleted_by_many_processes() {
    let context = TestContext::with(debian());
    let vm = Instance::vm(&context, &["--mem-mib", "512", "--ttl-seconds", "900"]);
    let id = vm.id.as_str();
    let created = vm.status();
    assert_eq!(keys(&created), KEYS);
    assert_eq!(created["state"], "created");
    assert_eq!(
        (&created["mem_mib"], &created["ttl_seconds"]),
        (&512.into(), &900.into())
    );
    let life = created["expires_at"].as_f64().unwrap() - created["created_at"].as_f64().unwrap();
    assert!((life - 900.0).abs() < 0.001, "{life}");
    assert_eq!(vm.vmm(), None);
    refused(
        &vm.shell_with(&["--json"], "true")
            .run()
            .json_error("not_started", true),
        &format!("vm {id} must be in 'started' state before execution"),
    );

    let started = vm.call(&["start", "--json"]).run().expect(0).json();
    assert_eq!(keys(&started), KEYS);
    assert_eq!(started["state"], "started");
    refused(
        &vm.call(&["start", "--json"]).run().json(),
        &format!("vm {id} cannot be started from state 'started'"),
    );
    let network = vm.call(&["network-info", "--json"]).run().expect(0).json();
    let expected = serde_json::json!({
        "vm_id": id,
        "network_enabled": false,
        "outbound_connectivity_expected": false,
        "reason": "network configuration is unavailable for this VM",
    });
    assert_eq!(network, expected);
    let list = context
        .pyro(&["vm", "list", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(list["vms"][0]["vm_id"], id);

    let stopped = vm.call(&["stop", "--json"]).run().expect(0).json();
    assert_eq!((&stopped["state"], vm.vmm()), (&"stopped".into(), None));
    // It has the requested size.
    vm.call(&["stop"]).run().expect(0);
    vm.call(&["start"]).run().expect(0);
    let (supervisor, vmm) = (vm.supervisor().unwrap(), vm.vmm().unwrap());

    let result = vm
        .shell_with(&["--json"], "echo out; echo err >&2; pwd; exit 5")
        .run();
    let result = result.expect(5).json();
    assert_eq!(
        keys(&result),
        [
            "cleanup",
            "command",
            "duration_ms",
            "environment",
            "environment_version",
            "execution_mode",
            "exit_code",
            "stderr",
            "stdout",
            "vm_id"
        ]
    );
    assert_eq!(result["stdout"], "out\n/root\n");
    assert_eq!(result["cleanup"]["reason"], "post_exec_cleanup");
    assert!(!is_alive(vmm) && !vm.directory().exists());
    wait_until("its supervisor is gone", || !is_alive(supervisor));
    let error = vm
        .call(&["status", "--json"])
        .run()
        .json_error("not_found", true);
    refused(&error, &format!("vm '{id}' does not exist"));
}

#[test]
fn a_stopped_vm_keeps_its_files_and_a_deleted_one_nothing() {
    let context = TestContext::with(debian());
    let vm = Instance::vm(&context, &[] as &[&str]);
    // It can be stopped and deleted in every state.
    let stopped = vm.call(&["stop", "--json"]).run().expect(0).json();
    assert_eq!(stopped["state"], "stopped");
    vm.call(&["start"]).run().expect(0);
    let deleted = vm.call(&["delete", "--json"]).run().expect(0).json();
    let expected = serde_json::json!({
        "vm_id": vm.id, "deleted": true, "reason": "explicit_delete",
    });
    assert_eq!(deleted, expected);
    context.assert_nothing_is_left();
}

#[test]
fn a_command_that_cannot_be_finished_uses_the_vm_up_too() {
    let context = TestContext::with(debian());
    let vm = Instance::vm(&context, &[] as &[&str]);
    vm.call(&["start"]).run().expect(0);
    let run = vm.shell_with(
        &["--json", "--timeout-seconds", "1"],
        "echo begun; sleep 100",
    );
    let result = run.run().expect(124).json();
    assert_eq!(
        (&result["stdout"], &result["timed_out"]),
        (&"begun\n".into(), &true.into())
    );
    context.assert_nothing_is_left();

    let vm = Instance::vm(&context, &[] as &[&str]);
    vm.call(&["start"]).run().expect(0);
    let mut run = vm.shell("echo begun; sleep 100").start();
    run.wait_for_stdout("begun");
    run.signal(rustix::process::Signal::INT);
    run.finish().expect(130);
    context.assert_nothing_is_left();
}

#[track_caller]
fn refused(error: &Value, message: &str) {
    assert_eq!(error["error"], message, "{error}");
}
