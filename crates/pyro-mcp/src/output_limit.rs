//! The *output limit* is a property of tools whose results have output of commands: it says how much
//! of each stream the model gets. It belongs to the tool, not to the operation.

use std::ops::RangeInclusive;

use pyro_engine::Error;
use rmcp::model::JsonObject;
use serde_json::{Value, json};

use crate::log::STREAMS;

/// The property.
pub(crate) const NAME: &str = "max_output_bytes";
/// Some five thousand tokens: hosts put larger results aside, and their models see a part of them.
const DEFAULT_BYTES: usize = 16 * 1024;
/// Below this, the line that says what is left out would be longer than what is shown.
const LEAST_BYTES: usize = 256;
const MOST_BYTES: usize = 1024 * 1024;
/// What it may be.
pub(crate) const LIMITS: RangeInclusive<usize> = LEAST_BYTES..=MOST_BYTES;

/// Adds the property to the input of a tool, if its results have output.
pub(crate) fn add(input: &mut JsonObject, output: &JsonObject) {
    if !object_has_streams(output) {
        return;
    }
    let property = json!({
        "type": "integer",
        "minimum": LEAST_BYTES,
        "maximum": MOST_BYTES,
        "default": DEFAULT_BYTES,
        "description": "Most bytes to return of each output stream. Of longer output the beginning and \
                        the end are returned, with a line in between that says how to get the rest",
    });
    if let Some(Value::Object(properties)) = input.get_mut("properties") {
        properties.insert(NAME.to_owned(), property);
    }
}

/// Whether a schema has a property that is a stream.
fn object_has_streams(schema: &JsonObject) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    let has = |name: &&str| properties.is_some_and(|known| known.contains_key(*name));
    STREAMS.iter().any(has) || schema.values().any(has_streams)
}

fn has_streams(schema: &Value) -> bool {
    match schema {
        Value::Object(object) => object_has_streams(object),
        Value::Array(values) => values.iter().any(has_streams),
        _ => false,
    }
}

/// Takes the property out of the arguments of a call to a tool with this input. Numbers may be texts,
/// as for every other property.
///
/// # Errors
/// When it is no number within the limits.
pub(crate) fn take(input: &JsonObject, arguments: &mut Value) -> Result<usize, Error> {
    let is_known = input["properties"].get(NAME).is_some();
    let given = arguments.as_object_mut().filter(|_| is_known);
    let given = given.and_then(|arguments| arguments.remove(NAME));
    let bytes = match &given {
        None | Some(Value::Null) => return Ok(DEFAULT_BYTES),
        Some(Value::String(text)) => text.trim().parse().ok(),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(number) => number
            .as_f64()
            .filter(|number| number.fract() == 0.0 && *number >= 0.0)
            .map(|number| number as usize),
    };
    bytes.filter(|bytes| LIMITS.contains(bytes)).ok_or_else(|| {
        Error::invalid(format!(
            "{NAME} must be a number from {LEAST_BYTES} to {MOST_BYTES}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(output: &Value) -> JsonObject {
        let mut input = JsonObject::new();
        input.insert("properties".into(), json!({}));
        add(&mut input, output.as_object().unwrap());
        input
    }

    #[test]
    fn it_is_where_output_is() {
        let nested = json!({"properties": {"entries": {"items": {"properties": {"stderr": {}}}}}});
        assert!(input(&nested)["properties"].get(NAME).is_some());
        let other = json!({"properties": {"patch": {"type": "string"}}});
        assert_eq!(input(&other)["properties"], json!({}));
    }

    #[test]
    fn what_is_given_is_checked_and_taken_away() {
        let known = input(&json!({"properties": {"stdout": {}}}));
        for (given, expected) in [
            (json!({"a": 1}), Some(DEFAULT_BYTES)),
            (json!({"a": 1, NAME: null}), Some(DEFAULT_BYTES)),
            (json!({"a": 1, NAME: 1000}), Some(1000)),
            (json!({"a": 1, NAME: 1000.0}), Some(1000)),
            (json!({"a": 1, NAME: "1000"}), Some(1000)),
            (json!({"a": 1, NAME: 255}), None),
            (json!({"a": 1, NAME: -1}), None),
            (json!({"a": 1, NAME: 1e9}), None),
            (json!({"a": 1, NAME: 300.5}), None),
            (json!({"a": 1, NAME: []}), None),
        ] {
            let mut arguments = given.clone();
            assert_eq!(take(&known, &mut arguments).ok(), expected, "{given}");
            assert_eq!(arguments, json!({"a": 1}));
        }
        // Other tools refuse it themselves, by its name.
        let mut arguments = json!({NAME: 1000});
        let limit = take(&input(&json!({})), &mut arguments).unwrap();
        assert_eq!((limit, arguments), (DEFAULT_BYTES, json!({NAME: 1000})));
    }
}
