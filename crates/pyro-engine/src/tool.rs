//! A *tool* is an operation in the form in which language models get it, over MCP or in a
//! demonstration.

use serde_json::{Map, Value};

use crate::hints::Hints;
use crate::operation::Entry;
use crate::permissions::HOST_COMPAT;

/// Returns an operation's description for a model, without features for which the model has no
/// permission.
pub fn description(hints: &Hints, entry: &Entry, host_compat: bool) -> String {
    let all = entry.description();
    let paragraphs = all.split("\n\n");
    let told: Vec<&str> = paragraphs
        .filter(|paragraph| host_compat || !paragraph.contains(HOST_COMPAT))
        .collect();
    in_operations(hints, &told.join("\n\n"))
}

/// Rewrites commands and options in a text as operations and properties.
fn in_operations(hints: &Hints, text: &str) -> String {
    hints.for_operations(text, |name| Some(name.to_owned()))
}

/// The schema of an operation's request for a model, without what it has no permission for, and without
/// these properties.
pub fn input(
    hints: &Hints,
    entry: &Entry,
    host_compat: bool,
    without: &[&str],
) -> Map<String, Value> {
    let forbidden = (!host_compat).then_some(HOST_COMPAT);
    let without: Vec<&str> = without.iter().copied().chain(forbidden).collect();
    portable(hints, entry.input_without(&without))
}

/// Returns a schema without keywords that some clients do not support or that the client gets
/// elsewhere.
pub fn portable(hints: &Hints, mut schema: Value) -> Map<String, Value> {
    if let Some(Value::Object(definitions)) = schema.as_object_mut().and_then(|s| s.remove("$defs"))
    {
        inline(&mut schema, &definitions);
    }
    simplify(hints, &mut schema);
    let mut schema = match schema {
        Value::Object(schema) => schema,
        // `true` or `false`, which no struct has as its schema.
        _ => Map::new(),
    };
    for told_elsewhere in ["$schema", "title", "description"] {
        schema.remove(told_elsewhere);
    }
    // An object without properties must declare that it has none.
    schema
        .entry("properties")
        .or_insert_with(|| Map::new().into());
    schema
}

/// Replaces references by their definitions, because not every reader follows references. Requests
/// and responses are not recursive, so this ends.
fn inline(schema: &mut Value, definitions: &Map<String, Value>) {
    match schema {
        Value::Object(object) => {
            let reference = object.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|reference| reference.strip_prefix("#/$defs/"));
            let definition = name.and_then(|name| definitions.get(name));
            if let Some(Value::Object(definition)) = definition {
                object.remove("$ref");
                for (key, value) in definition {
                    // The description at the place of use takes precedence over that of the type.
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

/// Rewrites keywords that strict clients refuse: formats of numbers, such as `uint32`, which JSON
/// Schema does not define, lists of types, and descriptions that use commands and options.
fn simplify(hints: &Hints, schema: &mut Value) {
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
            if let Some(Value::String(description)) = object.get_mut("description") {
                *description = in_operations(hints, description);
            }
            let values = object.values_mut();
            values.for_each(|value| simplify(hints, value));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| simplify(hints, value)),
        _ => {}
    }
}

/// Writes `anyOf` where a schema has several types: each type gets its own schema, with the limits
/// that apply to it.
fn split_types(schema: &mut Map<String, Value>) {
    let about_the_whole = ["description", "default", "title"];
    let (whole, rest): (Map<String, Value>, Map<String, Value>) = std::mem::take(schema)
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
    use crate::operations::HINTS;

    #[test]
    fn definitions_are_put_where_they_are_referred_to() {
        let schema = portable(
            &HINTS,
            json!({
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/A", "description": "here"}},
                "$defs": {
                    "A": {"type": "array", "items": {"$ref": "#/$defs/B"}, "description": "there"},
                    "B": {"type": "integer", "format": "uint8"},
                },
            }),
        );
        let expected = json!({
            "type": "object",
            "properties": {
                "a": {"type": "array", "items": {"type": "integer"}, "description": "here"},
            },
        });
        assert_eq!(Value::Object(schema), expected);
    }

    /// Models have no command line.
    #[test]
    fn nothing_is_said_of_options_and_commands() {
        for entry in crate::operations::OPERATIONS {
            // It is not a tool, and describes the program.
            if entry.name.starts_with("demo") {
                continue;
            }
            let output = portable(&HINTS, (entry.output_schema)().to_value());
            let told = format!(
                "{} {} {}",
                description(&HINTS, entry, true),
                Value::Object(input(&HINTS, entry, true, &[])),
                Value::Object(output)
            );
            let own_options = told
                .replace("--require-isolation", "")
                .replace("git --version", "");
            for foreign in ["--", "`vm ", "`workspace ", "`env ", "`pyro "] {
                assert!(!own_options.contains(foreign), "{}: {told}", entry.name);
            }
        }
    }

    #[test]
    fn schemas_are_simplified() {
        let mut schema = json!({
            "a": {"type": ["integer", "null"], "format": "uint64", "minimum": 0, "default": null},
            "b": {"type": "string", "format": "uri"},
        });
        simplify(&HINTS, &mut schema);
        let expected = json!({
            "a": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "default": null},
            "b": {"type": "string", "format": "uri"},
        });
        assert_eq!(schema, expected);
    }
}
