//! A *trace* shows how long each step of a run took.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyro_engine::Event;

use crate::standard::to_stderr;

/// A step and its duration.
type Step = (Cow<'static, str>, Duration);

/// The steps of one run.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    begun: Instant,
    steps: Arc<Mutex<Vec<Step>>>,
}

impl Trace {
    /// Starts with the time since `begun`, the start of the program.
    pub(crate) fn start(begun: Instant) -> Self {
        Self {
            begun,
            steps: Arc::new(Mutex::new(vec![("process_start".into(), begun.elapsed())])),
        }
    }

    /// Records a step, if the event reports one.
    pub(crate) fn note(&self, event: &Event) {
        if let Event::Timing { name, duration } = event {
            self.add(name.clone(), *duration);
        }
    }

    /// Records a step that took from `begun` until now.
    pub(crate) fn took(&self, name: &'static str, begun: Instant) {
        self.add(name.into(), begun.elapsed());
    }

    fn add(&self, name: Cow<'static, str>, duration: Duration) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.push((name, duration));
    }

    /// Prints the steps, the time between them, and the sum.
    pub(crate) fn print(&self) {
        let total = self.begun.elapsed();
        let mut steps = self
            .steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let known: Duration = steps.iter().map(|(_, duration)| *duration).sum();
        steps.push(("between_steps".into(), total.saturating_sub(known)));
        steps.push(("total".into(), total));
        for (name, duration) in steps {
            let milliseconds = duration.as_secs_f64() * 1000.0;
            to_stderr(&format!("[trace] {name} {milliseconds:.1} ms\n"));
        }
    }
}
