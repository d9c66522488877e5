//! The *warm-up* of a machine that has just started: it does what its user may do first, so that all
//! code that this needs has been translated by then.

use std::time::Duration;

use pyro_machine::SupervisedMachine;

use super::power::Power;

/// A client that made the workspace for a command comes first.
const HEAD_START: Duration = Duration::from_millis(50);

/// Takes one step at a time while no client uses the machine. It does not count as a use, and is not
/// in the history. If it fails, the first push or command is slow.
pub(super) async fn warm_up(machine: &SupervisedMachine, power: &Power) {
    tokio::time::sleep(HEAD_START).await;
    power.unused().await;
    let unpacked = machine.warm_up_unpacking().await;
    power.unused().await;
    let ran = machine.warm_up_command().await;
    // Every command is followed by one, which the next would have to wait for.
    power.unused().await;
    let flushed = machine.flush().await;
    tracing::debug!(?unpacked, ?ran, ?flushed, "warmed up");
}
