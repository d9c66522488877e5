//! *Output* of commands in a size for models: the beginning and the end of each stream, the amount
//! left out in between, and a link to the whole log.

use rmcp::model::{JsonObject, Resource};
use serde_json::Value;

use crate::log::{Log, STREAMS};

/// Which part of the streams of commands a result has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Where it begins, in bytes.
    pub(crate) offset: u64,
    /// The most bytes of each stream.
    pub(crate) limit: usize,
}

/// Cuts every stream of output in a result to the limit, and returns links to their logs. The
/// result still conforms to its schema; `stdout_truncated_from_bytes` and similar keys contain the
/// original number of bytes. The files of logs on this machine are left out: they are of no use to
/// the client.
pub(crate) fn bound(result: &mut Value, part: Part) -> Vec<Resource> {
    let mut links = Vec::new();
    bound_within(result, part, None, &mut links);
    links
}

fn bound_within(
    result: &mut Value,
    part: Part,
    workspace: Option<&str>,
    links: &mut Vec<Resource>,
) {
    match result {
        Value::Object(object) => {
            let own = object.get("workspace_id").and_then(Value::as_str);
            let workspace = own.or(workspace).map(ToOwned::to_owned);
            for stream in STREAMS {
                let log = logged(object, workspace.as_deref(), stream);
                links.extend(bound_stream(object, stream, part, log));
                object.remove(&format!("{stream}_file"));
            }
            for value in object.values_mut() {
                bound_within(value, part, workspace.as_deref(), links);
            }
        }
        Value::Array(values) => {
            for value in values {
                bound_within(value, part, workspace, links);
            }
        }
        _ => {}
    }
}

/// Returns the log of a stream, if its command ran in a workspace.
fn logged(result: &JsonObject, workspace: Option<&str>, stream: &'static str) -> Option<Log> {
    Some(Log {
        workspace_id: workspace?.to_owned(),
        sequence: result.get("sequence")?.as_u64()?,
        stream,
    })
}

/// Cuts one stream if it is too long.
fn bound_stream(
    result: &mut JsonObject,
    stream: &str,
    part: Part,
    log: Option<Log>,
) -> Option<Resource> {
    let text = result.get(stream)?.as_str()?;
    if text.len() <= part.limit {
        return None;
    }
    let truncated_key = format!("{stream}_truncated_from_bytes");
    let lossy_key = format!("{stream}_lossy_from_bytes");
    let count = |key: &str| result.get(key).and_then(Value::as_u64);
    // The engine may have cut or changed the stream before; its counts take precedence.
    let (truncated, lossy) = (count(&truncated_key), count(&lossy_key));
    let end = part.offset + text.len() as u64;
    let total = truncated.or(lossy).unwrap_or(end);
    let cut = match lossy {
        Some(total) => cut_lossy(text, part.limit, (total, truncated.is_none()), log.as_ref()),
        None => cut(text, part, total, log.as_ref()),
    };
    result.insert(stream.into(), cut.into());
    result.insert(truncated_key, total.into());
    log.map(|log| log.link(total, lossy.is_some()))
}

/// Returns the beginning and the end of a text that is too long. It is a part of a stream of `total`
/// bytes; the end is omitted if the stream continues after the text.
fn cut(text: &str, part: Part, total: u64, log: Option<&Log>) -> String {
    let (head, tail) = ends(text, part.limit, part.offset + text.len() as u64 >= total);
    let next = part.offset + head.len() as u64;
    let left_out = total.saturating_sub(next + tail.len() as u64);
    let rest = log.map(|log| {
        format!(
            "; they are in workspace_logs: workspace_id {}, sequence {}, offset {next}",
            log.workspace_id, log.sequence
        )
    });
    let rest = rest.unwrap_or_default();
    format!("{head}\n[pyro: {left_out} bytes of {total} are left out here{rest}]\n{tail}")
}

/// The same for a text in which bytes were replaced, so that its positions are not those in the
/// stream.
fn cut_lossy(
    text: &str,
    limit: usize,
    (total, ends_here): (u64, bool),
    log: Option<&Log>,
) -> String {
    let (head, tail) = ends(text, limit, ends_here);
    let whole = log.map(|log| {
        format!(
            "; all are in workspace_logs: workspace_id {}, sequence {}",
            log.workspace_id, log.sequence
        )
    });
    let whole = whole.unwrap_or_default();
    format!(
        "{head}\n[pyro: some of {total} bytes, not all of them text, are left out here{whole}]\n{tail}"
    )
}

/// The visible parts of a long text: its beginning, and its end, where errors are, if that is the
/// stream's.
fn ends(text: &str, limit: usize, ends_here: bool) -> (&str, &str) {
    let tail_bytes = if ends_here { limit / 2 } else { 0 };
    let between = |at: &usize| text.is_char_boundary(*at);
    let head_end = (0..=limit - tail_bytes).rev().find(between);
    let tail_start = (text.len() - tail_bytes..=text.len()).find(between);
    let head = &text[..head_end.unwrap_or(0)];
    let tail = &text[tail_start.unwrap_or(text.len())..];
    (head, tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const LIMIT_BYTES: usize = 64 * 1024;

    fn part(offset: u64) -> Part {
        Part {
            offset,
            limit: LIMIT_BYTES,
        }
    }

    #[test]
    fn short_output_is_left_alone() {
        let result = json!({"stdout": "x".repeat(LIMIT_BYTES), "stderr": "", "exit_code": 0});
        let mut bounded = result.clone();
        let links = bound(&mut bounded, part(0));
        assert_eq!(links, []);
        assert_eq!(bounded, result);
    }

    #[test]
    fn long_output_keeps_both_ends_wherever_it_is() {
        let text = format!("first{}last", "-".repeat(200_000));
        let mut result = json!({"entries": [{"stdout": text, "stderr": "ok"}]});
        bound(&mut result, part(0));
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
        let links = bound(&mut result, part(0));
        let expected = "left out here; they are in workspace_logs: workspace_id 0123456789ab, \
                        sequence 7, offset 32768]";
        assert!(
            result["stdout"].as_str().unwrap().contains(expected),
            "{result}"
        );
        assert_eq!(links.len(), 1);
        assert_eq!(links[0].uri, "pyro://workspace/0123456789ab/log/7/stdout");
        assert_eq!(links[0].size, Some(100_000));
    }

    #[test]
    fn a_part_of_a_log_says_where_the_rest_is() {
        let entry = json!({
            "sequence": 7,
            "stdout": "x".repeat(100_000),
            "stdout_truncated_from_bytes": 250_000,
            "stderr": "x".repeat(200_000),
            "stderr_truncated_from_bytes": 250_000,
        });
        let mut result = json!({"workspace_id": "0123456789ab", "entries": [entry]});
        let links = bound(&mut result, part(50_000));
        let entry = &result["entries"][0];
        let place = "they are in workspace_logs: workspace_id 0123456789ab, sequence 7, offset";
        let stdout = entry["stdout"].as_str().unwrap();
        let end = format!("x\n[pyro: 134464 bytes of 250000 are left out here; {place} 115536]\n");
        assert!(stdout.ends_with(&end), "{}", &stdout[LIMIT_BYTES..]);
        let stderr = entry["stderr"].as_str().unwrap();
        let middle = format!("[pyro: 134464 bytes of 250000 are left out here; {place} 82768]");
        assert!(stderr.contains(&middle) && stderr.ends_with('x'));
        assert_eq!(links.len(), 2);
        assert_eq!(links[1].size, Some(250_000));
    }

    #[test]
    fn the_engines_own_count_stays() {
        let mut result =
            json!({"stdout": "x".repeat(70_000), "stdout_truncated_from_bytes": 5_000_000});
        bound(&mut result, part(0));
        assert_eq!(result["stdout_truncated_from_bytes"], 5_000_000);
        assert!(result["stdout"].as_str().unwrap().len() < LIMIT_BYTES + 100);
    }

    #[test]
    fn bytes_are_counted_as_they_were_printed() {
        let lossy = json!({
            "workspace_id": "0123456789ab",
            "sequence": 7,
            "stdout": "\u{fffd}".repeat(50_000),
            "stdout_lossy": true,
            "stdout_lossy_from_bytes": 50_000,
        });
        let mut result = lossy.clone();
        let links = bound(&mut result, part(0));
        let expected = "[pyro: some of 50000 bytes, not all of them text, are left out here; all \
                        are in workspace_logs: workspace_id 0123456789ab, sequence 7]\n\u{fffd}";
        assert!(
            result["stdout"].as_str().unwrap().contains(expected),
            "{result}"
        );
        assert_eq!(result["stdout_truncated_from_bytes"], 50_000);
        assert_eq!(links[0].size, Some(50_000));
        assert_eq!(
            links[0].mime_type.as_deref(),
            Some("application/octet-stream")
        );

        let mut result = lossy;
        result["stdout_truncated_from_bytes"] = 70_000.into();
        result["stdout_lossy_from_bytes"] = 70_000.into();
        bound(&mut result, part(0));
        assert!(
            result["stdout"]
                .as_str()
                .unwrap()
                .ends_with("sequence 7]\n")
        );
    }

    proptest! {
        #[test]
        fn no_character_is_torn(unit in "\\PC{1,4}", times in 20_000_usize..40_000) {
            let text = unit.repeat(times);
            prop_assume!(text.len() > LIMIT_BYTES);
            let cut = cut(&text, part(0), text.len() as u64, None);
            let (head, rest) = cut.split_once("\n[pyro: ").unwrap();
            let (_, tail) = rest.split_once("here]\n").unwrap();
            prop_assert!(text.starts_with(head) && text.ends_with(tail));
            prop_assert!(head.len() + tail.len() <= LIMIT_BYTES);
            prop_assert!(head.len() + tail.len() + 8 >= LIMIT_BYTES);
        }
    }
}
