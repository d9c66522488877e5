//! The *arguments* that models write: an object, or a JSON text of one.

use serde_json::{Map, Value};

/// Reads arguments that a model wrote.
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
    let Value::Object(mut arguments) = parsed else {
        return wrong(format!("this is {}", pyro_text::line(&parsed.to_string())));
    };
    // The name in earlier versions.
    if !arguments.contains_key("environment")
        && let Some(profile) = arguments.remove("profile")
    {
        arguments.insert("environment".into(), profile);
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_read_however_they_are_written() {
        for (written, meant) in [
            (json!("{\"network\": \"no\"}"), json!({"network": "no"})),
            (json!({"mem_mib": null}), json!({"mem_mib": null})),
            (
                json!({"profile": "debian:12"}),
                json!({"environment": "debian:12"}),
            ),
            (json!(""), json!({})),
            (Value::Null, json!({})),
        ] {
            assert_eq!(read(&written).map(Value::Object), Ok(meant));
        }
        for (written, words) in [
            (json!("{\"command\": "), ["JSON", "EOF"]),
            (json!("[1]"), ["not an object", "[1]"]),
        ] {
            let error = read(&written).unwrap_err();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }
}
