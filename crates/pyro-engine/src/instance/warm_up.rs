//! The *warm-up* of a machine that has just started: it runs what its user is likely to run first,
//! so that the needed code is already translated.

use std::time::Duration;

use pyro_machine::SupervisedMachine;

use super::power::Power;

/// The delay before the warm-up, so that a client that created the workspace for a command can run
/// it first.
const HEAD_START: Duration = Duration::from_millis(50);

/// Takes one step at a time while no client uses the machine. It does not count as a use, and is
/// not in the history. If it fails, the first push or command is slow.
pub(super) async fn warm_up(machine: &SupervisedMachine, power: &Power) {
    tokio::time::sleep(HEAD_START).await;
    power.unused().await;
    let unpacked = machine.warm_up_unpacking().await;
    power.unused().await;
    let ran = machine.warm_up_command().await;
    // A flush follows every command, and the next command would wait for it.
    power.unused().await;
    let flushed = machine.flush().await;
    tracing::debug!(?unpacked, ?ran, ?flushed, "warmed up");
}
