//! What models and programs send: what can only mean one thing is taken, and for everything else
//! there is an answer.

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::context::TestContext;
use crate::mcp::ERAS;
use crate::mcp_client::{Client, Era, on_debian};

/// A line of the client, without a meaning for the server.
fn raw(client: &mut Client, line: &[u8]) -> Value {
    client.server.say_bytes(line);
    client.server.say("\n");
    client.next()
}

#[test]
fn what_is_no_message_is_answered_and_the_session_goes_on() {
    let context = TestContext::new();
    for era in ERAS {
        let mut client = Client::start(&context, era, &[]);
        let call = |command: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":"call","method":"tools/call","params":{{"name":"vm_run","arguments":{{"environment":"debian:12","command":"{command}"}}}}}}"#
            )
        };
        let half = call(r"echo \ud83d");
        let long = call(&"x".repeat(5 * 1024 * 1024));
        let not_text = [call("echo ").as_bytes(), b"\xff"].concat();
        for (line, id, code) in [
            (half.as_bytes(), json!("call"), -32700),
            (b"this is no JSON", json!(null), -32700),
            (
                b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\"",
                json!(5),
                -32700,
            ),
            (&not_text, json!("call"), -32700),
            (long.as_bytes(), json!("call"), -32600),
            (
                b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
                json!(null),
                -32600,
            ),
            (b"{\"jsonrpc\":\"2.0\",\"id\":6}", json!(6), -32600),
            (
                b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{}}",
                json!(7),
                -32602,
            ),
        ] {
            let answer = raw(&mut client, line);
            assert_eq!(
                (&answer["id"], &answer["error"]["code"]),
                (&id, &json!(code)),
                "{answer}"
            );
        }
        let two =
            br#"{"jsonrpc":"2.0","id":8,"method":"ping"}{"jsonrpc":"2.0","id":9,"method":"ping"}"#;
        let answer = raw(&mut client, two);
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!(8), &json!(-32700))
        );
        let answer = client.next();
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!(9), &json!(-32700))
        );

        client.ask("tools/list", json!({}));
        client.finish().expect(0).err_lacks("panicked");
    }
}

#[test]
fn arguments_that_can_only_mean_one_thing_are_taken() {
    let context = TestContext::with("debian:12");
    let mut client = Client::start(&context, Era::Legacy, &[]);
    for arguments in [
        json!({"environment": "debian:12", "command": "echo x", "timeout_seconds": 30.0}),
        json!({"environment": "debian:12", "command": "echo x", "timeout_seconds": "30"}),
        json!({"environment": "debian:12", "command": "echo x", "timeout_seconds": null}),
        json!({"environment": "debian:12", "command": "echo x", "network": "false"}),
        json!({"environment": "debian:12", "command": ["echo", "x"], "network": null}),
    ] {
        assert_eq!(
            client.tool("vm_run", &arguments)["stdout"],
            "x\n",
            "{arguments}"
        );
    }
    for (name, value, told) in [
        (
            "timeout_seconds",
            json!("soon"),
            "timeout_seconds is \"soon\"; it must be a whole number, 1 or more",
        ),
        (
            "timeout_seconds",
            json!(1.5),
            "timeout_seconds is 1.5; it must be",
        ),
        (
            "network",
            json!("perhaps"),
            "network is \"perhaps\"; it must be true or false",
        ),
        (
            "environment",
            json!(12),
            "environment is 12; it must be text",
        ),
    ] {
        let mut arguments = on_debian("true");
        arguments[name] = value;
        let id = client.call("vm_run", &arguments);
        let result = client.response(id)["result"].clone();
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(result["isError"] == true && text.contains(told), "{text}");
    }
    // What the operator did not allow stays so, however it is written.
    for value in [json!(true), json!("true"), json!(1)] {
        let mut arguments = on_debian("true");
        arguments["allow_host_compat"] = value;
        let id = client.call("vm_run", &arguments);
        let result = client.response(id)["result"].clone();
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains("code: not_allowed_by_operator"), "{text}");
    }
    client.finish().expect(0);
}

#[test]
fn paths_begin_where_the_client_works_and_hints_are_for_models() {
    let context = TestContext::with("debian:12");
    let project = context.path("project");
    for (place, text) in [(&project, "project"), (&context.path("home"), "home")] {
        fs::create_dir_all(place.join("src")).unwrap();
        fs::write(place.join("src/name"), text).unwrap();
    }
    let server = context
        .pyro(&["mcp", "serve"])
        .silent_stdin()
        .start_unread();
    let mut client = Client::of(server, Era::Legacy, json!({"roots": {}}));
    client.roots = vec![format!("file://{}", project.display())];
    // A relative path is the client's; the home is that of whoever runs the server.
    for (path, text) in [("src", "project"), ("~/src", "home")] {
        let create = json!({"environment": "debian:12", "seed_path": path});
        let made = client.tool("workspace_create", &create);
        let id = made["workspace_id"].clone();
        let shown = client.tool(
            "workspace_exec",
            &json!({"workspace_id": id, "command": "cat name"}),
        );
        assert_eq!(shown["stdout"], text, "{path}");
        client.tool("workspace_delete", &json!({"workspace_id": id}));
    }
    let failure = |client: &mut Client, tool: &str, arguments: Value| {
        let id = client.call(tool, &arguments);
        let result = client.response(id)["result"].clone();
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    };
    let missing = json!({"environment": "debian:12", "seed_path": "no/such"});
    let told = failure(&mut client, "workspace_create", missing);
    let whole = project.join("no/such");
    assert!(told.contains(&whole.display().to_string()), "{told}");

    let unknown = json!({"workspace_id": "0123456789ab", "command": "true"});
    let told = failure(&mut client, "workspace_exec", unknown);
    assert!(told.contains("workspace_list"), "{told}");
    for (tool, arguments) in [
        ("vm_run", json!({"environment": "debian:12"})),
        (
            "vm_run",
            json!({"environment": "debian:12", "command": "x".repeat(200_000)}),
        ),
        (
            "workspace_exec",
            json!({"workspace_id": "0123456789ab", "command": "true"}),
        ),
    ] {
        let told = failure(&mut client, tool, arguments);
        for foreign in ["`--`", "standard input", "`pyro ", "--mem-mib"] {
            assert!(!told.contains(foreign), "{foreign}: {told}");
        }
    }
    client.finish().expect(0);
}

#[test]
fn what_was_asked_before_the_end_is_answered_before_the_end() {
    let context = TestContext::with("debian:12");
    let mut lines = String::new();
    let mut say = |message: Value| {
        lines.push_str(&message.to_string());
        lines.push('\n');
    };
    say(
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "script", "version": "1"}}}),
    );
    say(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    for id in 1..=3 {
        let arguments = on_debian(&format!("sleep 1; echo {id}"));
        say(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "vm_run", "arguments": arguments}}));
    }
    // The last line need not end.
    let served = context
        .pyro(&["mcp", "serve"])
        .stdin(lines.trim_end())
        .run()
        .expect(0);
    let answers: Vec<Value> = served
        .out()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for id in 1..=3 {
        let answer = answers.iter().find(|answer| answer["id"] == id).unwrap();
        assert_eq!(
            answer["result"]["structuredContent"]["stdout"],
            format!("{id}\n"),
            "{answer}"
        );
    }
}

/// Nobody reads what would be answered.
#[test]
fn a_client_that_is_gone_is_not_waited_for() {
    let context = TestContext::with("debian:12");
    let mut server = context
        .pyro(&["mcp", "serve"])
        .silent_stdin()
        .start_unread();
    let mut stdout = BufReader::new(server.take_stdout());
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": "news",
    });
    let params = json!({"name": "vm_run", "arguments": on_debian("sleep 1000"), "_meta": meta});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    server.say(&format!("{call}\n"));
    let mut line = String::new();
    while !line.contains("execute") {
        line.clear();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended");
    }
    drop(stdout);
    server.say_no_more();
    let begun = Instant::now();
    server.finish().expect(0);
    // Not what it takes, but whether it waited for the command.
    assert!(begun.elapsed() < Duration::from_secs(60));
    context.assert_nothing_is_left();
}

#[test]
fn streams_that_fail_end_the_server_with_their_name() {
    let context = TestContext::new();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    context
        .scripted(
            &format!("echo '{ping}' | \"$@\" >/dev/full"),
            &["mcp", "serve"],
        )
        .run()
        .expect(1)
        .err_has("cannot write to the client")
        .err_has("No space left on device");
    context
        .scripted("exec \"$@\" <.", &["mcp", "serve"])
        .run()
        .expect(1)
        .err_has("cannot read from the client")
        .err_has("Is a directory");
    // Nobody reads any more: nothing is wrong.
    context
        .scripted(&format!("echo '{ping}' | \"$@\" | true"), &["mcp", "serve"])
        .run()
        .expect(0);

    let server = context
        .pyro(&["mcp", "serve"])
        .nonblocking()
        .silent_stdin()
        .start_unread();
    let mut client = Client::of(server, Era::Legacy, json!({}));
    for _ in 0..20 {
        client.ask("tools/list", json!({}));
    }
    client.finish().expect(0);
}
