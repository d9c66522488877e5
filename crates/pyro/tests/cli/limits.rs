//! The limits on the use of the host's disk by one guest and by all guests.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::skip;
use crate::templates::wait_until;

const MIB: u64 = 1024 * 1024;

/// The disk space of a file on the host.
fn allocated_mib(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512 / MIB
}

#[test]
fn what_a_guest_deletes_is_the_hosts_again() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    let disk = workspace.directory().join("disk.ext4");
    workspace.ask("head -c 300M /dev/urandom > big; sync");
    let full = allocated_mib(&disk);
    assert!(full >= 300, "{full} MiB");
    workspace.ask("rm big");
    wait_until("it is smaller", || allocated_mib(&disk) < 50);
    assert_eq!(workspace.ask("ls"), "");
}

/// Writes to the disk until the limit is reached.
const GROW: &str = "while head -c 8M /dev/urandom >> big; do sync; done";

#[test]
fn a_run_that_takes_too_much_disk_is_ended() {
    let context = TestContext::with(debian());
    let limited = |words: &[&str]| {
        let run = context.debian(&["--json", "--timeout-seconds", "120", "--"]);
        run.args(words).env("PYRO_MAX_DISK_MIB", "100").run()
    };
    let error = limited(&["sh", "-c", GROW]).json_error("disk_limit", false);
    let message = error["error"].as_str().unwrap();
    assert!(message.starts_with("the machine was ended"), "{error:#}");
    assert!(message.contains("of 100 MiB at most"), "{error:#}");
    // Its disk space is freed with it.
    limited(&["true"]).expect(0);
    context.assert_nothing_is_left();
}

#[test]
fn a_workspace_that_takes_too_much_disk_is_stopped_and_others_go_on() {
    let context = TestContext::with(debian());
    let limit = "160";
    let create = || {
        let create = ["workspace", "create", debian(), "--json"];
        let run = context.pyro(&create).env("PYRO_MAX_DISK_MIB", limit);
        let id = run.run().expect(0).json()["workspace_id"].clone();
        let id = id.as_str().unwrap().to_owned();
        Instance::known(&context, crate::instances::Kind::Workspace, id)
    };
    let (other, workspace) = (create(), create());
    workspace.ask("echo mine > kept");
    let error = workspace.shell_with(&["--json", "--timeout-seconds", "120"], GROW);
    let error = error.run().json_error("disk_limit", false);
    assert!(error.to_string().contains(&workspace.id), "{error:#}");
    wait_until("it is stopped", || workspace.state() == "stopped");
    let reason = workspace.status()["state_reason"].clone();
    let reason = reason.as_str().unwrap();
    assert!(reason.contains("PYRO_MAX_DISK_MIB is 160"), "{reason}");
    assert!(allocated_mib(&workspace.directory().join("disk.ext4")) > 100);

    // No new machine starts, and machines that do not grow keep running.
    let start = |limit: &str| {
        workspace
            .call(&["start", "--json"])
            .env("PYRO_MAX_DISK_MIB", limit)
    };
    let refused = start(limit).run().json_error("disk_limit", true);
    let remedy = refused["remedy"].as_str().unwrap();
    assert!(remedy.contains("pyro workspace delete"), "{refused:#}");
    let run = context.debian(&["--json", "--", "true"]);
    let run = run.env("PYRO_MAX_DISK_MIB", limit).run();
    run.json_error("disk_limit", true);
    let made = context.pyro(&["workspace", "create", debian(), "--json"]);
    let made = made.env("PYRO_MAX_DISK_MIB", limit).run();
    made.json_error("disk_limit", true);
    assert_eq!(other.ask("echo $((6 * 7))"), "42\n");

    // Its files exist, and files can be deleted in it if the limit is raised for a while.
    start("2000").run().expect(0);
    assert_eq!(workspace.ask("cat kept; rm big"), "mine\n");
    workspace.call(&["stop"]).run().expect(0);
    start(limit).run().expect(0);
    assert_eq!(workspace.ask("ls"), "kept\n");
}

#[test]
fn nothing_starts_where_the_disk_is_all_but_full_or_skip() {
    const FILL: &str = "mount -t tmpfs -o size=200m,mode=700 none \"$2\"; \
                        head -c \"$3\" /dev/zero > \"$2/others\"; exec \"$1\" run \"$4\" --json -- true";
    let context = TestContext::with(debian());
    fs::create_dir_all(context.base()).unwrap();
    let run = |taken: &str| {
        let base = context.base();
        let arguments = [base.to_str().unwrap(), taken, debian()];
        Some(context.mounting(FILL, &arguments)?.run())
    };
    let Some(full) = run("192M") else {
        skip!(
            "nothing_starts_where_the_disk_is_all_but_full",
            "this user may not mount"
        );
    };
    // A twentieth is kept free.
    let error = full.json_error("disk_limit", true);
    let cause = error["cause"].as_str().unwrap();
    assert!(cause.contains("10 MiB of the file system"), "{error:#}");
    assert!(
        cause.contains(context.base().to_str().unwrap()),
        "{error:#}"
    );
    run("100M").unwrap().expect(0);
}

#[test]
fn old_outputs_make_room_for_new_ones() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    workspace.ask("echo old");
    workspace.call(&["stop"]).run().expect(0);
    // As if it had printed up to the limit. The file is sparse.
    let output = workspace.directory().join("history/000001/stdout");
    let file = File::options().write(true).open(&output).unwrap();
    file.set_len(4 * 1024 * MIB).unwrap();
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("echo new"), "new\n");
    let logs = workspace.logs();
    assert_eq!(logs[0]["dropped_bytes"], 4 * 1024 * MIB, "{logs:#?}");
    assert_eq!(
        (&logs[0]["stdout"], &logs[0]["exit_code"]),
        (&"".into(), &0.into())
    );
    assert_eq!(logs[1]["stdout"], "new\n");
    assert_eq!(fs::metadata(output).unwrap().len(), 0);
    let shown = workspace.call(&["logs"]).run().expect(0).out();
    assert!(
        shown.contains("(4294967296 bytes of its output were dropped)"),
        "{shown}"
    );
}
