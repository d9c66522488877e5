//! JSON as the command line prints it: sorted keys, two spaces, ASCII only, one newline.

use std::fmt::Write;

use serde_json::Value;

/// Formats `value`. Its keys are already sorted, like those of every [`Value`].
pub(crate) fn pretty(value: &Value) -> String {
    let text = format!("{value:#}\n");
    if text.is_ascii() {
        return text;
    }
    // Outside of strings, JSON is ASCII, so all other characters can be escaped in place.
    let mut escaped = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        if character.is_ascii() {
            escaped.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(escaped, "\\u{unit:04x}").expect("a string takes whatever is written");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_promised_one() {
        let value = serde_json::json!({"b": "gr\u{fc}\u{1f600}\n", "a": [1, {}]});
        let expected =
            "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"gr\\u00fc\\ud83d\\ude00\\n\"\n}\n";
        assert_eq!(pretty(&value), expected);
        assert_eq!(serde_json::from_str::<Value>(expected).unwrap(), value);
    }
}
