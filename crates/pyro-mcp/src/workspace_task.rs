//! *Tasks of workspaces*: a command of a workspace that has become a task runs in the background and
//! is kept in the workspace's log. The id of the task names it, so any server can answer for it, also
//! one that was started later.

use std::time::Duration;

use chrono::DateTime;
use pyro_engine::operation::Entry;
use rmcp::model::{Task, TaskStatus};
use rmcp::task_manager::{DEFAULT_POLL_INTERVAL_MS, current_timestamp};
use serde_json::{Value, json};

use crate::output_limit;

const PREFIX: &str = "workspace";

/// The operation whose calls become such tasks, and those that answer for them.
pub(crate) const EXEC: &str = "workspace_exec";
pub(crate) const LOGS: &str = "workspace_logs";
pub(crate) const WAIT: &str = "workspace_wait";
pub(crate) const KILL: &str = "workspace_kill";

/// Whether a call runs a command that may go on without it.
pub(crate) fn may_outlive(operation: &Entry, arguments: &Value) -> bool {
    operation.name == EXEC && arguments["detach"] != true
}

/// A command of a workspace, as a task.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WorkspaceTask {
    workspace_id: String,
    sequence: u64,
    /// The most bytes of each stream in its result.
    pub(crate) limit: usize,
}

impl WorkspaceTask {
    /// The task of a command that goes on, if this is the result of such a call.
    pub(crate) fn begun(result: &Value, limit: usize) -> Option<Self> {
        if result["detached"] != true {
            return None;
        }
        Some(Self {
            workspace_id: result["workspace_id"].as_str()?.to_owned(),
            sequence: result["sequence"].as_u64()?,
            limit,
        })
    }

    /// Finds a task by its id.
    pub(crate) fn find(id: &str) -> Option<Self> {
        let [PREFIX, workspace_id, sequence, limit] = id.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let limit = limit.parse().ok()?;
        Some(Self {
            workspace_id: workspace_id.to_owned(),
            sequence: sequence.parse().ok()?,
            limit: output_limit::LIMITS.contains(&limit).then_some(limit)?,
        })
    }

    /// The id.
    pub(crate) fn id(&self) -> String {
        let Self {
            workspace_id,
            sequence,
            limit,
        } = self;
        format!("{PREFIX}/{workspace_id}/{sequence}/{limit}")
    }

    /// The request for as little as possible of its log.
    pub(crate) fn glance(&self) -> Value {
        json!({"workspace_id": self.workspace_id, "sequence": self.sequence, "limit": 1})
    }

    /// The request for its log, to wait for its end, and to end it.
    pub(crate) fn request(&self) -> Value {
        json!({"workspace_id": self.workspace_id, "sequence": self.sequence})
    }

    /// The task, as clients see it, of a command that was started at this time.
    pub(crate) fn task(&self, status: TaskStatus, started: Option<f64>) -> Task {
        let now = current_timestamp();
        let created = started
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .and_then(|time| DateTime::from_timestamp_micros(time.as_micros().try_into().ok()?))
            .map_or_else(|| now.clone(), |time| time.to_rfc3339());
        let mut task = Task::new(self.id(), status, created, now);
        task.poll_interval_ms = Some(DEFAULT_POLL_INTERVAL_MS);
        task
    }

    /// Adds the output, which is in the log, to the result of the command.
    pub(crate) fn with_output(mut ended: Value, entry: &Value) -> Value {
        if let (Some(ended), Some(entry)) = (ended.as_object_mut(), entry.as_object()) {
            let output = entry.iter().filter(|(key, _)| {
                (key.starts_with("stdout") || key.starts_with("stderr")) && !key.ends_with("_file")
            });
            ended.extend(output.map(|(key, value)| (key.clone(), value.clone())));
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_a_command() {
        let result = json!({"detached": true, "workspace_id": "0123456789ab", "sequence": 7});
        let task = WorkspaceTask::begun(&result, 16 * 1024).unwrap();
        assert_eq!(task.id(), "workspace/0123456789ab/7/16384");
        assert_eq!(WorkspaceTask::find(&task.id()), Some(task));
        for foreign in [
            "",
            "workspace",
            "workspace/0123456789ab/7",
            "workspace/0123456789ab/-7/16384",
            "workspace/0123456789ab/7/16384/",
            "workspace/0123456789ab/7/1",
            "workspace/0123456789ab/7/99999999999",
            "b3c7a1ce-8f6f-4c8e-9b1d-1a2b3c4d5e6f",
        ] {
            assert_eq!(WorkspaceTask::find(foreign), None, "{foreign}");
        }
        let ended = json!({"workspace_id": "0123456789ab", "sequence": 7, "exit_code": 0});
        assert_eq!(WorkspaceTask::begun(&ended, 16 * 1024), None);
    }

    #[test]
    fn the_result_has_the_output_and_no_files_of_the_host() {
        let end = json!({"stdout": "", "stderr": "", "exit_code": 3});
        let entry = json!({
            "stdout": "out",
            "stdout_truncated_from_bytes": 9,
            "stdout_file": "/somewhere",
            "stderr": "err",
            "command": "false",
        });
        let expected = json!({
            "stdout": "out",
            "stdout_truncated_from_bytes": 9,
            "stderr": "err",
            "exit_code": 3,
        });
        assert_eq!(WorkspaceTask::with_output(end, &entry), expected);
    }
}
