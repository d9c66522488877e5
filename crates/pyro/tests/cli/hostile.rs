//! Hostile guests: the call ends with a clear error and leaves nothing behind.

use std::fs;
use std::path::Path;

use crate::context::{TestContext, debian};

#[test]
fn the_agent_cannot_be_killed() {
    let context = TestContext::with(debian());
    let script = "for signal in KILL TERM INT HUP SEGV STOP USR1; do kill -$signal 1; done; \
                  sleep 1; echo alive";
    context.shell(script).run().expect(0).out_is("alive\n");
}

#[test]
fn a_machine_that_stops_is_explained() {
    let context = TestContext::with(debian());
    for (key, last_word) in [("c", "Kernel panic"), ("o", "Power"), ("b", "Resetting")] {
        let script = format!("echo begun; echo {key} > /proc/sysrq-trigger; sleep 60");
        let run = context
            .debian(&["--json", "--", "sh", "-c", &script])
            .limit(100)
            .run();
        let error = run.json_error("machine_stopped", false);
        let cause = error["cause"].as_str().expect("a cause");
        assert!(cause.contains(last_word), "no {last_word:?} in {cause}");
        assert!(
            error["remedy"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        let message = error["error"].as_str().unwrap();
        assert!(
            !message.contains("QEMU was killed"),
            "nobody killed it: {message}"
        );
        context.assert_nothing_is_left();
    }
    // What was printed in the last moment goes down with the kernel: it waits until this was seen.
    let mut human = context
        .shell("printf begun; read -r go; echo c > /proc/sysrq-trigger; sleep 60")
        .silent_stdin()
        .start();
    human.wait_for_stdout("begun");
    human.say("go\n");
    let human = human.finish().expect(1).out_is("begun");
    human
        .err_has("[error] the machine stopped while the command was running")
        .err_has("code: machine_stopped (safe to retry: unknown, a command may have run)");
}

#[test]
fn a_reboot_by_system_call_is_the_end_too() {
    let context = TestContext::with(debian());
    // Debian 12 has no `reboot` without systemd; perl is always there. 169 is reboot(2).
    let script = "perl -e 'syscall(169, 0xfee1dead, 672274793, 0x1234567, 0)'; sleep 60";
    let run = context
        .debian(&["--json", "--", "sh", "-c", script])
        .limit(100)
        .run();
    run.json_error("machine_stopped", false);
}

#[test]
fn a_command_that_eats_all_memory_is_killed_alone() {
    let context = TestContext::with(debian());
    // `tail` keeps its last line in memory, and there is only one.
    let script = "head -c 400M /dev/zero | tail; echo $?; echo alive >&2";
    let flags = [
        "-q",
        "--mem-mib",
        "256",
        "--timeout-seconds",
        "150",
        "--",
        "bash",
        "-c",
        script,
    ];
    let finished = context.debian(&flags).run().expect(0).err_has("alive");
    assert_eq!(finished.out().trim_matches('\0'), "137\n");
}

#[test]
fn a_fork_bomb_ends_with_its_machine() {
    let context = TestContext::with(debian());
    let script = "bomb() { bomb | bomb & }; bomb; sleep 100";
    let flags = [
        "--timeout-seconds",
        "4",
        "--mem-mib",
        "256",
        "--",
        "bash",
        "-c",
        script,
    ];
    let finished = context.debian(&flags).limit(120).run();
    assert_ne!(finished.code, 0, "{finished:?}");
    context.assert_nothing_is_left();
}

#[test]
fn a_flood_of_the_console_fills_no_file() {
    // The file starts over at 1 MiB; an emulated serial line takes four seconds for that.
    const LIMIT_BYTES: u64 = 1_200_000;
    let context = TestContext::with(debian());
    let script = "echo flood; echo '<0>flood' > /dev/kmsg; exec yes flood flood > /dev/ttyS0";
    let flags = ["--timeout-seconds", "14", "--", "bash", "-c", script];
    let mut run = context.debian(&flags).start();
    run.wait_for_stdout("flood");
    let mut most = 0;
    let begun = std::time::Instant::now();
    while begun.elapsed().as_secs() < 13 {
        most = most.max(size_of_logs(&context.base().join("vms")));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    run.finish().expect(124);
    assert!(
        most > 100_000,
        "the console was flooded and its file has {most} bytes"
    );
    assert!(most < LIMIT_BYTES, "{most} bytes of console");
}

/// The contents of the files of machines, except for the disk.
fn size_of_logs(directory: &Path) -> u64 {
    let machines = fs::read_dir(directory).into_iter().flatten().flatten();
    machines
        .flat_map(|machine| fs::read_dir(machine.path()).into_iter().flatten().flatten())
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "log")
        })
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum()
}
