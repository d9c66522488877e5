//! A command that has *finished*.

use pyro_machine::Outcome;

use crate::output::CapturedOutput;

/// How a command ended, and where it ran.
pub(super) struct Finished {
    /// The microVM's id.
    pub(super) vm_id: String,
    pub(super) outcome: Outcome,
    /// What it printed, if there was no other place for it.
    pub(super) printed: [CapturedOutput; 2],
    /// As results name it.
    pub(super) execution_mode: &'static str,
}
