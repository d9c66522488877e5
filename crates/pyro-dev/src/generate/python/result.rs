//! The *results*: a `TypedDict` for every object in a response.

use std::collections::BTreeMap;
use std::fmt::Write;

use pyro_engine::operation::Entry;
use serde_json::Value;

use super::docstring::documentation;
use super::name;

/// All classes, by the name of their schema; a second schema of the same name gets another name.
pub(super) struct Results {
    classes: BTreeMap<String, Class>,
}

struct Class {
    schema: Value,
    /// The definitions to which the schema refers.
    root: Value,
}

impl Results {
    pub(super) fn of(operations: &[Entry]) -> Self {
        let mut results = Self {
            classes: BTreeMap::new(),
        };
        for entry in operations {
            let root = (entry.output_schema)().to_value();
            let parts = root["$defs"].as_object().into_iter().flatten();
            for (_, part) in parts.filter(|(_, part)| part["type"] == "object") {
                results.add(entry, part, &root);
            }
            results.add(entry, &root, &root);
        }
        results
    }

    fn add(&mut self, entry: &Entry, schema: &Value, root: &Value) {
        if self.find(schema).is_some() {
            return;
        }
        let mut name = title(schema, root);
        if self.classes.contains_key(&name) {
            let noun = entry.name.split('_').next().unwrap_or_default();
            let (first, rest) = noun.split_at(1);
            name = format!("{}{rest}{name}", first.to_uppercase());
        }
        let class = Class {
            schema: schema.clone(),
            root: root.clone(),
        };
        self.classes.insert(name, class);
    }

    /// The class with these keys.
    fn find(&self, schema: &Value) -> Option<&str> {
        let same = |class: &Class| class.schema["properties"] == schema["properties"];
        let found = self.classes.iter().find(|(_, class)| same(class));
        found.map(|(name, _)| name.as_str())
    }

    /// The class of an object, as other modules write it.
    pub(super) fn class(&self, schema: &Value) -> String {
        let name = self.find(schema).expect("every response's class was added");
        format!("results.{name}")
    }

    /// The type of a property, as other modules write it.
    pub(super) fn annotation(&self, property: &Value, root: &Value) -> String {
        annotation(property, root, &|schema, _| self.class(schema))
    }

    /// The module of all classes.
    pub(super) fn module(&self, header: &str) -> String {
        let mut text = format!(
            "{header}\"\"\"What the operations return: dictionaries with these keys.\"\"\"\n\n\
             from __future__ import annotations\n\nfrom typing import TypedDict\n"
        );
        for (name, class) in &self.classes {
            text.push_str(&self.definition(name, class));
        }
        text
    }

    /// Required keys are in a separate class, because Python 3.10 cannot mark single keys as
    /// required.
    fn definition(&self, name: &str, Class { schema, root }: &Class) -> String {
        let is_required = |key: &str| {
            let required = schema["required"].as_array();
            required.is_some_and(|names| names.iter().any(|name| name == key))
        };
        let properties = schema["properties"].as_object().into_iter().flatten();
        let (always, sometimes): (Vec<_>, Vec<_>) =
            properties.partition(|(key, _)| is_required(key));
        let what = documentation(&name::in_methods(
            schema["description"].as_str().unwrap_or_default(),
        ));
        let keys = |text: &mut String, keys: &[(&String, &Value)]| {
            for (key, property) in keys {
                let annotation = annotation(property, root, &|schema, _| {
                    self.find(schema).unwrap_or("object").to_owned()
                });
                let description = property["description"].as_str().unwrap_or_default();
                let description = name::in_methods(description);
                let _ = write!(
                    text,
                    "\n    {key}: {annotation}\n    \"\"\"{}\"\"\"\n",
                    documentation(&description)
                );
            }
        };
        let mut text = String::new();
        if sometimes.is_empty() {
            let _ = write!(
                text,
                "\n\nclass {name}(TypedDict):\n    \"\"\"{what}\"\"\"\n"
            );
            keys(&mut text, &always);
            return text;
        }
        let _ = write!(
            text,
            "\n\nclass _{name}Always(TypedDict):\n    \"\"\"{what} These keys are always there.\"\"\"\n"
        );
        keys(&mut text, &always);
        let _ = write!(
            text,
            "\n\nclass {name}(_{name}Always, total=False):\n    \"\"\"{what}\"\"\"\n"
        );
        keys(&mut text, &sometimes);
        text
    }
}

/// The type of a value in Python. `class` names that of an object with keys.
pub(super) fn annotation(
    schema: &Value,
    root: &Value,
    class: &dyn Fn(&Value, &Value) -> String,
) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return annotation(&root["$defs"][name], root, class);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let types: Vec<_> = choices
            .iter()
            .map(|choice| annotation(choice, root, class))
            .collect();
        return types.join(" | ");
    }
    let one = |name: &str| match name {
        "string" => "str".to_owned(),
        "integer" => "int".into(),
        "number" => "float".into(),
        "boolean" => "bool".into(),
        "null" => "None".into(),
        "array" => format!("list[{}]", annotation(&schema["items"], root, class)),
        "object" if schema["properties"].is_object() => class(schema, root),
        "object" => {
            let values = &schema["additionalProperties"];
            format!("dict[str, {}]", annotation(values, root, class))
        }
        _ => "object".into(),
    };
    match &schema["type"] {
        Value::String(name) => one(name),
        Value::Array(names) => {
            let types: Vec<_> = names.iter().filter_map(Value::as_str).map(one).collect();
            types.join(" | ")
        }
        _ => "object".into(),
    }
}

/// The name of a schema: its own, or that by which the root refers to it.
fn title(schema: &Value, root: &Value) -> String {
    if let Some(title) = schema["title"].as_str() {
        return title.to_owned();
    }
    let parts = root["$defs"].as_object().into_iter().flatten();
    let mut named = parts.filter(|(_, part)| *part == schema);
    named
        .next()
        .map(|(name, _)| name.clone())
        .unwrap_or_default()
}
