//! The supervisor of a machine that has just started has it rehearse what its user may do first.

use std::time::Duration;

use pyro_machine::SupervisedMachine;

use super::power::Power;

/// Whoever made the workspace for a command has it first.
const HEAD_START: Duration = Duration::from_millis(50);

/// Rehearses, a step whenever nobody uses the machine. It is nobody's use itself, and no command
/// of the history. If it fails, what comes first is slow.
pub(super) async fn warm_up(machine: &SupervisedMachine, power: &Power) {
    tokio::time::sleep(HEAD_START).await;
    power.unused().await;
    let unpacked = machine.warm_up_unpacking().await;
    power.unused().await;
    let ran = machine.warm_up_command().await;
    // Every command is followed by one, which the next would have to wait for.
    power.unused().await;
    let flushed = machine.flush().await;
    tracing::debug!(?unpacked, ?ran, ?flushed, "rehearsed");
}
