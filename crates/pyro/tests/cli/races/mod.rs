//! A table of all events that can happen to a workspace, at every moment of its machine's life. The
//! VMM is the fake one, which can wait at any point; agent, supervisor and clients are real.
//!
//! A cell checks the recorded state, that acknowledged data exists, and that no processes and files
//! are left over.

mod cell;
mod events;
mod moments;
mod refusals;
pub(crate) mod stage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use events::What;
use moments::When;
use stage::Stage;

/// How many cells run at once. Most of the time they wait.
const LANES: usize = 40;

#[test]
fn whatever_happens_at_whatever_moment_or_skip() {
    let Some(stage) = Stage::set("whatever_happens_at_whatever_moment") else {
        return;
    };
    let cells: Vec<(What, When)> = What::ALL
        .iter()
        .flat_map(|what| When::ALL.iter().map(|when| (*what, *when)))
        .filter(|(what, when)| what.is_possible(*when) && !matches!(what, What::FlushSilent))
        .collect();
    assert!(cells.len() >= 60, "{} cells", cells.len());
    // PYRO_TEST_CELLS=Stop/InFlush,… runs these alone.
    let chosen = std::env::var("PYRO_TEST_CELLS").ok();
    let is_chosen = |(what, when): &(What, When)| {
        let name = name(*what, *when);
        let words = chosen.as_deref().map(|chosen| chosen.split(','));
        words.is_none_or(|mut words| words.any(|word| name.contains(word)))
    };
    let cells: Vec<(What, When)> = cells.into_iter().filter(is_chosen).collect();
    assert!(
        !cells.is_empty(),
        "no cell has one of {chosen:?} in its name"
    );
    let failures = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((what, when)) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let run = || cell::run(&stage, *what, *when);
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
                        let name = name(*what, *when);
                        failures.lock().unwrap().push((name, words(&*panic)));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let told: Vec<String> = failures
        .iter()
        .map(|(name, words)| format!("{name}: {words}"))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} cells fail:\n{}",
        failures.len(),
        cells.len(),
        told.join("\n")
    );
}

/// A cell of its own, because it takes almost a minute until a flush is given up.
#[test]
fn a_flush_that_is_never_answered_is_given_up_or_skip() {
    if let Some(stage) = Stage::set("a_flush_that_is_never_answered_is_given_up") {
        cell::run(&stage, What::FlushSilent, When::AfterExec);
    }
}

fn name(what: What, when: When) -> String {
    format!("{what:?}/{when:?}")
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}
