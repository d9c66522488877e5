//! *Output* of commands as a model can take it: of each stream a beginning and an end, and in
//! between how much was left out.

use std::fmt::Write;

use rmcp::model::JsonObject;
use serde_json::Value;

/// The most that is shown of one stream of one command: some twenty thousand tokens.
const LIMIT_BYTES: usize = 64 * 1024;
/// Of that, what is taken from the end, where errors are.
const TAIL_BYTES: usize = LIMIT_BYTES / 2;

const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// Cuts every stream of output in a result to what a model can take. The result still conforms
/// to its schema; `stdout_truncated_from_bytes` and its like say how many bytes there were.
pub(crate) fn bound(result: &mut Value) {
    match result {
        Value::Object(object) => {
            let logged = logged(object);
            for name in STREAMS {
                let Some(Value::String(text)) = object.get_mut(name) else {
                    continue;
                };
                if text.len() <= LIMIT_BYTES {
                    continue;
                }
                let length = text.len();
                let total_key = format!("{name}_truncated_from_bytes");
                let cut = text_within(text, logged.as_deref());
                object.insert(name.into(), cut.into());
                // The engine may have cut it before, and knows better how much there was.
                object.entry(total_key).or_insert_with(|| length.into());
            }
            object.values_mut().for_each(bound);
        }
        Value::Array(values) => values.iter_mut().for_each(bound),
        _ => {}
    }
}

/// Where the whole output of a command is, if it is the result of one that was logged.
fn logged(result: &JsonObject) -> Option<String> {
    let workspace = result.get("workspace_id")?.as_str()?;
    let sequence = result.get("sequence")?.as_u64()?;
    Some(format!(
        "they are in workspace_logs: workspace_id {workspace}, sequence {sequence}"
    ))
}

/// The beginning and the end of a text that is too long.
fn text_within(text: &str, logged: Option<&str>) -> String {
    let between = |at: &usize| text.is_char_boundary(*at);
    let head_end = (0..=LIMIT_BYTES - TAIL_BYTES).rev().find(between);
    let tail_start = (text.len() - TAIL_BYTES..text.len()).find(between);
    let head = &text[..head_end.unwrap_or(0)];
    let tail = &text[tail_start.unwrap_or(text.len())..];
    let left_out = text.len() - head.len() - tail.len();
    let rest = logged.map(|place| format!("; {place}, offset {}", head.len()));
    let mut cut = String::with_capacity(LIMIT_BYTES + 200);
    cut.push_str(head);
    let _ = write!(
        cut,
        "\n[pyro: {left_out} bytes of {} are left out here{}]\n",
        text.len(),
        rest.unwrap_or_default()
    );
    cut.push_str(tail);
    cut
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn short_output_is_left_alone() {
        let result = json!({"stdout": "x".repeat(LIMIT_BYTES), "stderr": "", "exit_code": 0});
        let mut bounded = result.clone();
        bound(&mut bounded);
        assert_eq!(bounded, result);
    }

    #[test]
    fn long_output_keeps_both_ends_wherever_it_is() {
        let text = format!("first{}last", "-".repeat(200_000));
        let mut result = json!({"entries": [{"stdout": text, "stderr": "ok"}]});
        bound(&mut result);
        let entry = &result["entries"][0];
        assert_eq!(entry["stdout_truncated_from_bytes"], 200_009);
        assert_eq!(entry["stderr"], "ok");
        let cut = entry["stdout"].as_str().unwrap();
        assert!(cut.starts_with("first-") && cut.ends_with("-last"));
        assert!(
            cut.contains("[pyro: 134473 bytes of 200009 are left out here]"),
            "{}",
            &cut[LIMIT_BYTES / 2..][..100]
        );
    }

    #[test]
    fn what_is_left_out_of_a_logged_command_can_be_found() {
        let text = "x".repeat(100_000);
        let mut result = json!({"workspace_id": "0123456789ab", "sequence": 7, "stdout": text});
        bound(&mut result);
        let expected = "left out here; they are in workspace_logs: workspace_id 0123456789ab, \
                        sequence 7, offset 32768]";
        assert!(
            result["stdout"].as_str().unwrap().contains(expected),
            "{result}"
        );
    }

    #[test]
    fn the_engines_own_count_stays() {
        let mut result =
            json!({"stdout": "x".repeat(70_000), "stdout_truncated_from_bytes": 5_000_000});
        bound(&mut result);
        assert_eq!(result["stdout_truncated_from_bytes"], 5_000_000);
        assert!(result["stdout"].as_str().unwrap().len() < LIMIT_BYTES + 100);
    }

    proptest! {
        #[test]
        fn no_character_is_torn(unit in "\\PC{1,4}", times in 20_000_usize..40_000) {
            let text = unit.repeat(times);
            prop_assume!(text.len() > LIMIT_BYTES);
            let cut = text_within(&text, None);
            let (head, rest) = cut.split_once("\n[pyro: ").unwrap();
            let (_, tail) = rest.split_once("here]\n").unwrap();
            prop_assert!(text.starts_with(head) && text.ends_with(tail));
            prop_assert!(head.len() + tail.len() <= LIMIT_BYTES);
            prop_assert!(head.len() + tail.len() + 8 >= LIMIT_BYTES);
        }
    }
}
