//! The *tools* of a model: a few operations, their descriptions, and the results of calls.

use std::sync::LazyLock;
use std::time::Duration;

use pyro_chat::Call;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::arguments;
use crate::hints::Hints;
use crate::instance::{DeleteOnDrop, InstanceKind};
use crate::operation::Entry;
use crate::operations::vm::RunResult;
use crate::operations::{env, vm};
use crate::{Context, Engine, Error, Event, HostDirectories, Listener, Permissions, Talk, tool};

/// The operations that a model may call.
static OFFERED: &[Entry] = &[
    Entry::of::<vm::Run>(),
    Entry::of::<env::List>(),
    Entry::of::<vm::Create>(),
    Entry::of::<vm::Start>(),
    Entry::of::<vm::Exec>(),
    Entry::of::<vm::Status>(),
];
/// Called at the end, without a request of the model.
static DELETE: Entry = Entry::of::<vm::Delete>();
static START: Entry = Entry::of::<vm::Start>();
static STATUS: Entry = Entry::of::<vm::Status>();
static HINTS: LazyLock<Hints> = LazyLock::new(|| Hints::of(OFFERED));
/// The time limit of one call, independent of the limit that the model sets for its command.
const CALL_LIMIT: Duration = Duration::from_secs(300);
/// The maximum length of a text in a result for the model: half from its beginning, half from its
/// end.
const TEXT_LIMIT_BYTES: usize = 8 * 1024;

/// The tools and the state of their calls.
pub(super) struct Tools<'a> {
    engine: &'a Engine,
    listener: Listener,
    cancel: CancellationToken,
    definitions: Value,
    /// The VMs that were created, the newest last. They are deleted at the end of the conversation.
    created: Vec<(String, DeleteOnDrop)>,
    last_run: Option<RunResult>,
    last_failure: Option<String>,
    /// Whether a command may have run.
    ran: bool,
}

/// The error of a call, as the model receives it.
struct Failure {
    code: String,
    message: String,
    hint: Option<String>,
}

impl Failure {
    fn new(code: &str, message: String) -> Self {
        Self {
            code: code.into(),
            message,
            hint: None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            message: match error.cause {
                Some(cause) => format!("{}: {cause}", error.message),
                None => error.message,
            },
            code: error.code.into_owned(),
            hint: error
                .remedy
                .map(|hint| HINTS.for_operations(&hint, |name| Some(name.to_owned()))),
        }
    }
}

impl<'a> Tools<'a> {
    pub(super) fn new(engine: &'a Engine, context: &Context) -> Self {
        Self {
            engine,
            listener: context.listener.clone(),
            cancel: context.cancel.clone(),
            definitions: OFFERED.iter().map(definition).collect(),
            created: Vec::new(),
            last_run: None,
            last_failure: None,
            ran: false,
        }
    }

    /// The definitions of the tools, as the model receives them.
    pub(super) fn definitions(&self) -> &Value {
        &self.definitions
    }

    /// The last command that ran to its end.
    pub(super) fn last_run(&self) -> Option<&RunResult> {
        self.last_run.as_ref()
    }

    /// The error of the last call that failed.
    pub(super) fn last_failure(&self) -> Option<String> {
        self.last_failure.clone()
    }

    /// Makes a call, and returns the answer for the model.
    pub(super) async fn call(&mut self, call: &Call) -> Value {
        let read = arguments::read(&call.arguments);
        let shown = read
            .clone()
            .map_or_else(|_| call.arguments.clone(), Value::Object);
        let tool = call.name.clone();
        match self.try_call(&call.name, read).await {
            Ok(result) => {
                self.report(Talk::Succeeded { tool });
                bounded(result)
            }
            Err(failure) => self.failed(tool, shown, failure),
        }
    }

    /// Refuses a call beyond the limit.
    pub(super) fn too_many(&mut self, call: &Call, limit: usize) -> Value {
        let message = format!("at most {limit} calls of one reply are made; send it again, alone");
        let failure = Failure::new("too_many_calls", message);
        self.failed(call.name.clone(), call.arguments.clone(), failure)
    }

    fn failed(&mut self, tool: String, arguments: Value, failure: Failure) -> Value {
        self.last_failure = Some(format!(
            "{}: {}",
            pyro_text::line(&tool),
            pyro_text::line(&failure.message)
        ));
        let mut answer = json!({
            "ok": false,
            "tool_name": tool,
            "arguments": arguments,
            "error_type": failure.code,
            "error": failure.message,
        });
        if let Some(hint) = failure.hint {
            answer["hint"] = hint.into();
        }
        self.report(Talk::Failed {
            tool,
            error: failure.message,
            arguments,
        });
        bounded(answer)
    }

    async fn try_call(
        &mut self,
        name: &str,
        read: Result<Map<String, Value>, String>,
    ) -> Result<Value, Failure> {
        let entry = offered(name).ok_or_else(|| {
            let names: Vec<_> = OFFERED.iter().map(|entry| entry.name).collect();
            let message = format!("there is no tool '{name}'; there are {}", names.join(", "));
            Failure::new("unknown_tool", message)
        })?;
        let invalid = |message| Failure::new("invalid_arguments", message);
        let arguments = Value::Object(read.map_err(invalid)?);
        let fitted = entry.fit(arguments);
        let Value::Object(mut arguments) = fitted.map_err(|error| invalid(error.message))? else {
            unreachable!("a request is an object");
        };
        self.resolve(&mut arguments);
        self.report(Talk::Calling {
            tool: name.to_owned(),
            arguments: Value::Object(arguments.clone()),
        });
        let calling = self.make(entry, arguments);
        let Ok(result) = tokio::time::timeout(CALL_LIMIT, calling).await else {
            let seconds = CALL_LIMIT.as_secs();
            let message = format!("it took longer than {seconds} s and was ended");
            return Err(Failure::new("call_timed_out", message));
        };
        Ok(result?)
    }

    /// Models write the name of a parameter where its value belongs.
    fn resolve(&self, arguments: &mut Map<String, Value>) {
        let Some(Value::String(id)) = arguments.get_mut("vm_id") else {
            return;
        };
        if id.trim_start().starts_with('<')
            && let Some((last, _)) = self.created.last()
        {
            id.clone_from(last);
            self.report(Talk::Resolved);
        }
    }

    async fn make(&mut self, entry: &Entry, arguments: Map<String, Value>) -> Result<Value, Error> {
        if entry.name == "vm_exec" {
            self.have_started(&arguments).await?;
        }
        let runs = matches!(entry.name, "vm_run" | "vm_exec");
        self.ran |= runs;
        let result = self.ask(entry, Value::Object(arguments)).await?;
        if runs {
            self.last_run = serde_json::from_value(result.clone()).ok();
        }
        if entry.name == "vm_create"
            && let Some(id) = result["vm_id"].as_str()
            && let Some(object) = self.engine.objects(InstanceKind::Vm).find(id)
        {
            let unfinished = DeleteOnDrop::new(self.engine, object);
            self.created.push((id.to_owned(), unfinished));
        }
        Ok(result)
    }

    /// Starts a VM that the model has created and not started: models forget to do so.
    async fn have_started(&self, arguments: &Map<String, Value>) -> Result<(), Error> {
        let request = json!({"vm_id": arguments.get("vm_id")});
        let status = self.ask(&STATUS, request.clone()).await?;
        if matches!(status["state"].as_str(), Some("created" | "stopped")) {
            self.ask(&START, request).await?;
        }
        Ok(())
    }

    /// Calls an operation without any permission on the host.
    async fn ask(&self, entry: &Entry, request: Value) -> Result<Value, Error> {
        let outer = self.listener.clone();
        let listen = move |event| {
            // The conversation has its own events for these.
            if !matches!(event, Event::Phase { .. } | Event::Started { .. }) {
                outer.report(event);
            }
        };
        let context = Context {
            listener: Listener::new(listen),
            cancel: self.cancel.clone(),
            permissions: Permissions {
                host_compat: false,
                files: Some(HostDirectories::default()),
                pull: false,
                images: Some(Vec::new()),
                public_ports: false,
            },
            ..Context::default()
        };
        self.engine.call(entry, request, context).await
    }

    /// Deletes the VMs that the model did not delete; returns whether a command may have run.
    pub(super) async fn end(self) -> bool {
        for (id, unfinished) in &self.created {
            // If this fails, dropping the VM deletes it without events.
            let _ = self.ask(&DELETE, json!({"vm_id": id})).await;
            tracing::debug!(id, ?unfinished, "a VM of the model's is deleted");
        }
        self.ran
    }

    fn report(&self, talk: Talk) {
        self.listener.report(Event::Talk(talk));
    }
}

fn offered(name: &str) -> Option<&'static Entry> {
    OFFERED.iter().find(|entry| entry.name == name)
}

fn definition(entry: &Entry) -> Value {
    json!({
        "type": "function",
        "function": {
            "name": entry.name,
            "description": tool::description(&HINTS, entry, false),
            "parameters": tool::input(&HINTS, entry, false, &[]),
        },
    })
}

/// Shortens a result for the model: only the beginning and the end of every long text are kept.
fn bounded(mut result: Value) -> Value {
    match &mut result {
        Value::String(text) if text.len() > TEXT_LIMIT_BYTES => *text = ends(text),
        Value::Array(values) => values.iter_mut().for_each(|one| *one = bounded(one.take())),
        Value::Object(object) => object
            .values_mut()
            .for_each(|one| *one = bounded(one.take())),
        _ => {}
    }
    result
}

fn ends(text: &str) -> String {
    let half = TEXT_LIMIT_BYTES / 2;
    let between = |at: &usize| text.is_char_boundary(*at);
    let begin = (0..=half).rev().find(between).unwrap_or(0);
    let end = (text.len() - half..=text.len()).find(between);
    let end = end.unwrap_or(text.len());
    let left_out = end - begin;
    format!(
        "{}\n[pyro: {left_out} bytes are left out here]\n{}",
        &text[..begin],
        &text[end..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_what_the_table_says_without_the_host() {
        let definitions: Vec<Value> = OFFERED.iter().map(definition).collect();
        assert_eq!(definitions.len(), OFFERED.len());
        for definition in &definitions {
            let text = definition.to_string().to_lowercase();
            for foreign in ["host_compat", "isolation", "$ref", "\"format\""] {
                assert!(!text.contains(foreign), "{foreign} in {text}");
            }
            let parameters = &definition["function"]["parameters"];
            assert_eq!(parameters["additionalProperties"], false);
        }
    }

    #[test]
    fn long_texts_keep_both_ends() {
        let text = format!("first{}last", "\u{e4}".repeat(TEXT_LIMIT_BYTES));
        let bounded = bounded(json!({"entries": [{"stdout": text, "stderr": "ok"}]}));
        let entry = &bounded["entries"][0];
        assert_eq!(entry["stderr"], "ok");
        let cut = entry["stdout"].as_str().unwrap();
        assert!(cut.starts_with("first\u{e4}") && cut.ends_with("\u{e4}last"));
        assert!(cut.contains("bytes are left out here"));
        assert!(cut.len() < TEXT_LIMIT_BYTES + 60);
    }
}
