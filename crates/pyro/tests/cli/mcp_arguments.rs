//! Arguments of models and programs: unambiguous values are converted, and all others get a helpful
//! error.

use std::fs;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::mcp::{ERAS, post};
use crate::mcp_client::{Client, Era, on_debian, serve_http};

/// A raw line from the client.
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
                r#"{{"jsonrpc":"2.0","id":"call","method":"tools/call","params":{{"name":"vm_run","arguments":{{"environment":"{}","command":"{command}"}}}}}}"#,
                debian()
            )
        };
        let half = call(r"echo \ud83d");
        let long = call(&"x".repeat(5 * 1024 * 1024));
        let id_last = format!(
            r#"{{"method":"tools/call","params":{{"id":1,"x":"{}"}},"jsonrpc":"2.0","id":"last"}}"#,
            "x".repeat(5 * 1024 * 1024)
        );
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
            // As clients in Python write it.
            (id_last.as_bytes(), json!("last"), -32600),
            (
                b"{\"jsonrpc\":\"1.0\",\"id\":3,\"method\":\"ping\"}",
                json!(3),
                -32600,
            ),
            (
                b"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}",
                json!(null),
                -32600,
            ),
            (
                b"{\"jsonrpc\":\"2.0\",\"id\":18446744073709551615,\"method\":\"ping\"}",
                json!(null),
                -32600,
            ),
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

        let id = client.send("no/such", json!({}));
        let error = client.response(id)["error"].clone();
        assert_eq!(error["code"], -32601, "{error}");
        client.ask("tools/list", json!({}));
        client.finish().expect(0).err_lacks("panicked");
    }
}

#[test]
fn what_is_no_message_is_answered_by_http_too() {
    let context = TestContext::new();
    let (server, address, token) = serve_http(&context);
    let headers = format!(
        "Host: {address}\r\nAuthorization: Bearer {token}\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: ping\r\n"
    );
    let long = "x".repeat(5 * 1024 * 1024);
    let long = format!(r#"{{"method":"ping","params":{{"x":"{long}"}},"jsonrpc":"2.0","id":9}}"#);
    for (body, id, code) in [
        (
            &br#"{"jsonrpc":"2.0","id":5,"method":"ping","params":{"x":"\ud83d"}}"#[..],
            json!(5),
            -32700,
        ),
        (b"this is no JSON", json!(null), -32700),
        (b"{\"id\":6,\"x\":\"\xff\"}", json!(6), -32700),
        (b"[]", json!(null), -32600),
        (
            br#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
            json!(7),
            -32600,
        ),
        (
            br#"{"jsonrpc":"2.0","id":8,"method":"tools/call"}"#,
            json!(8),
            -32602,
        ),
        (long.as_bytes(), json!(9), -32600),
    ] {
        let (status, rest) = post(&address, &headers, body);
        let (_, answer) = rest.split_once("\r\n\r\n").unwrap();
        let answer: Value = serde_json::from_str(answer).unwrap();
        assert!((400..500).contains(&status), "{status}: {answer}");
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&id, &json!(code)),
            "{answer}"
        );
    }
    server.signal(rustix::process::Signal::TERM);
    server.finish().expect(0);
}

#[test]
fn arguments_that_can_only_mean_one_thing_are_taken() {
    let context = TestContext::with(debian());
    let mut client = Client::start(&context, Era::Legacy, &[]);
    for arguments in [
        json!({"environment": debian(), "command": "echo x", "timeout_seconds": 30.0}),
        json!({"environment": debian(), "command": "echo x", "timeout_seconds": "30"}),
        json!({"environment": debian(), "command": "echo x", "timeout_seconds": null}),
        json!({"environment": debian(), "command": "echo x", "network": "false"}),
        json!({"environment": debian(), "command": ["echo", "x"], "network": null}),
        json!({"environment": debian(), "command": r#"["echo", "x"]"#, "vcpu_count": ""}),
        json!({"environment": debian(), "command": "[ \"a\" ] && echo x", "mem_mib": "null"}),
        // As a model wrote it.
        json!(json!({"environment": debian(), "command": "echo x"}).to_string()),
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
        (
            "command",
            json!(["ls -l"]),
            "command is [\"ls -l\"]; it must be text, or a list",
        ),
        ("command", json!(null), "code: command_required"),
    ] {
        let mut arguments = on_debian("true");
        arguments[name] = value;
        let id = client.call("vm_run", &arguments);
        let result = client.response(id)["result"].clone();
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(result["isError"] == true && text.contains(told), "{text}");
    }
    // A denied permission stays denied in every notation.
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
    let context = TestContext::with(debian());
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
    // A relative path is resolved in the client's root; the home directory is that of the server's
    // user.
    for (path, text) in [("src", "project"), ("~/src", "home")] {
        let create = json!({"environment": debian(), "seed_path": path});
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
    let missing = json!({"environment": debian(), "seed_path": "no/such"});
    let told = failure(&mut client, "workspace_create", missing);
    let whole = project.join("no/such");
    assert!(told.contains(&whole.display().to_string()), "{told}");

    let unknown = json!({"workspace_id": "0123456789ab", "command": "true"});
    let told = failure(&mut client, "workspace_exec", unknown);
    assert!(told.contains("workspace_list"), "{told}");
    for (tool, arguments) in [
        ("vm_run", json!({"environment": debian()})),
        (
            "vm_run",
            json!({"environment": debian(), "command": "x".repeat(200_000)}),
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
    let created = client.tool("vm_create", &json!({"environment": debian()}));
    let id = created["vm_id"].as_str().unwrap().to_owned();
    let told = failure(
        &mut client,
        "vm_exec",
        json!({"vm_id": id, "command": "true"}),
    );
    let hint = format!("hint: start it: `vm_start` with vm_id {id}");
    assert!(told.contains(&hint), "{told}");
    client.tool("vm_delete", &json!({"vm_id": id}));
    // Nor does the schema mention them.
    let tools = client.ask("tools/list", json!({})).to_string();
    let tools = tools.replace("git --version", "");
    for foreign in ["--", "`pyro ", "`vm ", "`workspace "] {
        assert!(!tools.contains(foreign), "{foreign}: {tools}");
    }
    client.finish().expect(0);
}

/// With several roots, a relative path is ambiguous.
#[test]
fn a_relative_path_begins_in_the_only_root_or_where_the_server_is() {
    let context = TestContext::new();
    let places = ["one", "two", "start"].map(|name| context.path(name));
    for place in &places {
        fs::create_dir_all(place).unwrap();
    }
    let [one, two, start] = &places;
    let server = context.pyro(&["mcp", "serve"]).directory(start);
    let server = server.silent_stdin().start_unread();
    let mut client = Client::of(server, Era::Legacy, json!({"roots": {}}));
    let mut told = |roots: &[&std::path::PathBuf], path: &str| {
        let uri = |root: &&std::path::PathBuf| format!("file://{}", root.display());
        client.roots = roots.iter().map(uri).collect();
        let create = json!({"environment": debian(), "seed_path": path});
        let id = client.call("workspace_create", &create);
        let result = client.response(id)["result"].clone();
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    };
    for (roots, directory) in [
        (&[one][..], one),
        (&[one, two], start),
        (&[two, one], start),
        (&[], start),
    ] {
        let text = told(roots, "no/such");
        let whole = directory.join("no/such").display().to_string();
        assert!(text.contains(&whole), "{whole}: {text}");
    }
    // An empty form field does not mean all files of a directory.
    let text = told(&[one], "");
    assert!(text.contains("seed_path is empty"), "{text}");
    client.finish().expect(0);
}
