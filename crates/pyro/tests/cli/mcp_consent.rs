//! Commands on the host, which a server's operator permits and a person allows.

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::mcp_client::{Client, Era, on_debian};

/// A client of a server that may run commands on the host, because that cannot start a microVM.
fn permitted(context: &TestContext, era: Era, capabilities: Value) -> Client {
    let server = context
        .pyro(&["mcp", "serve", "--allow-host-compat"])
        .env("PATH", context.path("nowhere"))
        .silent_stdin()
        .start_unread();
    Client::of(server, era, capabilities)
}

fn on_host(command: &str) -> Value {
    let mut arguments = on_debian(command);
    arguments["allow_host_compat"] = true.into();
    arguments
}

#[test]
fn a_command_on_the_host_does_not_read_the_clients_messages() {
    let context = TestContext::with(debian());
    let server = context
        .pyro(&["mcp", "serve", "--allow-host-compat"])
        .env("PATH", context.path("nowhere"))
        .silent_stdin()
        .start_unread();
    let mut client = Client::of(server, Era::Legacy, json!({}));
    let mut arguments = on_debian("cat; echo end");
    arguments["allow_host_compat"] = true.into();
    let id = client.call("vm_run", &arguments);
    let result = client.response(id)["result"].clone();
    assert_eq!(
        result["structuredContent"]["execution_mode"], "host_compat",
        "{result}"
    );
    assert_eq!(result["structuredContent"]["stdout"], "end\n");
    let warning = result["content"][1]["text"].as_str().unwrap();
    assert!(warning.contains("WITHOUT ISOLATION"), "{warning}");
    let message = result["structuredContent"]["messages"][0].as_str().unwrap();
    assert_eq!(warning, format!("warning: {message}"));
    let ping = client.send("ping", json!({}));
    client.response(ping);
    client.finish().expect(0);
}

#[test]
fn a_person_who_can_be_asked_is_asked() {
    let context = TestContext::with(debian());
    let forms = json!({"elicitation": {}});
    let mut client = permitted(&context, Era::Legacy, forms);
    for (answer, is_error) in [
        (
            json!({"action": "accept", "content": {"allow": true}}),
            false,
        ),
        (
            json!({"action": "accept", "content": {"allow": false}}),
            true,
        ),
        (json!({"action": "accept"}), true),
        (json!({"action": "decline"}), true),
        (json!({"action": "cancel"}), true),
    ] {
        client.decision = Some(answer.clone());
        let id = client.call("vm_run", &on_host("echo here"));
        let result = client.response(id)["result"].clone();
        assert_eq!(result["isError"], is_error, "{answer}: {result}");
        let asked: Vec<Value> = client.rest();
        let asked = asked
            .iter()
            .find(|message| message["method"] == "elicitation/create");
        let question = asked.expect("somebody was asked")["params"]["message"].to_string();
        assert!(question.contains("WITHOUT ISOLATION"), "{question}");
        assert!(question.contains("echo here"), "{question}");
        if is_error {
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.contains("code: host_compat_declined"), "{text}");
        }
    }
    client.finish().expect(0);
}

/// In the newer protocol the client repeats the call with the answer, which is good for this call
/// alone.
#[test]
fn an_answer_is_for_the_call_that_it_was_given_for() {
    let context = TestContext::with(debian());
    let mut client = permitted(&context, Era::Modern, json!({"elicitation": {"form": {}}}));
    let first = json!({"name": "vm_run", "arguments": on_host("echo first")});
    let asked = client.ask("tools/call", first.clone());
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let requests = asked["inputRequests"].as_object().unwrap();
    let (key, request) = requests.iter().next().unwrap();
    assert_eq!(request["method"], "elicitation/create");
    let answered = |call: &Value, answer: Value| {
        let mut call = call.clone();
        call["inputResponses"] = json!({key: answer});
        call
    };
    let yes = json!({"action": "accept", "content": {"allow": true}});
    let ran = client.ask("tools/call", answered(&first, yes.clone()));
    assert_eq!(ran["structuredContent"]["stdout"], "first\n", "{ran}");
    let no = client.ask("tools/call", answered(&first, json!({"action": "decline"})));
    assert_eq!(no["isError"], true, "{no}");
    let broken = client.ask("tools/call", answered(&first, json!(7)));
    assert_eq!(broken["isError"], true, "{broken}");
    let second = json!({"name": "vm_run", "arguments": on_host("echo second")});
    let asked = client.ask("tools/call", answered(&second, yes));
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    client.finish().expect(0);
}
