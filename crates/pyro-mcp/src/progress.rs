//! The *progress* of a call for its client: the latest line, at intervals.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyro_engine::{Event, Listener, Progress};
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::{Peer, RoleServer};
use tokio::sync::watch;

/// The shortest time between two notifications.
const INTERVAL: Duration = Duration::from_millis(250);
/// The longest: a client without notifications may give up.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The events of a running call.
#[derive(Clone, Debug)]
pub(crate) struct CallProgress {
    begun: Instant,
    latest: watch::Sender<String>,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl CallProgress {
    /// Begins with the name of the operation as its line.
    pub(crate) fn new(operation: &str) -> Self {
        Self {
            begun: Instant::now(),
            latest: watch::Sender::new(operation.to_owned()),
            warnings: Arc::default(),
        }
    }

    /// Returns the listener for the operation.
    pub(crate) fn listener(&self) -> Listener {
        let progress = self.clone();
        Listener::new(move |event| {
            if let Event::Warning(text) = &event {
                progress.warnings().push(text.clone());
            }
            if let Some(line) = line(&event) {
                progress.latest.send_replace(line);
            }
        })
    }

    /// The warnings so far.
    pub(crate) fn warnings(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notifies a client. The value of its progress is the number of seconds passed: only that
    /// always grows, and there is no known total.
    pub(crate) async fn notify(
        &self,
        client: &Peer<RoleServer>,
        token: Option<ProgressToken>,
    ) -> Infallible {
        let Some(token) = token else {
            return std::future::pending().await;
        };
        let mut latest = self.latest.subscribe();
        latest.mark_changed();
        loop {
            // Without a new line, the last one is sent again.
            let _ = tokio::time::timeout(HEARTBEAT, latest.changed()).await;
            let message = latest.borrow_and_update().clone();
            let progress = self.begun.elapsed().as_secs_f64();
            let notification =
                ProgressNotificationParam::new(token.clone(), progress).with_message(message);
            if client.notify_progress(notification).await.is_err() {
                return std::future::pending().await;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Passes every line to `show`.
    pub(crate) async fn each(&self, show: impl Fn(String)) -> Infallible {
        let mut latest = self.latest.subscribe();
        latest.mark_changed();
        while latest.changed().await.is_ok() {
            show(latest.borrow_and_update().clone());
        }
        std::future::pending().await
    }
}

fn line(event: &Event) -> Option<String> {
    match event {
        Event::Phase {
            operation,
            phase,
            subject: (name, value),
        } => Some(format!("{operation}: {phase} {name} {value}")),
        Event::Building {
            environment,
            progress,
        } => Some(format!("building {environment}: {}", building(progress))),
        Event::Transfer { what, bytes, total } => Some(counted(what, *bytes, *total, "bytes")),
        Event::Notice(text) | Event::Warning(text) => Some(text.clone()),
        // Reported in other ways, or only by operations that are no tools.
        Event::Timing { .. } | Event::Started { .. } | Event::Step { .. } | Event::Talk(_) => None,
    }
}

fn building(progress: &Progress) -> String {
    match *progress {
        Progress::Phase(phase) => phase.to_owned(),
        Progress::Bytes { phase, done, total } => counted(phase, done, total, "bytes"),
        Progress::Packages { phase, done, total } => counted(phase, done, total, "packages"),
        Progress::Notice(ref text) => text.clone(),
    }
}

fn counted(what: &str, done: u64, total: Option<u64>, unit: &str) -> String {
    match total {
        Some(total) => format!("{what} {done} of {total} {unit}"),
        None => format!("{what} {done} {unit}"),
    }
}
