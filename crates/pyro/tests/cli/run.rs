//! `run`: a command in a guest, its exit code, its limits.

use std::time::Duration;

use crate::context::{TestContext, debian, debian_build};

#[test]
fn the_kernel_and_the_agent_are_the_guests() {
    let context = TestContext::with(debian());
    let finished = context
        .shell("uname -r; cat /proc/1/comm; id -u")
        .run()
        .expect(0);
    let out = finished.out();
    let lines: Vec<&str> = out.lines().collect();
    let own = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let own_init = std::fs::read_to_string("/proc/1/comm").unwrap();
    assert_ne!(lines[0], own.trim());
    assert!(lines[0].ends_with("cloud-amd64"), "{out}");
    assert_ne!(lines[1], own_init.trim());
    assert!(lines[1].starts_with("pyro-"), "{out}");
    assert_eq!(lines[2], "0", "{out}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_compiled_program_exits_with_its_own_code() {
    let context = TestContext::with(debian_build());
    let script = "echo \"int main(){return 7;}\" > a.c && gcc a.c -o a && ./a";
    let run = [
        "run",
        debian_build(),
        "--timeout-seconds",
        "120",
        "--",
        "sh",
        "-c",
        script,
    ];
    context.pyro(&run).run().expect(7);
    let script = "cmake --version && make --version && python3 --version && git --version";
    let run = [
        "run",
        debian_build(),
        "--timeout-seconds",
        "120",
        "--",
        "sh",
        "-c",
        script,
    ];
    context.pyro(&run).run().expect(0);
}

#[test]
fn exit_codes_are_passed_on() {
    let context = TestContext::with(debian());
    let cases: &[(&[&str], i32)] = &[
        (&["--", "true"], 0),
        (&["--", "false"], 1),
        (&["--", "sh", "-c", "exit 255"], 255),
        (&["--", "no-such-program"], 127),
        // A single word is the name of a program.
        (&["--", "echo hi"], 127),
        (&["--", "/etc/passwd"], 126),
        (&["--", "sh", "-c", "kill -KILL $$"], 137),
        (&["--", "sh", "-c", "kill -SEGV $$"], 139),
    ];
    for (arguments, code) in cases {
        context.debian(arguments).run().expect(*code);
    }
    let result = context
        .debian(&["--json", "--", "exec", "sh", "-c", "kill -TERM $$"])
        .run()
        .expect(143);
    assert_eq!(result.json()["signal"], 15);
    assert_eq!(result.json()["exit_code"], 143);
}

#[test]
fn the_time_limit_ends_the_command_and_keeps_what_it_printed() {
    let context = TestContext::with(debian());
    let start_up = context.debian(&["--", "true"]).run().expect(0).elapsed;
    let script = "echo before; (sleep 61; echo after) & sleep 60";
    let run = context.debian(&["--timeout-seconds", "2", "--", "sh", "-c", script]);
    let finished = run
        .run()
        .expect(124)
        .out_is("before\n")
        .err_has("timed out");
    // The second start may take twice as long, because other tests are running.
    let most = start_up * 2 + Duration::from_secs(5 + 2);
    assert!(
        finished.elapsed < most,
        "{:?} of {most:?}",
        finished.elapsed
    );
    context.assert_nothing_is_left();

    let run = context.debian(&["--json", "--timeout-seconds", "2", "--", "sh", "-c", script]);
    let result = run.run().expect(124).json();
    assert_eq!(result["stdout"], "before\n");
    assert_eq!(result["timed_out"], true);
    assert_eq!(result["exit_code"], 124);
}

#[test]
fn a_command_that_ignores_signals_is_ended_at_its_limit_all_the_same() {
    let context = TestContext::with(debian());
    let script = "trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM; sleep 70' & \
                  while :; do sleep 1; done";
    context
        .debian(&["--timeout-seconds", "1", "--", "sh", "-c", script])
        .run()
        .expect(124);
}

#[test]
fn options_stand_where_they_like_and_words_stay_words() {
    let context = TestContext::with(debian());
    let cases: &[(&[&str], &str)] = &[
        (
            &[
                "run",
                "--mem-mib",
                "512",
                debian(),
                "--vcpu",
                "2",
                "--",
                "nproc",
            ],
            "2\n",
        ),
        (&["run", debian(), "echo", "hi"], "hi\n"),
        (&["run", debian(), "--", "echo", "--", "a"], "-- a\n"),
        (&["run", debian(), "--", "echo", "--json"], "--json\n"),
        (
            &[
                "run",
                debian(),
                "--",
                "echo",
                "a  b",
                "$HOME",
                "'",
                "\"",
                "*",
            ],
            "a  b $HOME ' \" *\n",
        ),
        (
            &["run", debian(), "--", "printf", "%s|", "", "\u{fc}", "a\nb"],
            "|\u{fc}|a\nb|",
        ),
    ];
    for (arguments, output) in cases {
        context.pyro(arguments).run().expect(0).out_is(output);
    }
}

#[test]
fn sizes_are_what_was_asked_for() {
    let context = TestContext::with(debian());
    let script = "nproc; sed -n 's/MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo";
    for (vcpus, mebibytes) in [("1", 256), ("2", 2048)] {
        let size = mebibytes.to_string();
        let flags = [
            "--vcpu-count",
            vcpus,
            "--mem-mib",
            &size,
            "--",
            "sh",
            "-c",
            script,
        ];
        let out = context.debian(&flags).run().expect(0).out();
        let (processors, kibibytes) = out.trim().split_once('\n').unwrap();
        assert_eq!(processors, vcpus);
        let kibibytes: u64 = kibibytes.parse().unwrap();
        assert!(
            kibibytes < mebibytes * 1024 && kibibytes > mebibytes * 1024 * 3 / 4,
            "{out}"
        );
    }
}

#[test]
fn four_at_once_are_four() {
    let context = TestContext::with(debian());
    let script = "cat /etc/machine-id /proc/sys/kernel/random/uuid; hostname; \
                  head -c 16 /dev/urandom | od -An -tx1";
    let running: Vec<_> = (0..4).map(|_| context.shell(script).start()).collect();
    let outputs: Vec<String> = running
        .into_iter()
        .map(|run| run.finish().expect(0).out())
        .collect();
    let mut lines: Vec<&str> = outputs.iter().flat_map(|text| text.lines()).collect();
    assert_eq!(lines.len(), 16);
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(
        lines.len(),
        16,
        "no two machines share any of these: {outputs:#?}"
    );
}

#[test]
fn the_time_to_live_ends_the_machine_whatever_the_command_may() {
    let context = TestContext::with(debian());
    let run = [
        "--json",
        "--ttl-seconds",
        "60",
        "--timeout-seconds",
        "600",
        "--",
        "sleep",
        "500",
    ];
    let finished = context.debian(&run).limit(200).run().expect(1);
    let error = finished.json_error("vm_expired", false);
    let message = error["error"].as_str().unwrap();
    assert!(
        message.ends_with("expired and was automatically deleted"),
        "{message}"
    );
}
