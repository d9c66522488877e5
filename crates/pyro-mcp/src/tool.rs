//! A *tool* is how a client sees an operation: its definition says in the protocol's words what
//! the table says.

use std::sync::Arc;

use pyro_engine::HOST_COMPAT;
use pyro_engine::operation::{Effect, Entry};
use rmcp::model::{JsonObject, ToolAnnotations};
use serde_json::Value;

use crate::Profile;

/// An operation, and what clients are told about it.
#[derive(Clone, Debug)]
pub struct Tool {
    /// What a call of it does.
    pub operation: &'static Entry,
    /// How clients see it.
    pub definition: rmcp::model::Tool,
}

impl Tool {
    /// The tool of an operation, for clients who may or may not have commands run on the host.
    pub fn new(operation: &'static Entry, host_compat: bool) -> Self {
        Self {
            operation,
            definition: definition(operation, host_compat),
        }
    }
}

/// The definitions of a profile's tools, as a client gets them unless the operator says otherwise.
pub fn definitions(profile: Profile) -> Vec<Value> {
    let operations = profile.operations().into_iter();
    let tools = operations.map(|operation| definition(operation, false));
    tools.map(|tool| serde_json::json!(tool)).collect()
}

/// What a client is told about an operation. Of what it may not have it is not told.
fn definition(entry: &'static Entry, host_compat: bool) -> rmcp::model::Tool {
    let description = description(entry, host_compat);
    let mut input = (entry.input_schema)().to_value();
    if !host_compat && let Some(properties) = input["properties"].as_object_mut() {
        properties.remove(HOST_COMPAT);
    }
    // The first paragraph of a doc comment is a headline.
    let title = description.split("\n\n").next().unwrap_or_default();
    let annotations = ToolAnnotations::new()
        .read_only(entry.effect == Effect::ReadOnly)
        // On the host a command can remove anything, and the hint is about all a tool may do.
        .destructive(entry.effect == Effect::Destructive || (entry.on_host && host_compat))
        .idempotent(entry.idempotent)
        .open_world(entry.open_world);
    rmcp::model::Tool::new(entry.name, description.clone(), portable(input))
        .with_title(title)
        .with_raw_output_schema(portable((entry.output_schema)().to_value()))
        .with_annotations(annotations)
}

/// An operation's description, as it is true for a client of a server.
fn description(entry: &Entry, host_compat: bool) -> String {
    let all = entry.description();
    let paragraphs = all.split("\n\n");
    let mut told: Vec<String> = paragraphs
        .filter(|paragraph| host_compat || !paragraph.contains(HOST_COMPAT))
        .map(str::to_owned)
        .collect();
    if !entry.host_paths.is_empty() {
        told.push(format!(
            "{} names a directory or an archive on the machine of this server, whose files are \
             copied into the guest. It must be in a directory that the server's operator allowed, \
             or in one of the client's roots; a relative path begins in the first root, or where \
             the server was started.",
            entry.host_paths.join(" and ")
        ));
    }
    told.join("\n\n")
}

/// A schema without what not every client understands, or what it is told elsewhere.
fn portable(mut schema: Value) -> Arc<JsonObject> {
    if let Some(Value::Object(definitions)) = schema.as_object_mut().and_then(|s| s.remove("$defs"))
    {
        inline(&mut schema, &definitions);
    }
    simplify(&mut schema);
    let mut schema = match schema {
        Value::Object(schema) => schema,
        // `true` or `false`, which no struct has.
        _ => JsonObject::new(),
    };
    for told_elsewhere in ["$schema", "title", "description"] {
        schema.remove(told_elsewhere);
    }
    // An object without properties must say that it has none.
    schema
        .entry("properties")
        .or_insert_with(|| JsonObject::new().into());
    Arc::new(schema)
}

/// Puts definitions where they are referred to, as not every reader follows references. Requests
/// and responses do not contain themselves, so this comes to an end.
fn inline(schema: &mut Value, definitions: &JsonObject) {
    match schema {
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|reference| reference.strip_prefix("#/$defs/"));
            let definition = name.and_then(|name| definitions.get(name));
            if let Some(Value::Object(definition)) = definition {
                object.remove("$ref");
                for (key, value) in definition {
                    // What the place says about itself is closer than what its type says.
                    object.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
            for value in object.values_mut() {
                inline(value, definitions);
            }
        }
        Value::Array(values) => {
            for value in values {
                inline(value, definitions);
            }
        }
        _ => {}
    }
}

/// Rewrites what strict readers refuse: formats of numbers, such as `uint32`, which JSON Schema
/// does not know, and several types at once.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let number = |name: &Value| name == "integer" || name == "number";
            let is_number = match object.get("type") {
                Some(Value::Array(types)) => types.iter().any(number),
                Some(one) => number(one),
                None => false,
            };
            if is_number {
                object.remove("format");
            }
            if object.get("type").is_some_and(Value::is_array) {
                split_types(object);
            }
            object.values_mut().for_each(simplify);
        }
        Value::Array(values) => values.iter_mut().for_each(simplify),
        _ => {}
    }
}

/// Says `anyOf` where a schema has several types: each has its own, and what limits a value
/// stands beside the type it is about.
fn split_types(schema: &mut JsonObject) {
    let about_the_whole = ["description", "default", "title"];
    let (whole, rest): (JsonObject, JsonObject) = std::mem::take(schema)
        .into_iter()
        .partition(|(key, _)| about_the_whole.contains(&key.as_str()));
    let types = rest.get("type").and_then(Value::as_array);
    let branches = types.into_iter().flatten().map(|name| {
        let mut branch = rest.clone();
        if name == "null" {
            branch.clear();
        }
        branch.insert("type".into(), name.clone());
        Value::Object(branch)
    });
    let branches = branches.collect();
    *schema = whole;
    schema.insert("anyOf".into(), branches);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn definitions_stand_alone() {
        for tool in definitions(Profile::WorkspaceFull) {
            let text = tool.to_string();
            for foreign in ["$ref", "$defs", "$schema", "\"format\"", "nullable"] {
                assert!(!text.contains(foreign), "{} has {foreign}", tool["name"]);
            }
            assert_eq!(tool["inputSchema"]["type"], "object");
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
        let allowed = Tool::new(pyro_engine::operation::find("vm_run").unwrap(), true);
        let annotations = json!(allowed.definition)["annotations"].clone();
        assert_eq!(annotations, expected(false, true, false, true));
        assert_eq!(of("workspace_exec"), expected(false, false, false, true));
    }

    /// Unless the operator allows it, a model does not learn that there is such a thing.
    #[test]
    fn the_host_is_no_ones_to_ask_for() {
        for tool in definitions(Profile::WorkspaceFull) {
            let text = tool.to_string().to_lowercase();
            // Results say where a command ran.
            let input = format!("{}{}", tool["inputSchema"], tool["description"]).to_lowercase();
            assert!(!input.contains("host_compat"), "{text}");
            assert!(!input.contains("isolation"), "{text}");
        }
        for entry in pyro_engine::operation::OPERATIONS {
            let schema = (entry.input_schema)().to_value();
            if schema["properties"].get(HOST_COMPAT).is_some() {
                let tool = json!(Tool::new(entry, true).definition);
                assert!(tool["inputSchema"]["properties"].get(HOST_COMPAT).is_some());
            }
        }
    }

    #[test]
    fn definitions_are_put_where_they_are_referred_to() {
        let schema = portable(json!({
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A", "description": "here"}},
            "$defs": {
                "A": {"type": "array", "items": {"$ref": "#/$defs/B"}, "description": "there"},
                "B": {"type": "integer", "format": "uint8"},
            },
        }));
        let expected = json!({
            "type": "object",
            "properties": {
                "a": {"type": "array", "items": {"type": "integer"}, "description": "here"},
            },
        });
        assert_eq!(Value::Object((*schema).clone()), expected);
    }

    #[test]
    fn schemas_are_simplified() {
        let mut schema = json!({
            "a": {"type": ["integer", "null"], "format": "uint64", "minimum": 0, "default": null},
            "b": {"type": "string", "format": "uri"},
        });
        simplify(&mut schema);
        let expected = json!({
            "a": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "default": null},
            "b": {"type": "string", "format": "uri"},
        });
        assert_eq!(schema, expected);
    }
}
