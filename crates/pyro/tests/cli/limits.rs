//! What guests may take of the host's disk, and give back.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::context::TestContext;

const MIB: u64 = 1024 * 1024;

/// What a file takes on its file system, in MiB.
fn allocated_mib(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512 / MIB
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "waited for: {what}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_a_guest_deletes_is_given_back() {
    let context = TestContext::with("debian:12");
    let create = ["workspace", "create", "debian:12", "--json"];
    let created = context.pyro(&create).run().expect(0).json();
    let id = created["workspace_id"].as_str().unwrap();
    let disk = context.base().join("workspaces").join(id).join("disk.ext4");
    let exec = |script: &str| {
        let words = [
            "workspace",
            "exec",
            id,
            "--timeout-seconds",
            "300",
            "--",
            "sh",
            "-c",
            script,
        ];
        context.pyro(&words).run().expect(0);
    };
    exec("head -c 200000000 /dev/urandom >/workspace/large; sync");
    assert!(allocated_mib(&disk) >= 190, "{} MiB", allocated_mib(&disk));
    exec("rm /workspace/large; sync");
    wait_until("the disk is small again", || allocated_mib(&disk) < 60);
    context.pyro(&["workspace", "delete", id]).run().expect(0);
}

#[test]
fn there_is_a_limit_to_all_disks_and_logs() {
    let context = TestContext::with("debian:12");
    let create = ["workspace", "create", "debian:12", "--json"];
    let limited = |words: &[&str]| context.pyro(words).env("PYRO_MAX_DISK_MIB", "150");
    let created = limited(&create).run().expect(0).json();
    let id = created["workspace_id"].as_str().unwrap().to_owned();
    let write = "head -c 400000000 /dev/urandom >/root/x; sync; sleep 60";

    // A run that writes too much is ended, and what is left of it is nothing.
    let run = [
        "run",
        "debian:12",
        "--timeout-seconds",
        "300",
        "--json",
        "--",
        "sh",
        "-c",
        write,
    ];
    limited(&run).run().json_error("disk_limit", false);
    // A workspace is stopped; its files and logs are kept, and it says why.
    let exec = [
        "workspace",
        "exec",
        &id,
        "--timeout-seconds",
        "300",
        "--",
        "sh",
        "-c",
        write,
    ];
    limited(&exec).run().expect(1);
    let status = ["workspace", "status", &id, "--json"];
    let status = limited(&status).run().expect(0).json();
    assert_eq!(status["state"], "stopped", "{status}");
    assert!(
        status["state_reason"].as_str().unwrap().contains("on disk"),
        "{status}"
    );
    // Until there is room nothing else starts, and it is said how to make some.
    let again = limited(&["run", "debian:12", "--json", "--", "true"]).run();
    let error = again.json_error("disk_limit", true);
    assert!(
        error["remedy"]
            .as_str()
            .unwrap()
            .contains("workspace delete"),
        "{error}"
    );
    limited(&["workspace", "delete", &id]).run().expect(0);
    limited(&["run", "debian:12", "--", "true"]).run().expect(0);
}
