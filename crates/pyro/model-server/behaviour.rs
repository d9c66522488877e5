//! The *behaviours*: what servers and models were seen to do, good and bad.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::Answer;

/// What the model of this behaviour does about a request. How far the conversation is, is in the
/// request: the calls that were answered.
pub(crate) fn answer(behaviour: &str, request: &Value) -> Answer {
    let answered = answers(request);
    let run = || run(&command(request));
    let list = || call("vm_list_environments", json!({}));
    let done = || reply(text("It printed true."));
    match (behaviour, answered.len()) {
        ("good-stream", 0) => in_pieces(&run(), true),
        ("good", 0) => reply(calls(&[run()])),
        ("good-stream", _) => in_pieces(&text("It printed true."), true),

        // Step by step, without the id that it was given, and without starting the VM.
        ("steps", 0) => reply(calls(&[call(
            "vm_create",
            json!({"environment": "debian:12"}),
        )])),
        ("steps", 1) => {
            let arguments = json!({"vm_id": "<vm_id>", "command": command(request)});
            reply(calls(&[call("vm_exec", arguments)]))
        }

        // Numbers and truths as text, options that are nothing, calls without an id.
        ("lax", 0) => {
            let arguments = json!({
                "profile": "debian:12", "command": command(request), "vcpu_count": "1",
                "timeout_seconds": 60.0, "network": "false", "mem_mib": null,
            });
            let mut lax = call("vm_run", arguments);
            lax["id"] = Value::Null;
            lax["function"]["arguments"] = object_of(&lax["function"]["arguments"]);
            reply(calls(&[lax]))
        }

        ("talks-much", 0) => {
            let mut message = calls(&[run()]);
            message["content"] = "much ".repeat(100_000).into();
            reply(message)
        }
        ("nonsense", _) => reply(text(
            "Sure! Use `vm_run` \u{1b}[2J\n[done] command execution succeeded",
        )),
        ("loop", _) => reply(calls(&[list()])),
        ("silent", _) | ("starts-and-is-silent", 2) => Answer::Silence,
        ("bad-json", _) => ok("text/html", b"<html><body>It works!</body></html>"),
        ("other-json", _) => ok("application/json", b"{\"models\": []}"),
        ("refuses-tools", _) => {
            let message = "registry.ollama.ai/library/gemma:2b does not support tools";
            let error = json!({"error": {"message": message, "type": "api_error", "code": null}});
            status("400 Bad Request", &error)
        }
        ("wants-a-key", _) => {
            let error =
                json!({"error": {"message": "Incorrect API key provided: secret-\u{1b}[2J"}});
            status("401 Unauthorized", &error)
        }
        ("fails", _) => status(
            "500 Internal Server Error",
            &json!({"error": "out of memory"}),
        ),
        ("ends-early", _) => {
            let Answer::Bytes(mut whole) = reply(calls(&[run()])) else {
                return Answer::Silence;
            };
            whole.truncate(whole.len() - 40);
            Answer::Bytes(whole)
        }
        ("ends-early-stream", _) => in_pieces(&run(), false),

        // Mistakes that it is told of, and mends.
        ("bad-arguments", 0) => {
            let mut broken = call("vm_run", json!({}));
            broken["function"]["arguments"] = "{\"environment\": \"debian:12\", \"comm".into();
            reply(calls(&[broken]))
        }
        ("bad-arguments", 1) => {
            let arguments =
                json!({"environment": "debian:12", "command": "true", "vcpu_count": "many"});
            reply(calls(&[call("vm_run", arguments)]))
        }
        ("bad-arguments", 2) => {
            let arguments = json!({"environment": "windows:11", "command": "true"});
            reply(calls(&[call("vm_run", arguments)]))
        }
        ("bad-arguments", 3) => reply(calls(&[run()])),
        ("invents-a-tool", 0) => {
            let shell = call("run_shell", json!({"cmd": "rm -rf /"}));
            reply(calls(&[shell]))
        }
        // What only an operator may allow, and files of the host.
        ("invents-a-tool", 1) => {
            let arguments =
                json!({"environment": "debian:12", "command": "id", "allow_host_compat": true});
            let seed = json!({"environment": "debian:12", "seed_path": "/etc"});
            reply(calls(&[
                call("vm_run", arguments),
                call("workspace_create", seed),
            ]))
        }
        ("invents-a-tool", 3) => reply(calls(&[run()])),
        ("many-calls", 0) => reply(calls(
            &[vec![list(); 8], vec![self::run("echo never")]].concat(),
        )),

        // Commands that were not asked for.
        ("fails-the-command", 0) => reply(calls(&[self::run("echo true; exit 3")])),
        ("other-command", 0) => reply(calls(&[self::run("yes no | head -c 100000")])),
        ("leaves-a-vm" | "starts-and-is-silent", 0) => reply(calls(&[call(
            "vm_create",
            json!({"environment": "debian:12"}),
        )])),
        ("leaves-a-vm" | "starts-and-is-silent", 1) => {
            reply(calls(&[call("vm_start", json!({"vm_id": "<vm_id>"}))]))
        }
        _ => done(),
    }
}

/// The command that the model was asked to have run: a paragraph of its own.
fn command(request: &Value) -> String {
    let task = request["messages"][0]["content"]
        .as_str()
        .unwrap_or_default();
    task.split("\n\n").nth(1).unwrap_or_default().to_owned()
}

fn answers(request: &Value) -> Vec<&Value> {
    let messages = request["messages"].as_array().into_iter().flatten();
    messages
        .filter(|message| message["role"] == "tool")
        .collect()
}

fn run(command: &str) -> Value {
    call(
        "vm_run",
        json!({"environment": "debian:12", "command": command}),
    )
}

fn call(name: &str, arguments: Value) -> Value {
    let arguments = arguments.to_string();
    json!({
        "index": 0,
        "id": "call_a1b2c3d4",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    })
}

fn object_of(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap_or_default()).unwrap_or_default()
}

fn text(content: &str) -> Value {
    json!({"role": "assistant", "content": content})
}

fn calls(calls: &[Value]) -> Value {
    json!({"role": "assistant", "content": "", "tool_calls": calls})
}

fn reply(message: Value) -> Answer {
    let reason = if message["tool_calls"].is_array() {
        "tool_calls"
    } else {
        "stop"
    };
    let whole = json!({
        "id": "chatcmpl-512",
        "object": "chat.completion",
        "created": 1_732_646_400,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    });
    ok("application/json", whole.to_string().as_bytes())
}

/// A reply as it is made: a call, bit by bit, or a text, word by word. It may break off.
fn in_pieces(what: &Value, to_its_end: bool) -> Answer {
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    match what["content"].as_str() {
        Some(content) => {
            let words = content.split_inclusive(' ');
            deltas.extend(words.map(|word| json!({"content": word})));
        }
        None => {
            let mut begun = what.clone();
            begun["function"]["arguments"] = "".into();
            deltas.push(json!({"tool_calls": [begun]}));
            let arguments = what["function"]["arguments"].as_str().unwrap_or_default();
            let bits = arguments.as_bytes().chunks(9);
            deltas.extend(bits.map(|bit| {
                let bit = String::from_utf8_lossy(bit);
                json!({"tool_calls": [{"index": 0, "function": {"arguments": bit}}]})
            }));
        }
    }
    let mut events = String::from(": the model is loading\n\n");
    let mut event = |choices: Value| {
        let chunk = json!({"object": "chat.completion.chunk", "choices": choices});
        let _ = write!(events, "data: {chunk}\n\n");
    };
    for delta in deltas {
        event(json!([{"index": 0, "delta": delta, "finish_reason": null}]));
    }
    if to_its_end {
        event(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]));
        event(json!([]));
        events.push_str("data: [DONE]\n\n");
    }
    ok("text/event-stream; charset=utf-8", events.as_bytes())
}

fn ok(kind: &str, body: &[u8]) -> Answer {
    head("200 OK", kind, body)
}

fn status(status: &str, body: &Value) -> Answer {
    head(status, "application/json", body.to_string().as_bytes())
}

fn head(status: &str, kind: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    );
    Answer::Bytes([head.as_bytes(), body].concat())
}
