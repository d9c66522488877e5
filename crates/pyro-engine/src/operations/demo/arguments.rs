//! *Arguments* as models write them: what can only mean one thing is taken for it.

use serde_json::{Map, Value};

use crate::operation::Entry;
use crate::tool;

/// Reads what a model wrote as arguments: an object, or one in JSON.
pub(super) fn read(written: &Value) -> Result<Map<String, Value>, String> {
    let wrong = |why: String| {
        Err(format!(
            "the arguments are not an object in JSON: {why}; send one, such as \
             {{\"environment\": \"debian:12\"}}"
        ))
    };
    let parsed = match written {
        Value::Null => return Ok(Map::new()),
        Value::String(text) if text.trim().is_empty() => return Ok(Map::new()),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(parsed) => parsed,
            Err(error) => return wrong(error.to_string()),
        },
        other => other.clone(),
    };
    match parsed {
        Value::Object(arguments) => Ok(arguments),
        other => wrong(format!("this is {}", kind(&other))),
    }
}

/// Has each argument be of the type that its operation wants. What it cannot be said of is named,
/// with what is wanted.
pub(super) fn fit(entry: &Entry, arguments: &mut Map<String, Value>) -> Result<(), String> {
    let schema = tool::input(entry, false);
    let properties = schema.get("properties").and_then(Value::as_object);
    let known = |name: &str| properties.is_some_and(|all| all.contains_key(name));
    // What earlier versions called it.
    if known("environment")
        && !arguments.contains_key("environment")
        && let Some(profile) = arguments.remove("profile")
    {
        arguments.insert("environment".into(), profile);
    }
    // Nothing is what an option has that is not given.
    let required = schema.get("required").and_then(Value::as_array);
    let required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    arguments.retain(|name, value| !value.is_null() || !known(name) || required(name));
    for (name, value) in arguments {
        let Some(property) = properties.and_then(|all| all.get(name)) else {
            continue;
        };
        let wanted = property["type"].as_str().unwrap_or_default();
        let fitting = match wanted {
            "integer" => integer(value),
            "boolean" => boolean(value),
            "string" => value.is_string().then(|| value.clone()),
            _ => Some(value.clone()),
        };
        *value = fitting.ok_or_else(|| {
            let came = kind(value);
            format!("{name} has to be of type {wanted}, and what came is {came}")
        })?;
    }
    Ok(())
}

fn integer(value: &Value) -> Option<Value> {
    let number: i64 = match value {
        Value::String(text) => text.trim().parse().ok()?,
        Value::Number(number) => match number.as_i64() {
            Some(number) => number,
            None => whole(number.as_f64()?)?,
        },
        _ => return None,
    };
    Some(number.into())
}

/// The number that `30.0` is.
fn whole(number: f64) -> Option<i64> {
    // Beyond that, not every number is one.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is whole and small enough"
    )]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

fn boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true.into()),
            "false" | "no" | "off" | "0" => Some(false.into()),
            _ => None,
        },
        _ => None,
    }
}

/// What a value is, in a few words.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(text) => format!("the string {:?}", pyro_text::line(text)),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fitted(name: &str, arguments: &Value) -> Result<Value, String> {
        let entry = crate::operation::find(name).unwrap();
        let mut arguments = read(arguments)?;
        fit(entry, &mut arguments).map(|()| Value::Object(arguments))
    }

    #[test]
    fn what_can_only_mean_one_thing_is_taken_for_it() {
        for (written, meant) in [
            (
                json!("{\"timeout_seconds\": \"30\"}"),
                json!({"timeout_seconds": 30}),
            ),
            (
                json!({"timeout_seconds": 30.0}),
                json!({"timeout_seconds": 30}),
            ),
            (
                json!({"network": "Yes", "mem_mib": null}),
                json!({"network": true}),
            ),
            (json!({"network": "0"}), json!({"network": false})),
            (
                json!({"profile": "debian:12"}),
                json!({"environment": "debian:12"}),
            ),
            (json!({"other": null}), json!({"other": null})),
            (json!(""), json!({})),
            (Value::Null, json!({})),
        ] {
            assert_eq!(fitted("vm_run", &written), Ok(meant));
        }
    }

    #[test]
    fn what_cannot_is_named_with_what_is_wanted() {
        for (written, words) in [
            (
                json!({"vcpu_count": "many"}),
                ["vcpu_count", "integer", "\"many\""],
            ),
            (
                json!({"vcpu_count": true}),
                ["vcpu_count", "integer", "true"],
            ),
            (json!({"vcpu_count": 1.5}), ["vcpu_count", "integer", "1.5"]),
            (json!({"network": 1}), ["network", "boolean", "number 1"]),
            (
                json!({"environment": null}),
                ["environment", "string", "null"],
            ),
            (json!({"command": ["a"]}), ["command", "string", "array"]),
            (json!("{\"command\": "), ["not an object", "JSON", "EOF"]),
            (json!("[1]"), ["not an object", "an array", "debian:12"]),
        ] {
            let error = fitted("vm_run", &written).unwrap_err();
            for word in words {
                assert!(error.contains(word), "no {word:?} in {error}");
            }
        }
    }
}
