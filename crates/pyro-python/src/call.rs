//! One *call* on the current thread, from its request to its response.

use std::sync::Arc;
use std::time::Duration;

use pyo3::PyResult;
use pyro_engine::operation::Entry;
use pyro_engine::{
    Config, Context, Engine, Error, Event, Listener, OutputStreams, Permissions, operations,
};
use tokio::time::MissedTickBehavior;

use crate::callbacks::{Callbacks, Output};

/// The interval at which the caller is asked whether the call should continue.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long to wait for the threads of a cancelled call. A thread that waits for a slot notices the
/// cancellation only when it gets the slot.
const REST_LIMIT: Duration = Duration::from_millis(500);

/// Runs an operation. The thread must not hold the interpreter.
///
/// # Errors
/// The outer error if the call could not be made, the inner one if the operation failed.
pub(crate) fn run(
    config: &Config,
    entry: &'static Entry,
    request: &str,
    callbacks: &Arc<Callbacks>,
) -> PyResult<Result<String, Error>> {
    let request = match entry.fit_json(request) {
        Ok(request) => request,
        Err(error) => return Ok(Err(error)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(async {
        let engine = Engine::open(config.clone())?;
        let call = engine.call(entry, request, context(callbacks));
        tokio::pin!(call);
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is immediate.
        looks.tick().await;
        loop {
            tokio::select! {
                result = &mut call => return result,
                _ = looks.tick() => callbacks.look(),
            }
        }
    });
    runtime.shutdown_timeout(REST_LIMIT);
    Ok(result.map(|response| response.to_string()))
}

/// Deletes the instance that a call has created, if it was one that creates instances. Errors are
/// ignored: the caller gets another exception.
pub(crate) fn discard(config: &Config, entry: &Entry, response: &str) {
    let Ok(response) = serde_json::from_str(response) else {
        return;
    };
    if let Some((delete, request)) = operations::undo(entry, &response) {
        let callbacks = Callbacks::new(None, None, None);
        let _ = run(config, delete, &request.to_string(), &callbacks);
    }
}

fn context(callbacks: &Arc<Callbacks>) -> Context {
    let listener = Arc::clone(callbacks);
    let listen = move |event| match event {
        Event::Warning(text) => listener.report("warning", &text),
        Event::Notice(text) => listener.report("info", &text),
        Event::Phase { .. }
        | Event::Building { .. }
        | Event::Transfer { .. }
        | Event::Started { .. }
        | Event::Step { .. }
        | Event::Talk(_)
        | Event::Timing { .. } => {}
    };
    let output = |stream| Box::new(Output::new(Arc::clone(callbacks), stream));
    Context {
        listener: Listener::new(listen),
        cancel: callbacks.cancel.clone(),
        // A Python caller has all permissions of the user.
        permissions: Permissions::default(),
        output: callbacks.wants_output().then(|| OutputStreams {
            stdout: output("stdout"),
            stderr: output("stderr"),
        }),
        ..Context::default()
    }
}
