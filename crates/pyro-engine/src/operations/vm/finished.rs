//! A command that has *finished*.

use pyro_machine::Outcome;

use crate::output::CapturedOutput;

/// How a command ended, and where it ran.
pub(super) struct Finished {
    /// The microVM's id.
    pub(super) vm_id: String,
    pub(super) outcome: Outcome,
    /// The output, unless the caller gave streams for it.
    pub(super) printed: [CapturedOutput; 2],
    /// The name of the execution mode in results.
    pub(super) execution_mode: &'static str,
}
