//! The *phases* of a start, measured.

use std::time::{Duration, Instant};

/// A step of a start and how long it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// The phase's name.
    pub name: &'static str,
    /// How long it took.
    pub duration: Duration,
}

/// Measures the steps of a start.
#[derive(Debug)]
pub(crate) struct PhaseClock {
    last: Instant,
    pub(crate) phases: Vec<Phase>,
}

impl PhaseClock {
    pub(crate) fn start() -> Self {
        Self::since(Instant::now())
    }

    pub(crate) fn since(begun: Instant) -> Self {
        Self {
            last: begun,
            phases: Vec::new(),
        }
    }

    pub(crate) fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        self.phases.push(Phase {
            name,
            duration: now - self.last,
        });
        self.last = now;
    }
}
