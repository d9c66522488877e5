//! *Lenient* reading of requests that models and programs write: an unambiguous value is converted;
//! for any other, the error names the property, the value, and what is expected.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::Error;
use crate::operation::Entry;
use crate::permissions::HOST_COMPAT;
use crate::request::{COMMAND, join_words};

const COMMAND_WANTED: &str = "text, or a list with each word of the command apart";
/// How much of a value an error shows.
const SHOWN_CHARACTERS: usize = 60;

impl Entry {
    /// Fits a request of a model or a program to the operation. Unambiguous values are converted:
    /// `30.0` to a whole number, `null` to the default.
    ///
    /// # Errors
    /// When a value cannot be converted; the error names property, value and expectation.
    pub fn fit(&self, request: Value) -> Result<Value, Error> {
        fit(self, request)
    }

    /// The same for whom the operation does not have these properties.
    ///
    /// # Errors
    /// Also when one of them is given.
    pub fn fit_without(&self, names: &[&str], request: Value) -> Result<Value, Error> {
        fit_without(self, names, request)
    }

    /// The same for a request in JSON.
    ///
    /// # Errors
    /// Also when the text is not JSON.
    pub fn fit_json(&self, request: &str) -> Result<Value, Error> {
        let request = serde_json::from_str(request);
        self.fit(request.map_err(|error| Error::malformed(self.name, &error))?)
    }
}

/// Fits a request to the schema of its operation.
fn fit(entry: &Entry, request: Value) -> Result<Value, Error> {
    fit_without(entry, &[], request)
}

fn fit_without(entry: &Entry, without: &[&str], request: Value) -> Result<Value, Error> {
    let schema = entry.input_without(without);
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let Value::Object(given) = request else {
        let wanted = "an object with the operation's properties";
        return Err(misfit(entry.name, &request, wanted));
    };
    let required = |name: &str| {
        let required = schema["required"].as_array();
        required.is_some_and(|required| required.iter().any(|one| one == name))
    };
    let mut fitted = Map::new();
    for (name, value) in given {
        let Some(property) = properties.get(&name) else {
            return Err(unknown(entry, &name, properties));
        };
        let property = resolved(property, &schema);
        // Such a value stands for the default, if there is one.
        if means_nothing(property, &value) && !required(&name) {
            continue;
        }
        if value.is_null() {
            return Err(absent(&name, "null", property));
        }
        let value = fit_value(&name, property, value)?;
        fitted.insert(name, value);
    }
    let missing = properties
        .keys()
        .find(|name| required(name) && !fitted.contains_key(*name));
    if let Some(name) = missing {
        let property = resolved(&properties[name], &schema);
        return Err(absent(name, "missing", property));
    }
    Ok(Value::Object(fitted))
}

/// Whether a value stands for "none", which forms and models may write as text.
fn means_nothing(property: &Value, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => {
            let text = text.trim().to_lowercase();
            !has_type(property, "string") && matches!(&*text, "" | "null" | "none")
        }
        _ => false,
    }
}

/// The schema itself, or the one that it refers to.
fn resolved<'a>(property: &'a Value, schema: &'a Value) -> &'a Value {
    // A nullable property is one of two alternatives.
    let mut choices = property["anyOf"].as_array().into_iter().flatten();
    let reference = choices.find_map(|choice| choice["$ref"].as_str());
    let reference = reference.or_else(|| property["$ref"].as_str());
    let name = reference.and_then(|reference| reference.strip_prefix("#/$defs/"));
    name.map_or(property, |name| &schema["$defs"][name])
}

fn has_type(property: &Value, name: &str) -> bool {
    match &property["type"] {
        Value::String(one) => one == name,
        Value::Array(several) => several.iter().any(|one| one == name),
        _ => false,
    }
}

fn fit_value(name: &str, property: &Value, value: Value) -> Result<Value, Error> {
    let fitted = match &value {
        Value::Number(number) if has_type(property, "integer") && number.is_i64() => {
            return Ok(value);
        }
        Value::Number(number) if has_type(property, "integer") => whole(number.as_f64()),
        Value::String(_) if has_type(property, "string") && has_type(property, "integer") => {
            return Ok(value);
        }
        Value::String(text) if has_type(property, "integer") => whole(text.trim().parse().ok()),
        Value::Number(_) if has_type(property, "number") => return Ok(value),
        Value::String(text) if has_type(property, "number") => {
            text.trim().parse::<f64>().ok().map(Value::from)
        }
        Value::Number(number) if has_type(property, "boolean") => match number.as_f64() {
            Some(0.0) => Some(false.into()),
            Some(1.0) => Some(true.into()),
            _ => None,
        },
        Value::String(text) if has_type(property, "boolean") => {
            match text.trim().to_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(true.into()),
                "false" | "no" | "off" | "0" => Some(false.into()),
                _ => None,
            }
        }
        Value::Array(words) if name == COMMAND => return command_line(words, &value),
        Value::String(text) if name == COMMAND => {
            return match list_in(text) {
                Some(words) => command_line(&words, &value),
                None => Ok(value),
            };
        }
        // An id without letters may be written as a number.
        Value::Number(id) if name.ends_with("_id") && has_type(property, "string") => {
            id.as_u64().map(|id| id.to_string().into())
        }
        Value::String(text) if has_type(property, "array") && !has_type(property, "string") => {
            let list = list_in(text).unwrap_or_else(|| vec![value.clone()]);
            Some(Value::Array(list))
        }
        Value::Array(items)
            if has_type(property, "array") && property["items"]["type"] == "string" =>
        {
            let texts = items.iter().all(Value::is_string);
            texts.then(|| value.clone())
        }
        Value::Object(entries) if has_type(property, "object") => texts(entries),
        Value::String(text) if has_type(property, "object") => {
            let parsed = serde_json::from_str(text).unwrap_or_default();
            if let Value::Object(entries) = parsed {
                texts(&entries)
            } else {
                None
            }
        }
        Value::String(_) if has_type(property, "string") => return Ok(value),
        Value::Bool(_) if has_type(property, "boolean") => return Ok(value),
        Value::Array(_) if has_type(property, "array") => return Ok(value),
        // The operation itself checks what the schema expresses in other ways.
        _ if property.get("type").is_none() => return Ok(value),
        _ => None,
    };
    fitted.ok_or_else(|| misfit(name, &value, &wanted(name, property)))
}

/// Converts the values of an object to strings; `None` if one of them is ambiguous.
fn texts(entries: &Map<String, Value>) -> Option<Value> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    let texts = entries
        .iter()
        .map(|(name, value)| Some((name.clone(), text(value)?.into())));
    texts.collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// Joins the words of a command into a line. A single word with spaces is refused: it may be a
/// program with spaces in its name, or one with arguments.
fn command_line(words: &[Value], given: &Value) -> Result<Value, Error> {
    let word = |word: &Value| match word {
        Value::String(word) => Some(word.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    };
    let texts: Option<Vec<String>> = words.iter().map(word).collect();
    let texts = texts.unwrap_or_default();
    let words: Vec<&str> = texts.iter().map(String::as_str).collect();
    let line = join_words(&words);
    match *words {
        [] => Err(misfit(COMMAND, given, COMMAND_WANTED)),
        [only] if only != line => Err(misfit(COMMAND, given, COMMAND_WANTED)),
        _ => Ok(line.into()),
    }
}

/// Parses a text that is a list. `[ "a" ]` is a shell command, not a list.
fn list_in(text: &str) -> Option<Vec<Value>> {
    let text = text.trim();
    let Ok(Value::Array(words)) = serde_json::from_str(text) else {
        return None;
    };
    let is_list = text.starts_with("[\"") || words.len() > 1;
    (is_list && words.iter().all(Value::is_string)).then_some(words)
}

/// A whole number that `f64` represents exactly.
fn whole(number: Option<f64>) -> Option<Value> {
    /// From here on `f64` does not represent every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = number.filter(|number| number.fract() == 0.0 && number.abs() < EXACT)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and in range")]
    Some((number as i64).into())
}

/// The expected type and range of a property, for error messages.
fn wanted(name: &str, property: &Value) -> String {
    let mut wanted = String::new();
    if name == COMMAND {
        wanted.push_str(COMMAND_WANTED);
    } else if has_type(property, "integer") && has_type(property, "string") {
        wanted.push_str("text, or a whole number");
    } else if has_type(property, "integer") {
        wanted.push_str("a whole number");
        let limit = |name: &str| property.get(name).and_then(Value::as_i64);
        match (limit("minimum"), limit("maximum")) {
            (Some(least), Some(most)) => drop(write!(wanted, " from {least} to {most}")),
            (Some(least), None) => drop(write!(wanted, ", {least} or more")),
            (None, _) => {}
        }
    } else if has_type(property, "number") {
        wanted.push_str("a number");
    } else if has_type(property, "boolean") {
        wanted.push_str("true or false");
    } else if has_type(property, "array") {
        wanted.push_str("a list of texts");
    } else if has_type(property, "object") {
        wanted.push_str("an object whose values are texts");
    } else {
        wanted.push_str("text");
    }
    wanted
}

fn misfit(name: &str, value: &Value, wanted: &str) -> Error {
    let text = value.to_string();
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('\u{2026}');
    }
    let shown = pyro_text::line(&shown);
    Error::invalid(format!("{name} is {shown}; it must be {wanted}"))
}

/// The error for a missing property that is required.
fn absent(name: &str, how: &str, property: &Value) -> Error {
    let wanted = wanted(name, property);
    let message = format!("{name} is {how}; it must be {wanted}");
    if name == COMMAND {
        // The same error as for a missing command of the command line.
        return Error::no_command(message);
    }
    Error::invalid(message)
}

fn unknown(entry: &Entry, name: &str, properties: &Map<String, Value>) -> Error {
    // An error must not suggest this property.
    let names = properties.keys().map(String::as_str);
    let names: Vec<&str> = names.filter(|name| *name != HOST_COMPAT).collect();
    let takes = if names.is_empty() {
        "it takes none".to_owned()
    } else {
        format!("it takes {}", names.join(", "))
    };
    let name = pyro_text::line(&name.chars().take(SHOWN_CHARACTERS).collect::<String>());
    Error::invalid(format!("{} takes no '{name}'; {takes}", entry.name))
}

#[cfg(test)]
#[path = "lenient_tests.rs"]
mod tests;
