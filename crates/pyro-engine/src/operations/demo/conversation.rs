//! The *conversation* with a model about its task, including its tool calls.

use pyro_chat::{Reply, Server};
use serde_json::{Value, json};

use super::failure;
use super::task::{COMMAND, ENVIRONMENT, EXPECTED, ModelRun};
use super::tools::Tools;
use crate::{Context, Engine, Error, Event, Listener, Talk};

/// The limit on a model's replies.
const ROUNDS: u32 = 12;
/// The limit on the calls of one reply that are carried out.
const CALLS_OF_A_REPLY: usize = 8;

/// The state of a conversation.
pub(super) struct Conversation<'a> {
    server: &'a Server,
    model: &'a str,
    base_url: &'a str,
    stream: bool,
    listener: Listener,
    tools: Tools<'a>,
    messages: Vec<Value>,
    calls: u32,
    /// The last text of the model.
    said: String,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        context: &Context,
        server: &'a Server,
        model: &'a str,
        base_url: &'a str,
        stream: bool,
    ) -> Self {
        Self {
            server,
            model,
            base_url,
            stream,
            listener: context.listener.clone(),
            tools: Tools::new(engine, context),
            messages: Vec::new(),
            calls: 0,
            said: String::new(),
        }
    }

    /// Asks the model, carries out its calls, and asks again, until it calls no tool.
    pub(super) async fn hold(&mut self) -> Result<ModelRun, Error> {
        let model = self.model.to_owned();
        self.report(Talk::Begun { model });
        let task = task();
        self.messages.push(json!({"role": "user", "content": task}));
        self.report(Talk::Input {
            role: "user",
            content: task,
        });
        for round in 1..=ROUNDS {
            let asked = self.server.ask(&self.body()).await;
            let mut reply = asked.map_err(|error| failure::no_reply(error, self.base_url))?;
            self.said = reply.content.clone().unwrap_or_default();
            self.report(Talk::Output {
                content: self.said.clone(),
            });
            if reply.calls.is_empty() {
                self.report(Talk::NoCalls);
                return self.judge(round);
            }
            self.answer(&mut reply).await;
        }
        Err(failure::rounds_exceeded(ROUNDS, self.tools.last_failure()))
    }

    /// Deletes the VMs that the model did not delete; returns whether a command may have run.
    pub(super) async fn end(self) -> bool {
        self.tools.end().await
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "model": self.model,
            "messages": self.messages,
            "tools": self.tools.definitions(),
            "tool_choice": "auto",
            "temperature": 0,
        });
        if self.stream {
            body["stream"] = true.into();
        }
        body
    }

    async fn answer(&mut self, reply: &mut Reply) {
        for call in &mut reply.calls {
            self.calls += 1;
            // Some servers give no id, and the answer needs one.
            if call.id.is_empty() {
                call.id = format!("call_{}", self.calls);
            }
        }
        self.messages.push(reply.message());
        for (number, call) in reply.calls.iter().enumerate() {
            self.report(Talk::Asked {
                tool: call.name.clone(),
                arguments: call.arguments.clone(),
            });
            let result = if number < CALLS_OF_A_REPLY {
                self.tools.call(call).await
            } else {
                self.tools.too_many(call, CALLS_OF_A_REPLY)
            };
            self.messages.push(json!({
                "role": "tool",
                "tool_call_id": call.id,
                "name": call.name,
                "content": result.to_string(),
            }));
            self.report(Talk::Answered {
                tool: call.name.clone(),
                result,
            });
        }
    }

    /// Whether the last command that ran is the requested one, judged by its output.
    fn judge(&self, rounds: u32) -> Result<ModelRun, Error> {
        let Some(result) = self.tools.last_run() else {
            let said = match self.said.trim() {
                "" => None,
                said => Some(format!("the model said: {}", pyro_text::line(said))),
            };
            return Err(failure::nothing_ran(self.tools.last_failure().or(said)));
        };
        if result.exit_code != 0 {
            return Err(failure::command_failed(result));
        }
        if result.printed.stdout.trim() != EXPECTED {
            return Err(failure::not_confirmed(result));
        }
        self.report(Talk::Done);
        Ok(ModelRun {
            model: self.model.to_owned(),
            rounds,
            tool_calls: self.calls,
            fallback_used: false,
            corrected: self.tools.last_failure().is_some(),
            result: result.clone(),
        })
    }

    fn report(&self, talk: Talk) {
        self.listener.report(Event::Talk(talk));
    }
}

/// The task as the model receives it.
fn task() -> String {
    format!(
        "Run this shell command in a virtual machine, with the environment {ENVIRONMENT}, and tell \
         me what it printed:\n\n{COMMAND}\n\nCall the tool vm_run with exactly this command. It \
         works if its exit_code is 0 and it prints {EXPECTED}. Do not call more tools when it did."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command and the text by which success is judged are part of the task.
    #[test]
    fn the_task_has_the_command_and_what_it_is_judged_by() {
        assert!(task().contains(COMMAND) && task().contains(&format!("prints {EXPECTED}.")));
    }
}
