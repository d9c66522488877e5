//! A *reply* of a model: text, tool calls, or both.

use serde_json::{Map, Value};

use crate::Error;

/// The reply of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The text, if there is any.
    pub content: Option<String>,
    /// The tool calls, in order.
    pub calls: Vec<Call>,
}

/// A tool call that a model requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// The id of the call, for its result; empty if the model gave none.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments: an object, or a text that should be a JSON object.
    pub arguments: Value,
}

/// The limit on calls in one reply; a model that requests more is in a loop.
const CALLS_LIMIT: usize = 64;

impl Reply {
    /// Parses a reply that is not streamed.
    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let reply = json(bytes)?;
        let choice = first_choice(&reply)?.ok_or(NO_CHOICES)?;
        let Value::Object(message) = &choice["message"] else {
            return Err(Error::NotAReply {
                missing: "message in its first choice",
            });
        };
        let calls = message.get("tool_calls").and_then(Value::as_array);
        let calls = calls.into_iter().flatten().take(CALLS_LIMIT);
        Ok(Self {
            content: content(message),
            calls: calls.map(call).collect(),
        })
    }

    /// Returns the reply as a message of the conversation, with the ids of its calls.
    pub fn message(&self) -> Value {
        let calls = self.calls.iter().map(|call| {
            let arguments = match &call.arguments {
                Value::String(text) => text.clone(),
                object => object.to_string(),
            };
            serde_json::json!({
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": arguments},
            })
        });
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        // Not null, which some servers refuse.
        let content = self.content.clone().unwrap_or_default();
        message.insert("content".into(), content.into());
        if !self.calls.is_empty() {
            message.insert("tool_calls".into(), calls.collect());
        }
        Value::Object(message)
    }
}

const NO_CHOICES: Error = Error::NotAReply { missing: "choices" };

/// Parses JSON, unless it is an error message of the server.
fn json(bytes: &[u8]) -> Result<Value, Error> {
    let value = serde_json::from_slice(bytes).map_err(|source| {
        if source.is_eof() && bytes.starts_with(b"{") {
            return Error::CutOff { source: None };
        }
        let begins = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
        Error::NotJson {
            begins: pyro_text::line(&begins),
            source,
        }
    })?;
    match failure(&value) {
        Some(said) => Err(Error::Failed { said }),
        None => Ok(value),
    }
}

/// Returns the error message of a server in JSON.
pub(crate) fn failure(value: &Value) -> Option<String> {
    let error = value.get("error").filter(|error| !error.is_null())?;
    let said = error.as_str().or_else(|| error["message"].as_str());
    Some(said.map_or_else(|| pyro_text::line(&error.to_string()), pyro_text::line))
}

/// `None` if the list of choices is empty.
fn first_choice(reply: &Value) -> Result<Option<&Value>, Error> {
    let choices = reply.get("choices").and_then(Value::as_array);
    Ok(choices.ok_or(NO_CHOICES)?.first())
}

/// Returns a text, which some servers send in parts.
fn content(message: &Map<String, Value>) -> Option<String> {
    match message.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            Some(texts.collect())
        }
        _ => None,
    }
}

fn call(call: &Value) -> Call {
    let function = &call["function"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Call {
        id: text(&call["id"]),
        name: text(&function["name"]),
        arguments: function["arguments"].clone(),
    }
}

/// The received part of a streamed reply.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    reply: Reply,
    /// Whether any chunk was received.
    begun: bool,
    /// Whether the model has reported why it stopped.
    stopped: bool,
}

impl Pieces {
    /// Takes the data of an event; returns whether it was the last.
    pub(crate) fn add(&mut self, data: &[u8]) -> Result<bool, Error> {
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.stopped = true;
            return Ok(true);
        }
        let piece = json(data)?;
        // The last event may report usage and have no choices.
        let Some(choice) = first_choice(&piece)? else {
            return Ok(false);
        };
        self.begun = true;
        self.stopped |= choice["finish_reason"].is_string();
        if let Some(text) = choice["delta"]["content"].as_str() {
            let content = self.reply.content.get_or_insert_default();
            content.push_str(text);
        }
        for (number, part) in choice["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            self.add_call(number, part);
        }
        Ok(false)
    }

    /// A call's name is sent once, its arguments in parts. Servers that send complete calls may
    /// omit the index.
    fn add_call(&mut self, number: usize, part: &Value) {
        let calls = &mut self.reply.calls;
        let next = calls.len();
        let place = part["index"].as_u64().map(usize::try_from);
        let place = place.map_or(next + number, |place| place.unwrap_or(usize::MAX));
        // Missing indices between calls were omitted by the server.
        let place = place.min(next);
        if place >= CALLS_LIMIT {
            return;
        }
        if place == next {
            calls.push(Call::default());
        }
        let known = &mut calls[place];
        let new = call(part);
        if !new.id.is_empty() {
            known.id = new.id;
        }
        known.name.push_str(&new.name);
        match (&mut known.arguments, new.arguments) {
            (_, Value::Null) => {}
            (Value::String(begun), Value::String(more)) => begun.push_str(&more),
            (arguments, new) => *arguments = new,
        }
    }

    /// Returns the reply at the end of the stream.
    pub(crate) fn finish(self) -> Result<Reply, Error> {
        match (self.begun, self.stopped) {
            (true, true) => Ok(self.reply),
            (false, true) => Err(NO_CHOICES),
            (_, false) => Err(Error::CutOff { source: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn whole(value: &Value) -> Result<Reply, Error> {
        Reply::from_json(value.to_string().as_bytes())
    }

    fn in_pieces(pieces: &[Value]) -> Result<Reply, Error> {
        let mut reply = Pieces::default();
        for piece in pieces {
            let piece = json!({"choices": [piece]});
            reply.add(piece.to_string().as_bytes())?;
        }
        reply.finish()
    }

    #[test]
    fn a_reply_has_text_and_calls() {
        let function = json!({"name": "vm_run", "arguments": "{\"a\":1}"});
        let message = json!({
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            "tool_calls": [{"id": "x", "function": function}, {"function": {"arguments": {}}}],
        });
        let reply = whole(&json!({"choices": [{"message": message}]})).unwrap();
        assert_eq!(reply.content.as_deref(), Some("ab"));
        assert_eq!(reply.calls[0].id, "x");
        assert_eq!(reply.calls[0].arguments, "{\"a\":1}");
        assert_eq!(reply.calls[1].name, "");
        assert_eq!(
            reply.message()["tool_calls"][1]["function"]["arguments"],
            "{}"
        );
    }

    #[test]
    fn pieces_make_the_same_reply() {
        let call = |call: Value| json!({"delta": {"tool_calls": [call]}});
        let pieces = [
            json!({"delta": {"role": "assistant", "content": "a"}}),
            json!({"delta": {"content": "b"}}),
            call(json!({"index": 0, "id": "x", "function": {"name": "vm_run", "arguments": ""}})),
            call(json!({"index": 0, "function": {"arguments": "{\"a\""}})),
            call(json!({"index": 0, "function": {"arguments": ":1}"}})),
            call(json!({"id": "y", "function": {"name": "vm_status", "arguments": {}}})),
            json!({"delta": {}, "finish_reason": "tool_calls"}),
        ];
        let reply = in_pieces(&pieces).unwrap();
        assert_eq!(reply.content.as_deref(), Some("ab"));
        let found: Vec<_> = reply
            .calls
            .iter()
            .map(|call| (&*call.id, &*call.name))
            .collect();
        assert_eq!(found, [("x", "vm_run"), ("y", "vm_status")]);
        assert_eq!(reply.calls[0].arguments, "{\"a\":1}");
        let cut = in_pieces(&pieces[..4]);
        assert!(matches!(cut, Err(Error::CutOff { .. })), "{cut:?}");
    }

    #[test]
    fn what_is_no_reply_says_what_it_is() {
        let code = |bytes: &[u8]| Reply::from_json(bytes).unwrap_err().code();
        assert_eq!(code(b"<html>"), "model_reply_invalid");
        assert_eq!(code(b"{}"), "model_reply_invalid");
        assert_eq!(code(b"[]"), "model_reply_invalid");
        assert_eq!(code(b"{\"choices\": []}"), "model_reply_invalid");
        assert_eq!(code(b"{\"choices\": [{}]}"), "model_reply_invalid");
        assert_eq!(code(b"{\"choices\": [{\"mess"), "model_reply_cut_off");
        assert_eq!(code(b"{\"error\": \"busy\"}"), "model_failed");
        let said = Reply::from_json(b"{\"error\": {\"message\": \"no\\u001b[2J\"}}").unwrap_err();
        assert_eq!(said.to_string(), "the server failed: no\\u{1b}[2J");
    }

    #[test]
    fn a_model_cannot_ask_for_any_number_of_calls() {
        let call = json!({"function": {"name": "x"}});
        let many = vec![call; 1000];
        let reply = whole(&json!({"choices": [{"message": {"tool_calls": many}}]})).unwrap();
        assert_eq!(reply.calls.len(), CALLS_LIMIT);
        let far = json!({"index": u64::MAX, "function": {"name": "x"}});
        let pieces = vec![json!({"delta": {"tool_calls": [far]}, "finish_reason": "stop"}); 1000];
        assert_eq!(in_pieces(&pieces).unwrap().calls.len(), CALLS_LIMIT);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_breaks_the_reader(
            parts in proptest::collection::vec(
                "data: |\\{\"choices\":\\[|\\{\"delta\":|\\{\"message\":|\"tool_calls\":|\\[|\\]|\\{|\\}|\n|[0-9]{1,20}|null|\"a\"|,|:|\\PC",
                0..40,
            )
        ) {
            crate::read_reply(parts.concat().as_bytes());
        }
    }
}
