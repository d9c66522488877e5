//! Preparing *environments* for machines, and making them of what a machine has.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyro_environment::{Process, PullPolicy, Ready};
use pyro_machine::{Answer, Call};
use tokio::io::AsyncWriteExt as _;

use crate::temporary_machine::TemporaryMachine;
use crate::{Engine, Error, Event, Listener};

const PROGRESS_EVERY: Duration = Duration::from_millis(500);

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

/// An environment that was made of the root file system of a machine.
pub(crate) struct Saved {
    pub(crate) digest: String,
    pub(crate) entries: u64,
    /// How many sockets it does not have.
    pub(crate) left_out: u64,
}

/// Makes an environment of the root file system of a machine, and gives it the name. `operation` is
/// what the events are of.
pub(crate) async fn save(
    engine: &Engine,
    listener: &Listener,
    machine: TemporaryMachine,
    operation: &'static str,
    name: &str,
    process: Process,
) -> Result<Saved, Error> {
    // Beside the machine's disk: a guest that sends too much meets the limit on that.
    let path = machine.received();
    let failed = |error: std::io::Error| Error::transfer(&error);
    let mut file = tokio::fs::File::create_new(&path).await.map_err(failed)?;
    let packed = machine.within_limit(machine.read(&Call::PackRoot, &mut file));
    let answer = tokio::select! {
        answer = packed => answer?,
        never = report(operation, &path, listener) => match never {},
    };
    let Answer::Packed {
        entries, left_out, ..
    } = answer
    else {
        return Err(Error::guest_output("a layer", &format!("{answer:?}")));
    };
    file.flush().await.map_err(failed)?;
    let files = machine.end();
    listener.phase(operation, "store", ("environment", name));
    let progress = |progress| {
        listener.report(Event::Building {
            environment: name.to_owned(),
            progress,
        });
    };
    let saved = engine.environments.save(name, path, process, &progress);
    let digest = saved.await?;
    drop(files);
    Ok(Saved {
        digest,
        entries,
        left_out,
    })
}

/// Reports how much of the layer was received.
async fn report(
    operation: &'static str,
    layer: &Path,
    listener: &Listener,
) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(PROGRESS_EVERY).await;
        listener.report(Event::Transfer {
            what: operation,
            bytes: std::fs::metadata(layer).map_or(0, |layer| layer.len()),
            total: None,
        });
    }
}
