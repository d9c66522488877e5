//! Prompts of the MCP server, and completion of their arguments.

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::mcp_client::{Client, Era};

/// The completions of an argument that begins with this.
fn completions(client: &mut Client, of: &Value, argument: &str, begun: &str) -> Vec<String> {
    let argument = json!({"name": argument, "value": begun});
    let answer = client.ask(
        "completion/complete",
        json!({"ref": of, "argument": argument}),
    );
    let completion = &answer["completion"];
    let values = completion["values"].as_array().unwrap();
    assert_eq!(completion["total"], values.len(), "{completion}");
    assert_eq!(completion["hasMore"], false, "{completion}");
    let values = values
        .iter()
        .map(|value| value.as_str().unwrap().to_owned());
    values.collect()
}

#[test]
fn a_person_can_have_commands_run_in_a_workspace() {
    let context = TestContext::new();
    for (era, profile) in [
        (Era::Modern, "workspace-full"),
        (Era::Legacy, "workspace-core"),
    ] {
        let mut client = Client::start(&context, era, &["--profile", profile]);
        let prompts = client.ask("prompts/list", json!({}))["prompts"].clone();
        assert_eq!(prompts.as_array().unwrap().len(), 1, "{prompts}");
        let prompt = &prompts[0];
        assert_eq!(prompt["arguments"][0]["name"], "directory", "{prompt}");

        let arguments = json!({"directory": "/src", "environment": "debian:12-build"});
        let asked = json!({"name": prompt["name"], "arguments": arguments});
        let got = client.ask("prompts/get", asked);
        let text = got["messages"][0]["content"]["text"].as_str().unwrap();
        for expected in ["\"/src\"", "\"debian:12-build\"", "workspace_sync_push"] {
            assert!(text.contains(expected), "{text}");
        }

        let of = json!({"type": "ref/prompt", "name": prompt["name"]});
        let builds = completions(&mut client, &of, "environment", "debian:12-bu");
        assert_eq!(builds, ["debian:12-build"]);
        assert!(completions(&mut client, &of, "environment", "").len() >= 3);
        assert!(completions(&mut client, &of, "directory", "/").is_empty());

        let argument = json!({"name": "environment", "value": ""});
        for (method, wrong) in [
            ("prompts/get", json!({"name": "nope"})),
            (
                "prompts/get",
                json!({"name": prompt["name"], "arguments": {"colour": "red"}}),
            ),
            (
                "completion/complete",
                json!({"ref": {"type": "ref/prompt", "name": "nope"}, "argument": argument}),
            ),
            (
                "completion/complete",
                json!({"ref": of, "argument": {"name": "colour", "value": ""}}),
            ),
            (
                "completion/complete",
                json!({"ref": {"type": "ref/resource", "uri": "nope"}, "argument": argument}),
            ),
        ] {
            let id = client.send(method, wrong);
            let error = client.response(id)["error"].clone();
            assert_eq!(error["code"], -32602, "{error}");
        }
        client.finish().expect(0);
    }
}

#[test]
fn nothing_is_offered_that_takes_other_tools() {
    let context = TestContext::new();
    for era in [Era::Modern, Era::Legacy] {
        let mut client = Client::start(&context, era, &["--profile", "vm-run"]);
        for (method, key) in [
            ("prompts/list", "prompts"),
            ("resources/templates/list", "resourceTemplates"),
        ] {
            assert_eq!(client.ask(method, json!({}))[key], json!([]));
        }
        client.finish().expect(0);
    }
}

#[test]
fn workspaces_and_streams_complete_the_address_of_a_log() {
    let context = TestContext::with(debian());
    let mut ids = Vec::new();
    for _ in 0..2 {
        let created = context
            .pyro(&["workspace", "create", debian(), "--json"])
            .run();
        let created: Value = serde_json::from_str(&created.expect(0).out()).unwrap();
        ids.push(created["workspace_id"].as_str().unwrap().to_owned());
    }
    let mut client = Client::start(&context, Era::Modern, &["--profile", "workspace-core"]);
    let templates = client.ask("resources/templates/list", json!({}));
    let uri = &templates["resourceTemplates"][0]["uriTemplate"];
    let of = json!({"type": "ref/resource", "uri": uri});

    let mut all = completions(&mut client, &of, "workspace_id", "");
    all.sort();
    let mut expected = ids.clone();
    expected.sort();
    assert_eq!(all, expected);
    let one = completions(&mut client, &of, "workspace_id", &ids[0][..11]);
    assert_eq!(one, ids[..1]);
    assert_eq!(completions(&mut client, &of, "stream", "stdo"), ["stdout"]);
    assert!(completions(&mut client, &of, "sequence", "").is_empty());
    client.finish().expect(0);
    for id in &ids {
        context.pyro(&["workspace", "delete", id]).run().expect(0);
    }
}
