//! A *message* as it comes from a client: parsed, or answered with an error. A client without an
//! answer would wait.

use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcRequest, RequestId};
use rmcp::service::RxJsonRpcMessage;
use serde_json::{Value, json};

use crate::id::{IdFinder, find_id};

/// The longest message: more than any request needs, and small enough to keep.
pub(crate) const MESSAGE_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// JSON-RPC 2.0, section 5.1.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;

/// The requests with parameters that this server knows.
const KNOWN: [&str; 11] = [
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "completion/complete",
];

/// The longest id: longer than any counter.
const ID_LIMIT_BYTES: usize = 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The result of parsing.
#[derive(Debug)]
pub(crate) enum Understood {
    /// A message.
    Message(Box<RxJsonRpcMessage<RoleServer>>),
    /// Nothing, which needs no answer.
    Nothing,
    /// An invalid message, with an answer for each id that may be waiting for one.
    Wrong(Vec<Value>),
}

/// Parses `bytes`, which must be one message.
pub(crate) fn understand(bytes: &[u8]) -> Understood {
    let bytes = bytes
        .strip_prefix(BYTE_ORDER_MARK)
        .unwrap_or(bytes)
        .trim_ascii();
    if bytes.is_empty() {
        return Understood::Nothing;
    }
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return Understood::Wrong(not_json(bytes, &error)),
    };
    let value = with_arguments(value);
    let id = id_of(&value);
    let wrong = |code, message: &str| Understood::Wrong(vec![error(id.clone(), code, message)]);
    if value.is_array() {
        return wrong(
            INVALID_REQUEST,
            "batches are not taken; send one message at a time",
        );
    }
    if value["jsonrpc"] != "2.0" {
        return wrong(
            INVALID_REQUEST,
            "not a message: \"jsonrpc\" must be \"2.0\"",
        );
    }
    let has_method = value["method"].is_string();
    let wants_answer = has_method && value.get("id").is_some();
    if wants_answer && id.is_null() {
        return wrong(INVALID_REQUEST, "\"id\" must be a text or a whole number");
    }
    match serde_json::from_value::<ClientJsonRpcMessage>(value.clone()) {
        // rmcp parses a known request with unsuitable parameters as a custom one.
        Ok(ClientJsonRpcMessage::Request(JsonRpcRequest {
            request: ClientRequest::CustomRequest(request),
            ..
        })) if KNOWN.contains(&&*request.method) => {
            let message = format!("the parameters do not fit {}", request.method);
            wrong(INVALID_PARAMS, &message)
        }
        Ok(message) => Understood::Message(Box::new(message)),
        Err(error) if wants_answer => {
            let message = format!("the parameters cannot be understood: {error}");
            wrong(INVALID_PARAMS, &message)
        }
        // Notifications, and answers without a request.
        Err(_) if has_method || value.get("result").is_some() || value.get("error").is_some() => {
            Understood::Nothing
        }
        Err(_) => wrong(INVALID_REQUEST, "not a message: \"method\" is missing"),
    }
}

/// The answer to a message that was too long to be kept, and was only searched for its id.
pub(crate) fn too_long(read: IdFinder) -> Value {
    let message = format!("the message is longer than {MESSAGE_LIMIT_BYTES} bytes");
    error(known(read.found()), INVALID_REQUEST, &message)
}

/// The answer to a request whose id belongs to another one without an answer so far.
pub(crate) fn given_twice(id: &RequestId) -> Value {
    let message = "another request with this id is not answered yet";
    error(json!(id), INVALID_REQUEST, message)
}

/// Some hosts send a tool's arguments as their models write them: as an object in a string.
fn with_arguments(mut message: Value) -> Value {
    if message["method"] == "tools/call"
        && let Some(arguments) = message.pointer_mut("/params/arguments")
        && let Value::String(text) = arguments
        && let Ok(object @ Value::Object(_)) = serde_json::from_str(text)
    {
        *arguments = object;
    }
    message
}

/// The answers to invalid JSON, each with an id if there is one.
fn not_json(bytes: &[u8], failure: &serde_json::Error) -> Vec<Value> {
    let several = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let whole: Vec<Value> = several.map_while(Result::ok).collect();
    if whole.len() > 1 && whole.iter().all(Value::is_object) {
        let message = "several messages on one line; each must be on a line of its own";
        let answers = whole
            .iter()
            .map(|one| error(id_of(one), PARSE_ERROR, message));
        return answers.collect();
    }
    // Some clients write one message over several lines.
    let hint = if failure.is_eof() {
        "; a message is one line"
    } else {
        ""
    };
    let message = format!("not JSON: {failure}{hint}");
    vec![error(known(find_id(bytes)), PARSE_ERROR, &message)]
}

/// An error in JSON-RPC. If the request is unknown, the id is null.
#[expect(clippy::needless_pass_by_value, reason = "it is found for this")]
fn error(id: Value, code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

/// The id of a message, if it is valid.
fn id_of(message: &Value) -> Value {
    known(message["id"].clone())
}

/// An id that an answer may have.
fn known(id: Value) -> Value {
    match id {
        Value::String(text) if text.len() <= ID_LIMIT_BYTES => Value::String(text),
        Value::Number(number) if number.is_i64() => Value::Number(number),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answers(line: &str) -> Vec<(Value, i64)> {
        match understand(line.as_bytes()) {
            Understood::Wrong(answers) => answers
                .iter()
                .map(|answer| {
                    (
                        answer["id"].clone(),
                        answer["error"]["code"].as_i64().unwrap(),
                    )
                })
                .collect(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_message_is_answered() {
        let id = |id: i64| Value::from(id);
        for (line, expected) in [
            ("nonsense", vec![(Value::Null, -32700)]),
            (
                r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"x":"\ud800"}}"#,
                vec![(id(7), -32700)],
            ),
            (
                r#"{"jsonrpc":"2.0","params":{"id":1,"x":"}\""},"id":"a","method"#,
                vec![("a".into(), -32700)],
            ),
            (
                r#"{"id":1,"method":"ping","jsonrpc":"2.0"} {"id":2,"method":"ping","jsonrpc":"2.0"}"#,
                vec![(id(1), -32700), (id(2), -32700)],
            ),
            (r#"{"id":1}garbage"#, vec![(id(1), -32700)]),
            (
                r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
                vec![(Value::Null, -32600)],
            ),
            (
                r#"{"jsonrpc":"1.0","id":3,"method":"ping"}"#,
                vec![(id(3), -32600)],
            ),
            (r#"{"jsonrpc":"2.0","id":3}"#, vec![(id(3), -32600)]),
            (
                r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
                vec![(Value::Null, -32600)],
            ),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
                vec![(Value::Null, -32600)],
            ),
            (
                r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
                vec![(Value::Null, -32600)],
            ),
            // Beyond any counter.
            (
                r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"}"#,
                vec![(Value::Null, -32600)],
            ),
            (
                r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{}}"#,
                vec![(id(4), -32602)],
            ),
            (
                r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":[]}"#,
                vec![(id(4), -32602)],
            ),
            ("7", vec![(Value::Null, -32600)]),
        ] {
            assert_eq!(answers(line), expected, "{line}");
        }
        // Also if the id comes last.
        for long in [
            r#"{"jsonrpc":"2.0","id":9,"method":"x","params":{"a":"bbb"#,
            r#"{"method":"x","params":{"id":7,"a":"bbb"},"jsonrpc":"2.0","id":9}"#,
        ] {
            let mut finder = IdFinder::default();
            finder.read(long.as_bytes());
            let answer = too_long(finder);
            assert_eq!(
                (&answer["id"], &answer["error"]["code"]),
                (&id(9), &(-32600).into()),
                "{long}"
            );
        }
    }

    #[test]
    fn messages_are_understood_and_what_wants_no_answer_gets_none() {
        for line in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/list\"}\r",
            r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#,
        ] {
            let understood = understand(line.as_bytes());
            assert!(
                matches!(understood, Understood::Message(_)),
                "{line}: {understood:?}"
            );
        }
        for line in ["", " ", r#"{"jsonrpc":"2.0","id":1,"error":7}"#] {
            let understood = understand(line.as_bytes());
            assert!(
                matches!(understood, Understood::Nothing),
                "{line}: {understood:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_through(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = understand(&bytes);
        }
    }
}
