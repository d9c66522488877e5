//! The parked machine: claimed once, removed when its time is over or its keeper dies.
//!
//! It is the only thing that a run may leave behind, and only these tests allow it: each ends its
//! parked machines properly.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::context::TestContext;
use crate::leftovers;
use crate::process::{Finished, Pyro};
use crate::templates::{has, phases, wait_until, with_shared_template};

/// Longer than any test.
const LONG: u32 = 120;

#[test]
fn one_is_kept_ahead_shown_and_claimed() {
    let context = with_shared_template();
    assert_eq!(parked_machines(&context), 0);
    let first = leaving_one(name_of(&context), LONG).run().expect(0);
    assert!(!has(&phases(&first), "claim"), "{first:?}");
    wait_for_one(&context);
    assert_eq!(parked_machines(&context), 1);
    let human = context.pyro(&["doctor"]).run().expect(0);
    assert!(human.out().contains("Parked machines: 1\n"), "{human:?}");

    let second = name_of(&context).run().expect(0);
    assert_claimed(&second);
    assert_ne!(second.out(), first.out(), "another machine");
    // That run parked no machine: the claimed one is used up.
    assert_gone(&context);
    let third = name_of(&context).run().expect(0);
    assert!(!has(&phases(&third), "claim"), "{third:?}");
}

#[test]
fn one_is_kept_ahead_below_a_long_path() {
    let context = with_shared_template();
    // A socket address has room for 107 bytes.
    let base = context.path(&"long-".repeat(40));
    let run = |seconds| {
        let run = name_of(&context).env("PYRO_BASE_DIR", &base);
        leaving_one(run, seconds).run().expect(0)
    };
    run(LONG);
    wait_until("one is parked", || {
        let entries = fs::read_dir(base.join("parked")).into_iter().flatten();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.any(|path| path.extension().is_some_and(|kind| kind == "sock"))
    });
    assert_claimed(&run(0));
    assert_gone(&context);
}

#[test]
fn what_is_parked_is_for_those_who_want_the_same() {
    let context = with_shared_template();
    park(&context, LONG);
    for options in [
        &["--cold"][..],
        &["--mem-mib", "768"],
        &["--vcpu-count", "2"],
        // Parked machines have no network.
        &["--network"],
    ] {
        let run = context.debian(&["--trace"]).args(options);
        let run = run.args(&["--", "true"]).run().expect(0);
        assert!(!has(&phases(&run), "claim"), "{options:?}: {run:?}");
    }
    assert_claimed(&name_of(&context).run().expect(0));
    assert_gone(&context);
}

#[test]
fn nobody_is_kept_where_that_is_switched_off() {
    let context = with_shared_template();
    leaving_one(name_of(&context), 0).run().expect(0);
    assert!(keepers(&context).is_empty() && sockets(&context).is_empty());
    let cold = context.debian(&["--cold", "--", "true"]);
    leaving_one(cold, LONG).run().expect(0);
    assert!(keepers(&context).is_empty() && sockets(&context).is_empty());
}

#[test]
fn two_at_once_never_get_the_same() {
    let context = with_shared_template();
    for _ in 0..3 {
        park(&context, LONG);
        let runs: Vec<Finished> = thread::scope(|scope| {
            let lanes: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| name_of(&context).run().expect(0)))
                .collect();
            lanes.into_iter().map(|lane| lane.join().unwrap()).collect()
        });
        assert_ne!(runs[0].out(), runs[1].out());
        let claims = runs.iter().filter(|run| has(&phases(run), "claim"));
        assert_eq!(claims.count(), 1, "{runs:?}");
        assert_gone(&context);
    }
}

#[test]
fn when_nobody_comes_everything_goes() {
    let context = with_shared_template();
    leaving_one(name_of(&context), 2).run().expect(0);
    wait_for_one(&context);
    let begun = Instant::now();
    wait_until("its time is up", || sockets(&context).is_empty());
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    assert_gone(&context);
    assert_eq!(parked_machines(&context), 0);
}

#[test]
fn a_keeper_that_is_killed_leaves_nothing_after_the_next_call() {
    let context = with_shared_template();
    park(&context, LONG);
    signal_keeper(&context, Signal::KILL);
    // Its VMM dies with it; the next call removes its files and starts without a parked machine.
    let next = name_of(&context).run().expect(0);
    assert!(!has(&phases(&next), "claim"), "{next:?}");
    assert_gone(&context);

    park(&context, LONG);
    signal_keeper(&context, Signal::KILL);
    assert_eq!(parked_machines(&context), 0);
    context.assert_nothing_is_left();
    // Leftovers of the parked machine do not prevent parking the next one.
    park(&context, LONG);
    assert_claimed(&name_of(&context).run().expect(0));
    assert_gone(&context);
}

#[test]
fn a_keeper_that_is_told_to_ends_in_order() {
    let context = with_shared_template();
    park(&context, LONG);
    end(&context);
    assert_gone(&context);
}

#[test]
fn a_claimer_that_dies_takes_its_machine_with_it() {
    let context = with_shared_template();
    for signal in [Signal::KILL, Signal::TERM] {
        park(&context, LONG);
        let run = context.debian(&["--trace", "--", "sh", "-c", "echo ready; sleep 100"]);
        let mut run = run.silent_stdin().start();
        run.wait_for_stdout("ready");
        assert!(!keepers(&context).is_empty(), "it was claimed");
        run.signal(signal);
        let ended = run.finish();
        assert!(ended.code == -9 || ended.code == 143, "{ended:?}");
        assert_gone(&context);
    }
}

#[test]
fn a_keeper_that_dies_under_a_command_ends_it_with_an_explanation() {
    let context = with_shared_template();
    for signal in [Signal::KILL, Signal::TERM] {
        park(&context, LONG);
        let run = context.debian(&[
            "--json",
            "--",
            "sh",
            "-c",
            "echo ready >/dev/ttyS0; sleep 100",
        ]);
        let run = run.silent_stdin().limit(60).start();
        // No machine is available any more: it was claimed.
        wait_until("it is claimed", || sockets(&context).is_empty());
        thread::sleep(Duration::from_secs(1));
        signal_keeper(&context, signal);
        run.finish().json_error("machine_stopped", false);
        context.pyro(&["env", "list"]).run().expect(0);
        assert_gone(&context);
    }
}

#[test]
fn a_claimed_machine_that_stops_is_explained() {
    let context = with_shared_template();
    for (key, last_word) in [("o", "Power"), ("c", "Kernel panic")] {
        park(&context, LONG);
        let script = format!("echo begun; echo {key} > /proc/sysrq-trigger; sleep 60");
        let run = context.debian(&["--json", "--", "sh", "-c", &script]);
        let run = run.limit(100).start();
        wait_until("it is claimed", || sockets(&context).is_empty());
        let error = run.finish().json_error("machine_stopped", false);
        let cause = error["cause"].as_str().expect("a cause");
        assert!(cause.contains(last_word), "no {last_word:?} in {error}");
        assert_gone(&context);
    }
}

#[test]
fn a_claimed_machine_does_what_others_do() {
    let context = with_shared_template();
    park(&context, LONG);
    let run = context.debian(&["--trace", "--timeout-seconds", "1", "--", "sleep", "100"]);
    let run = leaving_one(run, LONG).run().expect(124);
    assert_claimed(&run);

    wait_for_one(&context);
    let bytes: Vec<u8> = (0..5_000_000_u32)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let run = context.debian(&["--trace", "--timeout-seconds", "120", "--", "cat"]);
    let run = leaving_one(run.stdin(bytes.clone()), LONG).run().expect(0);
    assert_claimed(&run);
    assert!(run.stdout == bytes, "{} bytes", run.stdout.len());

    wait_for_one(&context);
    let run = context.debian(&[
        "--trace",
        "--",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 7",
    ]);
    let run = run.run().expect(7).out_is("out\n").err_has("err\n");
    assert_claimed(&run);
    assert_gone(&context);
}

/// A run that prints the name of its machine.
fn name_of(context: &TestContext) -> Pyro {
    context.debian(&["--trace", "--", "hostname"])
}

/// A run that parks a machine for this many seconds.
pub(crate) fn leaving_one(run: Pyro, seconds: u32) -> Pyro {
    run.env("PYRO_PARKED_SECONDS", seconds.to_string())
}

fn park(context: &TestContext, seconds: u32) {
    leaving_one(name_of(context), seconds).run().expect(0);
    wait_for_one(context);
}

/// Waits until a machine can be claimed.
pub(crate) fn wait_for_one(context: &TestContext) {
    wait_until("one is parked", || {
        !sockets(context).is_empty() && !keepers(context).is_empty()
    });
}

/// Ends the keepers in order.
pub(crate) fn end(context: &TestContext) {
    signal_keeper(context, Signal::TERM);
    assert_gone(context);
}

#[track_caller]
fn signal_keeper(context: &TestContext, signal: Signal) {
    let found = keepers(context);
    assert!(!found.is_empty(), "there is a keeper");
    for pid in found {
        // It may have ended in the meantime.
        let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
    }
    if signal == Signal::KILL {
        // Its files belong to it until it has ended.
        wait_until("the keeper is gone", || keepers(context).is_empty());
    }
}

/// The processes that keep a parked machine of this test.
fn keepers(context: &TestContext) -> Vec<u32> {
    let found = leftovers::scan(context.directory()).into_iter();
    found
        .filter(|(_, arguments)| arguments.contains(" keep-parked "))
        .map(|(pid, _)| pid)
        .collect()
}

fn sockets(context: &TestContext) -> Vec<PathBuf> {
    let entries = fs::read_dir(context.base().join("parked"));
    let paths = entries.into_iter().flatten().flatten();
    paths
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "sock"))
        .collect()
}

/// Fails unless process, directory and socket disappear within a limit.
#[track_caller]
fn assert_gone(context: &TestContext) {
    context.assert_nothing_is_left();
    let left = sockets(context);
    assert!(left.is_empty(), "{left:?}");
}

#[track_caller]
fn assert_claimed(run: &Finished) {
    assert!(has(&phases(run), "claim"), "{run:?}");
    assert!(!has(&phases(run), "restore"), "{run:?}");
}

fn parked_machines(context: &TestContext) -> u64 {
    let report = context.pyro(&["doctor", "--json"]).run().expect(0).json();
    report["parked_machines"].as_u64().unwrap()
}
