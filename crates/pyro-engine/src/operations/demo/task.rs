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

/// The command that a model ran.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ModelRun {
    /// The model.
    pub model: String,
    /// How many replies it sent.
    pub rounds: u32,
    /// How many tool calls it requested.
    pub tool_calls: u32,
    /// Always false: no command is run in place of the model.
    pub fallback_used: bool,
    /// Present if at least one tool call failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub corrected: bool,
    /// The result of the last command.
    #[serde(flatten)]
    pub result: RunResult,
}
