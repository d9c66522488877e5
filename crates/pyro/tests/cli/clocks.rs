//! A guest's clocks are correct even if the host was busy during its boot.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::context::{TestContext, debian};
use crate::instances::{signal, vmms};
use crate::templates::{templates, with_own_templates};

/// `mult` of a timer that counts at 62.5 MHz, which is right for the local APIC of QEMU.
const RIGHT: f64 = 268_435_456.0;
const TOLERANCE: f64 = 0.02;
/// The periods in which a VMM runs and is stopped: a quarter of a processor, as in a limited
/// container.
const ON: Duration = Duration::from_millis(25);
const OFF: Duration = Duration::from_millis(75);
/// A generous limit: the guest has a quarter of a processor and may boot several times.
const LIMIT_SECONDS: u64 = 600;

/// The fault appears about once in twenty templates, which take a quarter of an hour.
fn rounds() -> u32 {
    if std::env::var_os("PYRO_TEST_FULL").is_some() {
        20
    } else {
        1
    }
}

#[test]
fn a_template_that_is_made_with_a_quarter_of_a_processor_has_a_timer_that_is_right() {
    let context = with_own_templates();
    for round in 0..rounds() {
        let rates = timers_made_under_pressure(&context, &[]);
        assert_right(&rates, round);
        for template in templates(&context) {
            fs::remove_dir_all(template).unwrap();
        }
    }
}

#[test]
fn a_cold_boot_with_a_quarter_of_a_processor_has_a_timer_that_is_right() {
    let context = with_own_templates();
    for round in 0..rounds().div_ceil(4) {
        let rates = timers_made_under_pressure(&context, &["--cold", "--vcpu-count", "2"]);
        assert_eq!(rates.len(), 2);
        assert_right(&rates, round);
    }
}

fn assert_right(rates: &[f64], round: u32) {
    assert!(!rates.is_empty(), "round {round}: there is no timer");
    for rate in rates {
        let ratio = rate / RIGHT;
        assert!(
            (ratio - 1.0).abs() <= TOLERANCE,
            "round {round}: {ratio:.3}"
        );
    }
}

/// Runs a command in a guest that boots while its VMM is stopped and continued by signal; returns
/// its kernel's calibration of its timers.
fn timers_made_under_pressure(context: &TestContext, options: &[&str]) -> Vec<f64> {
    let show = "grep -A12 'Clock Event Device: lapic' /proc/timer_list | sed -n 's/ *mult: *//p'";
    let run = context
        .pyro(&["-q", "run", debian()])
        .args(options)
        .args(&["--", "sh", "-c", show])
        .limit(LIMIT_SECONDS)
        .env("PYRO_BOOT_TIMEOUT_SECONDS", "300");
    let done = Arc::new(AtomicBool::new(false));
    let finished = thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || throttle(context, done));
        let finished = run.run();
        done.store(true, Ordering::Relaxed);
        finished
    });
    let out = finished.expect(0).out();
    out.lines().map(|line| line.parse().unwrap()).collect()
}

fn throttle(context: &TestContext, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let stopped = vmms(context);
        for vmm in &stopped {
            signal(*vmm, Signal::STOP);
        }
        thread::sleep(OFF);
        for vmm in &stopped {
            signal(*vmm, Signal::CONT);
        }
        thread::sleep(ON);
    }
}
