//! *Tasks* are calls that take longer than hosts wait: the client asks for their results later. A
//! command of a workspace goes on without the call and the server; every other operation ends with
//! the server.

use std::time::Duration;

use pyro_engine::Error;
use pyro_engine::operation::Entry;
use pyro_engine::operations::find;
use rmcp::RoleServer;
use rmcp::model::{
    CallToolResponse, CreateTaskResult, DetailedTask, ErrorData, TaskPayload, TaskStatus,
};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskExit, TaskOptions};
use serde_json::Value;

use crate::calls::Call;
use crate::output::Part;
use crate::progress::CallProgress;
use crate::server::Server;
use crate::workspace_task::{EXEC, KILL, LOGS, WAIT, WorkspaceTask};

/// How long a task may run: longer than any machine may live.
const LIMIT_MS: u64 = 2 * 60 * 60 * 1000;
/// How long a command may take to go on in the background. One that does not read its input never
/// does.
const HAND_OVER: Duration = Duration::from_secs(2);

impl Server {
    /// Makes a call a task that takes long.
    pub(crate) async fn go_on(
        &self,
        mut call: Call,
        may_outlive: bool,
        progress: CallProgress,
        part: Part,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if may_outlive {
            call.send_to_background();
            if let Ok(result) = tokio::time::timeout(HAND_OVER, call.result()).await {
                let value = result.as_ref().and_then(|result| result.as_ref().ok());
                let task = value.and_then(|value| WorkspaceTask::begun(value, part.limit));
                return match task {
                    Some(task) => {
                        let state = self.state(&task, context).await?;
                        Ok(CallToolResponse::Task(CreateTaskResult::new(state.task)))
                    }
                    None => Ok(self.outcome(result, &progress, part)?.into()),
                };
            }
        }
        Ok(self.as_task(call, progress, part))
    }

    /// Makes a call a task that ends with the server.
    fn as_task(&self, mut call: Call, progress: CallProgress, part: Part) -> CallToolResponse {
        let server = self.clone();
        let options = TaskOptions::new().with_ttl_ms(LIMIT_MS);
        let task = self.tasks.spawn(options, |task| {
            Box::pin(async move {
                tokio::select! {
                    result = call.result() => {
                        return Ok(server.outcome(result, &progress, part)?);
                    }
                    () = task.cancelled() => {}
                    never = progress.each(|line| task.set_status_message(line)) => match never {},
                }
                call.cancel().await;
                Err(TaskExit::Cancelled)
            })
        });
        CallToolResponse::Task(CreateTaskResult::new(task))
    }

    /// The command of a workspace that an id names, if this server has such tasks.
    pub(crate) fn of_workspace(&self, id: &str) -> Option<WorkspaceTask> {
        self.find(EXEC)?;
        WorkspaceTask::find(id)
    }

    /// Returns the state of a command of a workspace, and its result if it has ended.
    pub(crate) async fn state(
        &self,
        task: &WorkspaceTask,
        context: &RequestContext<RoleServer>,
    ) -> Result<DetailedTask, ErrorData> {
        let known = |answer: Result<Value, Error>| {
            answer.map_err(|error| ErrorData::invalid_params(self.text(&error), None))
        };
        let logs = operation(LOGS)?;
        let log = known(self.ask(logs, task.glance(), context).await?)?;
        let entry = &log["entries"][0];
        let started = entry["recorded_at"].as_f64();
        if entry["interrupted"] == "running" {
            let task = task.task(TaskStatus::Working, started);
            return Ok(DetailedTask::new(task, TaskPayload::Working));
        }
        let end = self.ask(operation(WAIT)?, task.request(), context).await?;
        let log = known(self.ask(logs, task.request(), context).await?)?;
        let result = end.map(|end| WorkspaceTask::with_output(end, &log["entries"][0]));
        let part = Part {
            offset: 0,
            limit: task.limit,
        };
        let outcome = self.outcome(Some(result), &CallProgress::new(EXEC), part)?;
        let Ok(Value::Object(result)) = serde_json::to_value(outcome) else {
            return Err(ErrorData::internal_error("a result is no object", None));
        };
        let task = task.task(TaskStatus::Completed, started);
        Ok(DetailedTask::new(task, TaskPayload::Completed { result }))
    }

    /// Kills the command of a workspace.
    pub(crate) async fn kill(
        &self,
        task: &WorkspaceTask,
        context: &RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let answer = self.ask(operation(KILL)?, task.request(), context).await?;
        answer.map_err(|error| ErrorData::invalid_params(self.text(&error), None))?;
        Ok(())
    }
}

fn operation(name: &str) -> Result<&'static Entry, ErrorData> {
    let missing = || ErrorData::internal_error(format!("there is no operation {name}"), None);
    find(name).ok_or_else(missing)
}
