//! A *method*: how Python calls one operation.

use std::fmt::Write;

use pyro_engine::hints::property;
use pyro_engine::operation::Entry;
use serde_json::Value;

use super::docstring::documentation;
use super::name;
use super::result::Results;

/// One method.
pub(super) struct Method {
    name: String,
    operation: &'static str,
    description: String,
    parameters: Vec<Parameter>,
    returns: Returns,
}

struct Returns {
    annotation: String,
    description: String,
    /// The key of the response to return; `None` for the whole response.
    key: Option<&'static str>,
}

struct Parameter {
    name: String,
    annotation: String,
    /// The default as a Python literal; `None` if the parameter is required.
    default: Option<String>,
    positional: bool,
    description: String,
}

impl Parameter {
    /// Its name in Python: a keyword of the language gets an underscore.
    fn argument(&self) -> String {
        let underscore = if self.name == "from" { "_" } else { "" };
        format!("{}{underscore}", self.name)
    }
}

impl Method {
    /// The methods of an operation: one, or two if the contract fixes the parameters of the first.
    pub(super) fn of(entry: &'static Entry, results: &Results) -> Vec<Self> {
        let method = |name: String, only: Option<&[&str]>| Self {
            name,
            operation: entry.name,
            description: name::in_methods(&entry.description()),
            parameters: parameters(entry, only),
            returns: returns(entry, results),
        };
        let first = name::of(entry.name);
        match name::EXACT.iter().find(|(known, ..)| *known == entry.name) {
            None => vec![method(first, None)],
            Some((_, only, full)) => {
                vec![method(first, Some(only)), method((*full).to_owned(), None)]
            }
        }
    }

    /// The method's definition, in a class.
    pub(super) fn text(&self, keyword: &str) -> String {
        let request: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| format!("\"{}\": {}", parameter.name, parameter.argument()))
            .collect();
        let wait = if keyword.is_empty() { "" } else { "await " };
        let call = format!(
            "{wait}self._call(\"{}\", {{{}}})",
            self.operation,
            request.join(", ")
        );
        let value = match self.returns.key {
            Some(key) => format!("({call})[\"{key}\"]"),
            None => call,
        };
        let mut text = self.head(keyword, &self.name, &self.parameters);
        text.push_str(&self.documentation());
        let annotation = &self.returns.annotation;
        let _ = write!(
            text,
            "        response: {annotation} = {value}\n        return response\n"
        );
        text
    }

    /// The definition of the corresponding method of a workspace object; `None` if the operation
    /// does not take a workspace.
    pub(super) fn of_workspace(&self, keyword: &str) -> Option<String> {
        let name = name::of_workspace(self.operation);
        let (id, parameters) = self.parameters.split_first()?;
        if id.name != "workspace_id" {
            return None;
        }
        let mut text = self.head(keyword, &name, parameters);
        let first = self.description.lines().next().unwrap_or_default();
        let _ = writeln!(
            text,
            "        \"\"\"{}: see `Pyro.{}`.\"\"\"",
            documentation(first),
            self.name
        );
        let arguments: Vec<String> = parameters
            .iter()
            .map(|parameter| {
                let argument = parameter.argument();
                if parameter.positional {
                    argument
                } else {
                    format!("{argument}={argument}")
                }
            })
            .collect();
        let wait = if keyword.is_empty() { "" } else { "await " };
        let _ = writeln!(
            text,
            "        return {wait}self._pyro.{}(self.id, {})",
            self.name,
            arguments.join(", ")
        );
        Some(text.replace("(self.id, )", "(self.id)"))
    }

    fn head(&self, keyword: &str, name: &str, parameters: &[Parameter]) -> String {
        let mut text = format!("\n    {keyword}def {name}(self");
        let mut keywords = false;
        for parameter in parameters {
            if !parameter.positional && !keywords {
                text.push_str(", *");
                keywords = true;
            }
            let _ = write!(text, ", {}: {}", parameter.argument(), parameter.annotation);
            if let Some(default) = &parameter.default {
                let _ = write!(text, " = {default}");
            }
        }
        let _ = writeln!(text, ") -> {}:", self.returns.annotation);
        text
    }

    /// Whether it has all parameters of its operation.
    pub(super) fn is_full(&self) -> bool {
        self.name == name::full(self.operation)
    }

    fn documentation(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.description.lines().map(str::to_owned));
        if !self.parameters.is_empty() {
            lines.extend([String::new(), "Args:".into()]);
        }
        for parameter in &self.parameters {
            let mut described = parameter.description.lines();
            lines.push(format!(
                "    {}: {}",
                parameter.argument(),
                described.next().unwrap_or_default()
            ));
            lines.extend(described.map(|line| format!("        {line}")));
        }
        lines.extend([String::new(), "Returns:".into()]);
        let returned = self.returns.description.lines();
        lines.extend(returned.map(|line| format!("    {line}")));
        lines.push(String::new());
        lines.extend(RAISES.map(str::to_owned));
        let mut text = String::from("        \"\"\"");
        for (number, line) in lines.iter().enumerate() {
            let indent = if number == 0 || line.is_empty() {
                ""
            } else {
                "        "
            };
            let _ = writeln!(text, "{indent}{}", documentation(line));
        }
        text.push_str("        \"\"\"\n");
        text
    }
}

const RAISES: [&str; 3] = [
    "Raises:",
    "    PyroValueError: The request cannot be meant, or names what does not exist.",
    "    PyroRuntimeError: The request is sound, but was not carried out.",
];

/// The parameters of an operation: positional ones, then other required ones, then optional ones,
/// each in the order of the struct.
fn parameters(entry: &'static Entry, only: Option<&[&str]>) -> Vec<Parameter> {
    let schema = (entry.input_schema)().to_value();
    let command = (entry.add_arguments)(clap::Command::new(entry.name));
    let mut names = Vec::new();
    for argument in command.get_arguments() {
        let name = property(argument);
        // Several options may set one property.
        if !names.iter().any(|(known, _)| *known == name) {
            names.push((name, name::is_positional(entry, argument)));
        }
    }
    // The command line has no option for some properties.
    let properties = schema["properties"].as_object().into_iter().flatten();
    for (name, _) in properties {
        if !names.iter().any(|(known, _)| known == name) {
            names.push((name.clone(), false));
        }
    }
    let mut parameters: Vec<Parameter> = names
        .into_iter()
        .map(|(name, positional)| parameter(entry, name, positional, &schema))
        .filter(|parameter| only.is_none_or(|only| only.contains(&parameter.name.as_str())))
        .collect();
    parameters.sort_by_key(|parameter| (!parameter.positional, parameter.default.is_some()));
    parameters
}

fn parameter(entry: &Entry, name: String, positional: bool, schema: &Value) -> Parameter {
    let property = &schema["properties"][&name];
    let mut annotation = super::result::annotation(property, schema, &|_, _| unreachable_class());
    if entry.host_paths.contains(&name.as_str()) {
        annotation = annotation.replace("str", "str | os.PathLike[str]");
    }
    // A mutable default would be shared by all calls.
    let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    if property.get("default").is_some_and(is_empty) {
        annotation.push_str(" | None");
    }
    let optional = annotation.ends_with("| None");
    let default = match property.get("default") {
        Some(Value::Bool(value)) => Some(if *value { "True" } else { "False" }.to_owned()),
        Some(value) if !value.is_null() && !is_empty(value) => Some(value.to_string()),
        _ => optional.then(|| "None".to_owned()),
    };
    Parameter {
        positional,
        description: name::in_methods(property["description"].as_str().unwrap_or_default()),
        name,
        annotation,
        default,
    }
}

/// Requests have no nested objects so far.
fn unreachable_class() -> String {
    "dict[str, object]".into()
}

fn returns(entry: &'static Entry, results: &Results) -> Returns {
    let schema = (entry.output_schema)().to_value();
    let unwrapped = name::UNWRAPPED
        .iter()
        .find(|(known, _)| *known == entry.name);
    match unwrapped {
        Some((_, key)) => {
            let property = &schema["properties"][*key];
            Returns {
                annotation: results.annotation(property, &schema),
                description: described(property, property, &schema),
                key: Some(key),
            }
        }
        None => Returns {
            annotation: results.class(&schema),
            description: described(&schema, &schema, &schema),
            key: None,
        },
    }
}

/// The description of a response, with its keys.
fn described(whole: &Value, keyed: &Value, root: &Value) -> String {
    let mut text = whole["description"].as_str().unwrap_or_default().to_owned();
    let keyed = match keyed["items"]["$ref"].as_str() {
        Some(reference) => {
            let name = reference.rsplit('/').next().unwrap_or_default();
            &root["$defs"][name]
        }
        None => keyed,
    };
    for (name, property) in keyed["properties"].as_object().into_iter().flatten() {
        let description = property["description"].as_str().unwrap_or_default();
        let _ = write!(text, "\n    {name}: {description}");
    }
    name::in_methods(&text)
}
