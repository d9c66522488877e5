//! The *task* of a demonstration, and its expected output.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operations::vm::RunResult;
use crate::output::is_false;

/// The environment of the task.
pub(super) const ENVIRONMENT: &str = "debian:12";

/// The command that the model is asked to run; its output has the expected text on a line of its
/// own. It clones a repository inside the guest, so that no network is needed.
pub(super) const COMMAND: &str = "cd /tmp && git init -q first && git clone -q first second && \
                                  git -C second rev-parse --is-inside-work-tree";
pub(super) const EXPECTED: &str = "true";

/// What a model had run.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ModelRun {
    /// The model.
    pub model: String,
    /// How many replies it gave.
    pub rounds: u32,
    /// How many calls of tools it asked for.
    pub tool_calls: u32,
    /// Always false: nothing is run in the model's place.
    pub fallback_used: bool,
    /// Present if it called a tool in vain at least once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub corrected: bool,
    /// What came of the last command.
    #[serde(flatten)]
    pub result: RunResult,
}
