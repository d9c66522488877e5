//! Full file systems.

use crate::context::{TestContext, debian, debian_base};
use crate::skip;

const MOUNT: &str =
    "mkdir -p \"$2\"; mount -t tmpfs -o size=$1,mode=700 none \"$2\"; shift 2; exec \"$@\"";

/// Runs pyro with a file system of this size at `place`.
fn with_small(
    context: &TestContext,
    size: &str,
    place: &std::path::Path,
    arguments: &[&str],
) -> Option<crate::process::Finished> {
    let script = format!(
        "pyro=$1; shift; size=$1 place=$2; shift 2; set -- $size \"$place\" \"$pyro\" \"$@\"; {MOUNT}"
    );
    let mut all = vec![size, place.to_str().unwrap()];
    all.extend(arguments);
    // Here the file system refuses the write, not pyro's own check.
    let run = context.mounting(&script, &all)?;
    Some(run.env("PYRO_MAX_DISK_MIB", "100000").run())
}

#[test]
fn no_room_for_the_disk_or_skip() {
    let context = TestContext::with(debian());
    for size in ["4k", "64k", "128k"] {
        let arguments = ["run", debian(), "--json", "--", "true"];
        let Some(run) = with_small(&context, size, &context.base(), &arguments) else {
            skip!("no_room_for_the_disk_or_skip", "this user may not mount");
        };
        let error = run.json_error("no_space", true);
        assert!(
            error["remedy"].as_str().unwrap().contains("free"),
            "{error}"
        );
        assert!(
            error.to_string().contains(context.base().to_str().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn a_guest_that_fills_the_hosts_disk_gets_an_error_or_skip() {
    let context = TestContext::with(debian());
    let script = "dd if=/dev/zero of=/big bs=1M count=100 conv=fsync 2>/dev/null; echo $?";
    let flags = [
        "run",
        debian(),
        "--timeout-seconds",
        "60",
        "--",
        "sh",
        "-c",
        script,
    ];
    let Some(run) = with_small(&context, "40m", &context.base(), &flags) else {
        skip!(
            "a_guest_that_fills_the_hosts_disk",
            "this user may not mount"
        );
    };
    run.expect(0).out_is("1\n");
}

#[test]
fn no_room_for_an_environment_or_skip() {
    let context = TestContext::new().with_own_cache();
    let pull = ["env", "pull", debian_base(), "--json"];
    let Some(run) = with_small(&context, "50m", context.cache(), &pull) else {
        skip!("no_room_for_an_environment", "this user may not mount");
    };
    let error = run.json_error("no_space", true);
    assert!(
        error["error"].as_str().unwrap().contains("MiB available"),
        "{error}"
    );
}
