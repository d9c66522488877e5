//! `--allow-host-compat`: runs on the host only if no guest can run, and always with a warning.

use std::fs;

use crate::context::{TestContext, debian};
use crate::process::Pyro;

/// A run on a host without QEMU.
fn on_host(context: &TestContext, flags: &[&str], script: &str) -> Pyro {
    let nothing = context.path("nothing");
    fs::create_dir_all(&nothing).unwrap();
    context
        .debian(&["--allow-host-compat"])
        .args(flags)
        .args(&["--", "sh", "-c", script])
        .env("PATH", nothing)
        .env("SECRET", "hunter2")
}

#[test]
fn it_is_loud_and_private_and_removed() {
    let context = TestContext::with(debian());
    let script = "pwd; env | cut -d= -f1 | sort | xargs; wc -c; touch left; id -u; echo e >&2";
    let finished = on_host(&context, &[], script)
        .stdin("not for the command")
        .run()
        .expect(0);
    let finished = finished
        .err_has("ON THE HOST, WITHOUT ISOLATION")
        .err_has("qemu-system-x86_64 is not installed")
        .err_has("execution_mode=host_compat");
    let out = finished.out();
    let lines: Vec<&str> = out.lines().collect();
    let private = std::path::Path::new(lines[0]);
    assert!(private.starts_with(context.path("tmp")), "{out}");
    assert!(!private.exists(), "{out}");
    let variables: Vec<&str> = lines[1].split(' ').collect();
    assert!(
        !variables.contains(&"SECRET") && variables.len() <= 6,
        "{out}"
    );
    assert_eq!(lines[2], "0", "standard input is not passed on");

    // The warning is shown even with `--quiet`.
    on_host(&context, &["--quiet"], "true")
        .run()
        .expect(0)
        .err_has("WITHOUT ISOLATION");
    let json = on_host(&context, &["--json"], "echo hi").run().expect(0);
    assert_eq!(json.json()["execution_mode"], "host_compat");
    assert_eq!(json.json()["stdout"], "hi\n");
    json.err_has("WITHOUT ISOLATION");
}

#[test]
fn exit_codes_are_those_of_a_guest() {
    let context = TestContext::with(debian());
    on_host(&context, &[], "exit 7").run().expect(7);
    on_host(&context, &[], "no-such-program").run().expect(127);
    on_host(&context, &[], "kill -TERM $$").run().expect(143);
    let script = "echo before; sleep 60 & sleep 60";
    let finished = on_host(&context, &["--timeout-seconds", "1"], script)
        .limit(50)
        .run();
    finished.expect(124).out_is("before\n");
    context.assert_nothing_is_left();
}

#[test]
fn a_signal_ends_what_runs_on_the_host() {
    let context = TestContext::with(debian());
    let mut run = on_host(&context, &[], "echo ready; sleep 60 & sleep 60")
        .limit(50)
        .start();
    run.wait_for_stdout("ready");
    run.signal(rustix::process::Signal::INT);
    run.finish().expect(130);
    context.assert_nothing_is_left();
}

#[test]
fn it_is_not_used_when_there_is_a_guest_or_the_request_is_wrong() {
    let context = TestContext::with(debian());
    let allowed = context.debian(&["--allow-host-compat", "--", "cat", "/proc/1/comm"]);
    let finished = allowed
        .run()
        .expect(0)
        .err_has("execution_mode=guest_vsock");
    assert!(finished.out().starts_with("pyro-"), "{finished:?}");
    finished.err_lacks("WITHOUT ISOLATION");

    let unknown = [
        "run",
        "nope",
        "--allow-host-compat",
        "--",
        "touch",
        "/tmp/host",
    ];
    context
        .pyro(&unknown)
        .run()
        .expect(1)
        .err_has("unknown environment");
    // A full disk is not a reason: guests can run here otherwise.
    let outside = context.path("outside");
    std::fs::write(context.base().join("ballast"), vec![1; 2 << 20]).unwrap();
    context
        .debian(&[
            "--allow-host-compat",
            "--",
            "touch",
            outside.to_str().unwrap(),
        ])
        .env("PYRO_MAX_DISK_MIB", "1")
        .run()
        .expect(1)
        .err_has("PYRO_MAX_DISK_MIB is 1")
        .err_lacks("WITHOUT ISOLATION");
    assert!(!outside.exists());
    // A command that was sent to a guest is never run again on the host.
    let script = "echo once; read go; echo b > /proc/sysrq-trigger; sleep 60";
    let mut stopped = context
        .debian(&["--allow-host-compat", "--", "sh", "-c", script])
        .silent_stdin()
        .start();
    stopped.wait_for_stdout("once\n");
    stopped.say("go\n");
    stopped
        .finish()
        .expect(1)
        .out_is("once\n")
        .err_has("code: machine_stopped");
}
