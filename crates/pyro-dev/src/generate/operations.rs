//! The pages of the operations: one to read, one for programs.

use std::fmt::Write;

use pyro_engine::operation::{Effect, Entry};
use pyro_engine::operations::OPERATIONS;
use serde_json::{Value, json};

use super::page::{cell, header};

pub(super) fn page() -> String {
    let mut page = header("Operations", "the table of operations");
    page.push_str(
        "\nEvery frontend offers the same operations: the command line as commands, others under the \
         operation's name.\nThe schemas in full are in [operations.json](operations.json).\n",
    );
    for entry in OPERATIONS {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\nCommand: `pyro {}`. Effect: {}.\n",
            entry.name,
            entry.description(),
            entry.command.join(" "),
            effect(entry)
        );
        let (input, output) = ((entry.input_schema)(), (entry.output_schema)());
        table(&mut page, "Request", input.as_value(), true);
        table(&mut page, "Response", output.as_value(), false);
    }
    page
}

pub(super) fn schemas() -> String {
    let operations: Vec<Value> = OPERATIONS
        .iter()
        .map(|entry| {
            json!({
                "name": entry.name,
                "command": entry.command,
                "effect": effect(entry),
                "description": entry.description(),
                "input_schema": (entry.input_schema)(),
                "output_schema": (entry.output_schema)(),
            })
        })
        .collect();
    format!(
        "{:#}\n",
        json!({"version": pyro_engine::VERSION, "operations": operations})
    )
}

fn effect(entry: &Entry) -> &'static str {
    match entry.effect {
        Effect::ReadOnly => "read-only",
        Effect::Mutating => "mutating",
        Effect::Destructive => "destructive",
    }
}

/// The properties of a schema. Requests state defaults; responses state which keys may be absent.
fn table(page: &mut String, title: &str, schema: &Value, request: bool) {
    let Some(properties) = schema["properties"]
        .as_object()
        .filter(|map| !map.is_empty())
    else {
        let _ = write!(page, "\n{title}: no properties.\n");
        return;
    };
    let last = if request { "default" } else { "present" };
    let _ = write!(
        page,
        "\n{title}:\n\n| property | type | {last} | meaning |\n|---|---|---|---|\n"
    );
    let required = |name: &str| {
        let names = schema["required"].as_array();
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    for (name, property) in properties {
        let third = match (request, required(name)) {
            (true, true) => "required".into(),
            (true, false) => property
                .get("default")
                .filter(|value| !value.is_null())
                .map_or_else(|| "required".into(), |value| format!("`{value}`")),
            (false, true) => "always".into(),
            (false, false) => "if it applies".into(),
        };
        let _ = writeln!(
            page,
            "| `{name}` | {} | {third} | {} |",
            cell(&type_of(property, schema)),
            cell(property["description"].as_str().unwrap_or_default())
        );
    }
}

/// A schema's type in a few words.
fn type_of(schema: &Value, root: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return match &root["$defs"][name] {
            definition if definition["type"] == "object" => name.to_owned(),
            definition => type_of(definition, root),
        };
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let names: Vec<String> = choices.iter().map(|choice| type_of(choice, root)).collect();
        return names.join(" or ");
    }
    let name = |value: &Value| match value.as_str() {
        Some("array") => format!("array of {}", type_of(&schema["items"], root)),
        Some(name) => name.to_owned(),
        None => "any".into(),
    };
    let text = match &schema["type"] {
        Value::Array(types) => types.iter().map(name).collect::<Vec<_>>().join(" or "),
        one => name(one),
    };
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Number(low), Value::Number(high)) => format!("{text}, {low} to {high}"),
        (Value::Number(low), _) if schema["format"].is_null() => format!("{text}, at least {low}"),
        _ => text,
    }
}
