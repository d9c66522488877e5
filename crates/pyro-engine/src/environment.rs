//! Preparing *environments* for machines.

use std::sync::atomic::{AtomicBool, Ordering};

use pyro_environment::{PullPolicy, Ready};

use crate::{Engine, Error, Event, Listener};

/// Prepares an environment, with events if it has to be built.
pub(crate) async fn ready(
    engine: &Engine,
    listener: &Listener,
    name: &str,
    policy: PullPolicy,
) -> Result<Ready, Error> {
    let announced = AtomicBool::new(false);
    let announce = |phase| listener.phase("pull", phase, ("environment", name));
    let progress = |progress| {
        if !announced.swap(true, Ordering::Relaxed) {
            announce("install");
        }
        listener.report(Event::Building {
            environment: name.to_owned(),
            progress,
        });
    };
    let ready = engine.environments.ready(name, policy, &progress).await?;
    if announced.load(Ordering::Relaxed) {
        announce("ready");
    }
    Ok(ready)
}
