//! Clones of one template have different identities. `PYRO_TEST_FULL` tests more clones.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::context::{TestContext, debian, debian_build};
use crate::parked;
use crate::process::Pyro;
use crate::templates::{has, phases, with_shared_template};

/// The values that must differ between machines.
const FACTS: &[&str] = &[
    "urandom",
    "uuid",
    "boot_id",
    "machine-id",
    "hostname",
    "temporary name",
    "perl's random number",
];

/// Prints them, one per line; then the time on each request, and a line at the end.
const SCRIPT: &str = "head -c 1024 /dev/urandom | od -An -v -tx1 | tr -d ' \\n'; echo; \
                      cd /proc/sys/kernel/random; cat uuid boot_id /etc/machine-id; \
                      hostname; mktemp -u; perl -e 'print rand, qq{\\n}'; \
                      echo ready; read line; date +%s%N; echo told; read line";

/// The maximum difference between a guest's clock and the host's.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(50);

/// How many run at once.
const LANES: usize = 2;

pub(crate) fn full() -> bool {
    std::env::var_os("PYRO_TEST_FULL").is_some()
}

pub(crate) fn count(usual: usize, all: usize) -> usize {
    if full() {
        return all;
    }
    eprintln!("{usual} of {all}; all with PYRO_TEST_FULL=1");
    usual
}

#[test]
fn restored_clones_share_nothing() {
    let context = with_shared_template();
    let lane = count(12, 64) / LANES;
    let clones = thread::scope(|scope| {
        let ask = || -> Vec<_> {
            (0..lane)
                .map(|_| ask(question(&context), "restore"))
                .collect()
        };
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(ask)).collect();
        let answers = lanes.into_iter().flat_map(|lane| lane.join().unwrap());
        answers.collect::<Vec<_>>()
    });
    assert_all_different(&clones);
}

#[test]
fn pythons_random_numbers_differ_in_each_clone() {
    let context = TestContext::with(debian_build());
    let program = "import random, uuid; print(random.random(), uuid.uuid4())";
    let run = ["run", debian_build(), "--timeout-seconds", "120", "--"];
    let numbers: HashSet<String> = (0..count(6, 64))
        .map(|_| {
            let run = context.pyro(&run).args(&["python3", "-c", program]);
            run.run().expect(0).out()
        })
        .collect();
    assert_eq!(numbers.len(), count(6, 64), "{numbers:?}");
}

#[test]
fn programs_lie_elsewhere_in_each_clone_unless_that_is_translated_anew() {
    let context = with_shared_template();
    let report = context.pyro(&["doctor", "--json"]).run().expect(0).json();
    let version = report["qemu"]["version"].as_str().unwrap();
    let major: u32 = version.split('.').next().unwrap().parse().unwrap();
    let is_random = major >= 9 || report["accelerator"]["selected"] == "kvm";
    let clones = 4;
    let places: HashSet<String> = (0..clones)
        .map(|_| {
            let run =
                context.debian(&["--", "grep", "-e", "stack", "-e", "libc", "/proc/self/maps"]);
            run.run().expect(0).out()
        })
        .collect();
    let expected = if is_random { clones } else { 1 };
    assert_eq!(places.len(), expected, "QEMU {version}: {places:#?}");
}

#[test]
fn a_machine_that_was_booted_knows_the_time_too() {
    let context = TestContext::with(debian());
    let run = context.debian(&["--cold", "--trace", "--timeout-seconds", "120"]);
    let run = run.args(&["--", "sh", "-c", SCRIPT]).silent_stdin();
    ask(run, "kernel_and_agent");
}

#[test]
fn parked_clones_share_nothing() {
    let context = with_shared_template();
    // A restored machine is a clone of the same memory.
    let mut clones = vec![ask(parked::leaving_one(question(&context), 60), "identity")];
    for _ in 0..count(6, 64) {
        parked::wait_for_one(&context);
        clones.push(ask(parked::leaving_one(question(&context), 60), "claim"));
    }
    parked::end(&context);
    assert_all_different(&clones);
}

#[test]
fn many_runs_at_once_all_succeed() {
    let context = with_shared_template();
    thread::scope(|scope| {
        for number in 0..count(16, 50) {
            let context = &context;
            scope.spawn(move || {
                let text = format!("{number}\n");
                let run = context.debian(&["--timeout-seconds", "120", "--", "cat"]);
                run.stdin(text.clone()).run().expect(0).out_is(&text);
            });
        }
    });
}

fn question(context: &TestContext) -> Pyro {
    let run = context.debian(&["--trace", "--timeout-seconds", "120"]);
    run.args(&["--", "sh", "-c", SCRIPT]).silent_stdin()
}

/// Returns the values of a clone, after checking how it was started and that its clock is right.
#[track_caller]
fn ask(run: Pyro, phase: &str) -> Vec<String> {
    let mut run = run.start();
    run.wait_for_stdout("ready\n");
    let before = now();
    run.say("time\n");
    run.wait_for_stdout("told\n");
    let after = now();
    run.say("end\n");
    let run = run.finish().expect(0);
    assert!(has(&phases(&run), phase), "no {phase} in {run:?}");

    let out = run.out();
    let mut lines: Vec<String> = out.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), FACTS.len() + 3, "{run:?}");
    let guest = Duration::from_nanos(lines[FACTS.len() + 1].parse().unwrap());
    assert!(
        before <= guest + CLOCK_TOLERANCE && guest <= after + CLOCK_TOLERANCE,
        "asked at {before:?}, told {guest:?} at {after:?}"
    );
    eprintln!(
        "clock: {:.1} ms after it was asked, {:.1} ms before it was heard",
        (guest.as_secs_f64() - before.as_secs_f64()) * 1000.0,
        (after.as_secs_f64() - guest.as_secs_f64()) * 1000.0
    );
    lines.truncate(FACTS.len());
    assert_eq!(lines[0].len(), 2048, "{run:?}");
    lines
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

#[track_caller]
fn assert_all_different(clones: &[Vec<String>]) {
    let mut shared = Vec::new();
    for (index, fact) in FACTS.iter().enumerate() {
        let values: HashSet<_> = clones.iter().map(|clone| &clone[index]).collect();
        if values.len() != clones.len() {
            shared.push(format!(
                "{fact}: {} in {} clones",
                values.len(),
                clones.len()
            ));
        }
    }
    assert!(shared.is_empty(), "not their own: {shared:?}");
}
