//! The *progress* of a call on standard error: phases as lines, progress as an animated bar. If
//! standard error is not a terminal, progress is printed as a line from time to time.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pyro_engine::{Event, Progress};

use crate::standard::{self, to_stderr};
use crate::styles::WARNING;
use crate::{render, talk};

/// The minimum interval between lines of progress.
const SILENCE: Duration = Duration::from_secs(5);

/// The level of detail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verbosity {
    /// Warnings only.
    Quiet,
    /// Phases and progress too.
    Normal,
    /// Also the conversation between a model and its tools.
    Verbose,
}

/// Shows the events of a call.
#[derive(Clone, Debug)]
pub(crate) struct ProgressDisplay {
    verbosity: Verbosity,
    bar: Arc<Mutex<Option<ProgressBar>>>,
    last_line: Arc<Mutex<Instant>>,
    lost: Arc<Mutex<Option<io::Error>>>,
}

impl ProgressDisplay {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Self {
            verbosity,
            bar: Arc::default(),
            last_line: Arc::new(Mutex::new(Instant::now())),
            lost: Arc::default(),
        }
    }

    /// Shows one event.
    pub(crate) fn show(&self, event: &Event) {
        match event {
            Event::Warning(text) => self.harmless_line(&warning(text)),
            _ if self.verbosity == Verbosity::Quiet => {}
            Event::Phase {
                operation,
                phase,
                subject: (name, value),
            } => {
                if *phase == "ready" {
                    self.clear();
                }
                self.line(&format!("[{operation}] phase={phase} {name}={value}"));
            }
            Event::Building {
                environment,
                progress,
            } => self.building(environment, progress),
            Event::Transfer { what, bytes, total } => self.transfer(what, *bytes, *total),
            Event::Notice(text) => self.line(&format!("note: {text}")),
            Event::Step {
                what,
                text,
                duration,
            } => self.result(&render::step(what, text, *duration)),
            Event::Talk(talk) => {
                let verbose = self.verbosity == Verbosity::Verbose;
                self.result(&talk::lines(talk, verbose));
            }
            Event::Timing { .. } | Event::Started { .. } => {}
        }
    }

    /// Removes the bar, before other output is written.
    pub(crate) fn clear(&self) {
        if let Some(bar) = self.lock().take() {
            bar.finish_and_clear();
        }
    }

    fn building(&self, environment: &str, progress: &Progress) {
        if let Progress::Notice(text) = progress {
            return self.line(&format!("note: {text}"));
        }
        if !std::io::stderr().is_terminal() {
            return self
                .now_and_then(|| format!("[pull] {} environment={environment}", step(progress)));
        }
        let mut bar = self.lock();
        let bar = bar.get_or_insert_with(|| new_bar(environment));
        match *progress {
            Progress::Phase(phase) => bar.set_message(phase),
            Progress::Bytes { phase, done, total } => {
                bar.set_style(style("{bytes}/{total_bytes} {bytes_per_sec}"));
                advance(bar, phase, done, total);
            }
            Progress::Packages { phase, done, total } => {
                bar.set_style(style("{pos}/{len} packages"));
                advance(bar, phase, done, total);
            }
            Progress::Notice(_) => {}
        }
    }

    fn transfer(&self, what: &'static str, bytes: u64, total: Option<u64>) {
        if !std::io::stderr().is_terminal() {
            return self.now_and_then(|| format!("[{what}] {}", counted("bytes", bytes, total)));
        }
        let mut bar = self.lock();
        let bar = bar.get_or_insert_with(|| new_bar("files"));
        bar.set_style(match total {
            Some(_) => style("{bytes}/{total_bytes} {bytes_per_sec}"),
            None => style("{bytes} {bytes_per_sec}"),
        });
        advance(bar, what, bytes, total);
    }

    /// Lines that are results, printed during the call.
    fn result(&self, text: &str) {
        let text = pyro_text::escaped(text);
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.is_some() {
            return;
        }
        let write = || standard::print(text.as_bytes());
        let printed = match &*self.lock() {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
        *lost = printed.err();
    }

    /// Why a line that is a result could not be printed, if so. No further lines were printed after
    /// it.
    pub(crate) fn lost(&self) -> Option<io::Error> {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.take()
    }

    /// Prints the progress, unless something was printed recently.
    fn now_and_then(&self, text: impl FnOnce() -> String) {
        let last_line = *self
            .last_line
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last_line.elapsed() >= SILENCE {
            self.line(&text());
        }
    }

    fn line(&self, text: &str) {
        self.harmless_line(&pyro_text::escaped(text));
    }

    /// The same for a text that is already escaped.
    fn harmless_line(&self, text: &str) {
        *self
            .last_line
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let write = || {
            to_stderr(&format!("{text}\n"));
        };
        match &*self.lock() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Formats a warning: its text may be untrusted, so it is escaped; the colour is added here.
fn warning(text: &str) -> String {
    let text = pyro_text::escaped(text);
    format!("{WARNING}warning:{WARNING:#} {text}")
}

/// Formats the progress of a build as a line.
fn step(progress: &Progress) -> String {
    match *progress {
        Progress::Phase(phase) => format!("phase={phase}"),
        Progress::Bytes { phase, done, total } => {
            format!("phase={phase} {}", counted("bytes", done, total))
        }
        Progress::Packages { phase, done, total } => {
            format!("phase={phase} {}", counted("packages", done, total))
        }
        Progress::Notice(ref text) => text.clone(),
    }
}

fn counted(unit: &str, done: u64, total: Option<u64>) -> String {
    match total {
        Some(total) => format!("{unit}={done}/{total}"),
        None => format!("{unit}={done}"),
    }
}

fn new_bar(environment: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_prefix(environment.to_owned());
    bar.set_style(style(""));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn advance(bar: &ProgressBar, phase: &'static str, done: u64, total: Option<u64>) {
    bar.set_message(phase);
    match total {
        Some(total) => bar.set_length(total.max(done)),
        None => bar.unset_length(),
    }
    bar.set_position(done);
}

fn style(counter: &str) -> ProgressStyle {
    let bar = if counter.is_empty() { "" } else { "{bar:24} " };
    ProgressStyle::with_template(&format!(
        "{{spinner}} {{prefix}} {{msg}} {bar}{counter} ({{elapsed}})"
    ))
    .expect("the template is a constant that a test has drawn")
    .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::{Progress, counted, step};

    #[test]
    fn lines_say_how_far_it_is() {
        let packages = Progress::Packages {
            phase: "install",
            done: 12,
            total: Some(69),
        };
        assert_eq!(step(&packages), "phase=install packages=12/69");
        assert_eq!(step(&Progress::Phase("image")), "phase=image");
        assert_eq!(counted("bytes", 5, None), "bytes=5");
    }

    #[test]
    fn a_warning_has_our_colour_and_no_other() {
        let line = super::warning("bad\x1b[31m name");
        assert!(line.starts_with("\x1b["), "{line:?}");
        assert!(line.ends_with(" bad\\u{1b}[31m name"), "{line:?}");
        let plain = anstream::adapter::strip_str(&line).to_string();
        assert_eq!(plain, "warning: bad\\u{1b}[31m name");
    }

    #[test]
    fn templates_are_sound() {
        for counter in [
            "",
            "{bytes}/{total_bytes} {bytes_per_sec}",
            "{bytes} {bytes_per_sec}",
            "{pos}/{len} packages",
        ] {
            let _ = super::style(counter);
        }
    }
}
