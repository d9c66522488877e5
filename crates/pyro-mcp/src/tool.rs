//! A *tool* is an operation as a client sees it: its definition expresses the table's line in the
//! protocol's terms.

use std::fmt::Write;
use std::sync::Arc;

use pyro_engine::operation::{Effect, Entry};
use pyro_engine::operations::HINTS;
use pyro_engine::tool::{self, input, portable};
use rmcp::model::ToolAnnotations;
use serde_json::{Value, json};

use crate::{Profile, output_limit};

/// The key of the warnings in a structured result. Some operations have `warnings` of their own.
pub(crate) const WARNINGS: &str = "messages";

/// An operation, and its definition for clients.
#[derive(Clone, Debug)]
pub struct Tool {
    /// The operation that a call runs.
    pub operation: &'static Entry,
    /// The operation's properties that the tool does not have.
    pub(crate) without: &'static [&'static str],
    /// The definition that clients receive.
    pub definition: rmcp::model::Tool,
}

impl Tool {
    /// Returns an operation's tool; with `host_compat`, clients may run commands on the host.
    pub fn new(operation: &'static Entry, host_compat: bool) -> Self {
        Self::without(&[], operation, host_compat)
    }

    /// The same, as it is in a profile.
    pub(crate) fn of(profile: Profile, operation: &'static Entry, host_compat: bool) -> Self {
        Self::without(profile.left_out(operation), operation, host_compat)
    }

    fn without(
        names: &'static [&'static str],
        operation: &'static Entry,
        host_compat: bool,
    ) -> Self {
        Self {
            operation,
            without: names,
            definition: definition(operation, host_compat, names),
        }
    }
}

/// Returns the definitions of a profile's tools, as clients get them by default.
pub fn definitions(profile: Profile) -> Vec<Value> {
    let operations = profile.operations().into_iter();
    let tools = operations.map(|operation| Tool::of(profile, operation, false));
    tools.map(|tool| json!(tool.definition)).collect()
}

/// Returns the definition of a tool, without what the client has no permission for, and without these
/// properties.
fn definition(entry: &'static Entry, host_compat: bool, without: &[&str]) -> rmcp::model::Tool {
    let description = description(entry, host_compat);
    // The first paragraph of a doc comment is a headline.
    let title = description.split("\n\n").next().unwrap_or_default();
    let annotations = ToolAnnotations::new()
        .read_only(entry.effect == Effect::ReadOnly)
        // A command on the host can remove anything, and the hint is about the worst a tool may do.
        .destructive(entry.effect == Effect::Destructive || (entry.on_host && host_compat))
        .idempotent(entry.idempotent)
        .open_world(entry.open_world);
    let mut input = input(&HINTS, entry, host_compat, without);
    let mut output = portable(&HINTS, (entry.output_schema)().to_value());
    if let Some(Value::Object(properties)) = output.get_mut("properties") {
        properties.insert(WARNINGS.to_owned(), warnings());
    }
    output_limit::add(&mut input, &output);
    rmcp::model::Tool::new(entry.name, description.clone(), Arc::new(input))
        .with_title(title)
        .with_raw_output_schema(Arc::new(output))
        .with_annotations(annotations)
}

/// The schema of the warnings of a call.
fn warnings() -> Value {
    json!({
        "type": "array",
        "items": {"type": "string"},
        "description": "What should be known about this result, if anything",
    })
}

/// Returns an operation's description, adapted to clients of a server.
fn description(entry: &Entry, host_compat: bool) -> String {
    let mut told = tool::description(&HINTS, entry, host_compat);
    if !entry.host_paths.is_empty() {
        let _ = write!(
            told,
            "\n\n{} the machine of this server, in a directory that the server's operator allowed \
             or in one of the client's roots. A relative path begins in the client's root if it has \
             one only, else where the server was started, or in the first directory that its \
             operator named. `~` is the home directory of the server's user.",
            match entry.host_paths {
                [one] => format!("{one} is a path on"),
                several => format!("{} are paths on", several.join(" and ")),
            }
        );
    }
    told
}

#[cfg(test)]
mod tests {
    use pyro_engine::HOST_COMPAT;

    use super::*;

    #[test]
    fn definitions_stand_alone() {
        for tool in definitions(Profile::WorkspaceFull) {
            let text = tool.to_string();
            for foreign in ["$ref", "$defs", "$schema", "\"format\"", "nullable"] {
                assert!(!text.contains(foreign), "{} has {foreign}", tool["name"]);
            }
            assert_eq!(tool["inputSchema"]["type"], "object");
            assert!(tool["inputSchema"]["properties"].is_object(), "{text}");
            assert_eq!(tool["inputSchema"]["additionalProperties"], false);
            assert_eq!(tool["outputSchema"]["type"], "object");
            let title = tool["title"].as_str().unwrap();
            assert!((1..=80).contains(&title.len()), "{title}");
        }
    }

    #[test]
    fn effects_are_annotated() {
        let tools = definitions(Profile::WorkspaceFull);
        let of = |name: &str| {
            let tool = tools.iter().find(|tool| tool["name"] == name);
            tool.unwrap()["annotations"].clone()
        };
        let expected = |read_only, destructive, idempotent, open_world| {
            json!({
                "readOnlyHint": read_only,
                "destructiveHint": destructive,
                "idempotentHint": idempotent,
                "openWorldHint": open_world,
            })
        };
        assert_eq!(
            of("vm_list_environments"),
            expected(true, false, true, false)
        );
        assert_eq!(of("env_pull"), expected(false, false, true, true));
        assert_eq!(of("vm_run"), expected(false, false, false, true));
        let allowed = Tool::new(pyro_engine::operations::find("vm_run").unwrap(), true);
        let annotations = json!(allowed.definition)["annotations"].clone();
        assert_eq!(annotations, expected(false, true, false, true));
        assert_eq!(of("workspace_exec"), expected(false, false, false, true));
    }

    /// Without the operator's permission, a model does not learn of running on the host.
    #[test]
    fn the_host_is_no_ones_to_ask_for() {
        for tool in definitions(Profile::WorkspaceFull) {
            let text = tool.to_string().to_lowercase();
            // Results still say where a command ran.
            let input = format!("{}{}", tool["inputSchema"], tool["description"]).to_lowercase();
            assert!(!input.contains("host_compat"), "{text}");
            assert!(!input.contains("isolation"), "{text}");
        }
        for entry in pyro_engine::operations::OPERATIONS {
            let schema = (entry.input_schema)().to_value();
            if schema["properties"].get(HOST_COMPAT).is_some() {
                let tool = json!(Tool::new(entry, true).definition);
                assert!(tool["inputSchema"]["properties"].get(HOST_COMPAT).is_some());
            }
        }
    }
}
