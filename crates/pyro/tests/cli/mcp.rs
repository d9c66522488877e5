//! The MCP server, as clients use it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::mcp_client::{Client, Era, on_debian, serve_http};

pub(crate) const ERAS: [Era; 2] = [Era::Modern, Era::Legacy];

/// The number of machines.
fn machines(context: &TestContext) -> usize {
    let entries = fs::read_dir(context.base().join("vms"));
    let entries = entries.into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().is_dir()).count()
}

fn wait_for_machines(context: &TestContext, count: usize) {
    let begun = Instant::now();
    while machines(context) != count {
        let limit = Duration::from_secs(100);
        assert!(begun.elapsed() < limit, "{} machines", machines(context));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn clients_of_both_eras_find_the_tools_and_run_a_command() {
    let context = TestContext::with(debian());
    for era in ERAS {
        let mut client = Client::start(&context, era, &[]);
        let tools = client.ask("tools/list", json!({}))["tools"].clone();
        let tools = tools.as_array().unwrap();
        assert_eq!(tools[0]["name"], "vm_run");
        assert!(tools.iter().all(|tool| tool["name"] != "doctor"));
        let input = &tools[0]["inputSchema"];
        assert_eq!(input["required"], json!(["environment", "command"]));
        assert_eq!(input["properties"]["vcpu_count"]["maximum"], 8);

        let id = client.call("vm_run", &on_debian("echo out; echo err >&2; exit 3"));
        let response = client.response(id);
        let result = &response["result"];
        assert_eq!(result["isError"], false, "{result}");
        let structured = &result["structuredContent"];
        assert_eq!(structured["exit_code"], 3);
        assert_eq!(
            (&structured["stdout"], &structured["stderr"]),
            (&json!("out\n"), &json!("err\n"))
        );
        let text = result["content"][0]["text"].as_str().unwrap();
        assert_eq!(&serde_json::from_str::<Value>(text).unwrap(), structured);
        let properties = tools[0]["outputSchema"]["properties"].as_object().unwrap();
        for key in structured.as_object().unwrap().keys() {
            assert!(properties.contains_key(key), "{key}");
        }
        for key in tools[0]["outputSchema"]["required"].as_array().unwrap() {
            assert!(structured.get(key.as_str().unwrap()).is_some(), "{key}");
        }

        let progress: Vec<_> = client
            .rest()
            .iter()
            .filter(|message| message["method"] == "notifications/progress")
            .map(|message| message["params"]["progress"].as_f64().unwrap())
            .collect();
        assert!(!progress.is_empty());
        assert!(
            progress.is_sorted_by(|one, next| one < next),
            "{progress:?}"
        );
        client.finish().expect(0);
        context.assert_nothing_is_left();
    }
}

#[test]
fn what_is_wrong_with_a_call_is_said_so_that_a_model_can_act() {
    let context = TestContext::new();
    let mut client = Client::start(&context, Era::Legacy, &["--profile", "vm-run"]);
    let tools = client.ask("tools/list", json!({}))["tools"].clone();
    assert_eq!(tools.as_array().unwrap().len(), 1);
    for unknown in ["nope", "doctor", "vm_list_environments"] {
        let id = client.call(unknown, &json!({}));
        assert_eq!(client.response(id)["error"]["code"], -32602, "{unknown}");
    }
    let bad = [
        (
            json!({"environment": debian(), "command": "true", "vcpu_count": 99}),
            "vcpu_count must be between 1 and 8",
        ),
        (json!({"environment": "no:1", "command": "true"}), "no:1"),
        (
            json!({"environment": debian(), "command": "true", "colour": 1}),
            "vm_run takes no 'colour'; it takes command, cwd, env, environment, ",
        ),
        (
            json!({"environment": debian(), "command": 7}),
            "command is 7; it must be text",
        ),
        (
            json!({"command": "true"}),
            "environment is missing; it must be text",
        ),
        (json!({}), "is missing; it must be text"),
    ];
    for (arguments, expected) in bad {
        let id = client.call("vm_run", &arguments);
        let result = client.response(id)["result"].clone();
        assert_eq!(result["isError"], true, "{result}");
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(expected) && text.contains("code: "), "{text}");
        let error = &result["_meta"]["pyro/error"];
        assert_eq!(error["retry_safe"], true, "{result}");
        assert!(
            error["code"].is_string() && error["error"].is_string(),
            "{result}"
        );
        assert!(result.get("structuredContent").is_none(), "{result}");
    }
    client.finish().expect(0);
}

#[test]
fn calls_run_at_once_and_the_server_answers_meanwhile() {
    let context = TestContext::with(debian());
    let mut client = Client::start(&context, Era::Legacy, &[]);
    let calls: Vec<_> = (0..3)
        .map(|_| client.call("vm_run", &on_debian("sleep 1000")))
        .collect();
    wait_for_machines(&context, 3);
    let ping = client.send("ping", json!({}));
    client.response(ping);
    for id in &calls {
        client.notify("notifications/cancelled", &json!({"requestId": id}));
    }
    wait_for_machines(&context, 0);
    let run = client.run("echo still here");
    assert_eq!(run["stdout"], "still here\n");
    let answered = client.rest();
    assert!(
        answered
            .iter()
            .all(|message| !calls.iter().any(|id| message["id"] == *id)),
        "what was cancelled is not answered: {answered:?}"
    );
    client.finish().expect(0);
}

type Ending = fn(&mut Client);

#[test]
fn however_the_server_ends_its_machines_end_too() {
    let context = TestContext::with(debian());
    let endings: [(&str, Ending, i32); 3] = [
        ("SIGTERM", |client| client.server.signal(Signal::TERM), 0),
        ("SIGINT", |client| client.server.signal(Signal::INT), 0),
        ("SIGKILL", |client| client.server.signal(Signal::KILL), -9),
    ];
    for (name, end, code) in endings {
        let mut client = Client::start(&context, Era::Modern, &[]);
        client.call("vm_run", &on_debian("sleep 1000"));
        client.wait_for_news("execute");
        let ended = Instant::now();
        end(&mut client);
        let finished = client.server.finish().expect(code);
        // This does not measure the duration, but checks that it did not wait for the command.
        assert!(ended.elapsed() < Duration::from_secs(60), "{name}");
        drop(finished.err_lacks("panicked"));
        if code != 0 {
            // The next call removes its directory.
            context.pyro(&["env", "list"]).run().expect(0);
        }
        context.assert_nothing_is_left();
    }
}

#[test]
fn long_output_is_cut_and_says_so() {
    let context = TestContext::with(debian());
    let mut client = Client::start(&context, Era::Modern, &[]);
    let run = client.run("seq 100000; echo short >&2");
    assert_eq!(run["stdout_truncated_from_bytes"], 588_895);
    assert_eq!(run["stderr"], "short\n");
    let stdout = run["stdout"].as_str().unwrap();
    assert!(stdout.len() < 17_000, "{}", stdout.len());
    assert!(stdout.starts_with("1\n2\n") && stdout.ends_with("\n99999\n100000\n"));
    assert!(stdout.contains("bytes of 588895 are left out here]"));
    let mut wanted = on_debian("seq 100000");
    wanted["max_output_bytes"] = 300.into();
    let short = client.tool("vm_run", &wanted);
    assert!(short["stdout"].as_str().unwrap().len() < 400, "{short}");
    wanted["max_output_bytes"] = 1.into();
    let refused = client.ask("tools/call", json!({"name": "vm_run", "arguments": wanted}));
    let text = refused["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("max_output_bytes must be a number from 256"),
        "{text}"
    );
    client.finish().expect(0);
}

#[test]
fn a_workspace_outlives_what_is_cancelled_in_it_and_the_server() {
    let context = TestContext::with(debian());
    let mut client = Client::start(&context, Era::Legacy, &["--profile", "workspace-core"]);
    let created = client.tool("workspace_create", &json!({"environment": debian()}));
    let id = created["workspace_id"].as_str().unwrap().to_owned();
    let exec =
        |command: &str| json!({"workspace_id": id, "command": command, "timeout_seconds": 600});
    // Not in this profile.
    let secret = json!({"workspace_id": id, "command": "true", "secret_env": {"A": "A"}});
    let secret = json!({"name": "workspace_exec", "arguments": secret});
    let refused = client.ask("tools/call", secret);
    assert_eq!(refused["isError"], true, "{refused}");
    let text = refused["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("takes no 'secret_env'"), "{text}");

    let long = client.tool("workspace_exec", &exec("echo kept > note; seq 100000"));
    let stdout = long["stdout"].as_str().unwrap();
    let place = format!(
        "workspace_id {id}, sequence {}, offset 8192]",
        long["sequence"]
    );
    assert!(stdout.contains(&place), "{place}");
    let logs = client.tool(
        "workspace_logs",
        &json!({"workspace_id": id, "sequence": long["sequence"], "offset": 8192, "limit": 10}),
    );
    let (head, _) = stdout.split_once("\n[pyro: ").unwrap();
    assert_eq!(head.len(), 8192);
    let whole: Vec<_> = (1..=100_000).map(|number| format!("{number}\n")).collect();
    assert_eq!(logs["entries"][0]["stdout"], whole.concat()[8192..][..10]);

    let endless = client.call("workspace_exec", &exec("sleep 1234567"));
    // The brackets prevent the search from finding itself.
    let sleeping = r"cat /proc/[0-9]*/cmdline | tr '\0' ' ' | grep -c '[s]leep 1234567'; true";
    let count = |client: &mut Client| {
        let seen = client.tool("workspace_exec", &exec(sleeping));
        let count = seen["stdout"].as_str().unwrap().trim();
        count.parse::<u32>().unwrap()
    };
    let begun = Instant::now();
    while count(&mut client) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(100));
    }
    client.notify("notifications/cancelled", &json!({"requestId": endless}));
    let begun = Instant::now();
    while count(&mut client) > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(100),
            "it goes on in the guest"
        );
    }
    client.finish().expect(0);

    let kept = context
        .pyro(&["workspace", "exec", &id, "--", "cat", "note"])
        .run();
    kept.expect(0).out_is("kept\n");
    context.pyro(&["workspace", "delete", &id]).run().expect(0);
}

/// Reads a resource and returns its only part.
fn part(client: &mut Client, uri: &Value) -> Value {
    let read = client.ask("resources/read", json!({"uri": uri}));
    assert_eq!(read["contents"].as_array().unwrap().len(), 1, "{read}");
    assert_eq!(&read["contents"][0]["uri"], uri);
    read["contents"][0].clone()
}

#[test]
fn what_a_result_leaves_out_is_a_resource() {
    let context = TestContext::with(debian());
    let created = context
        .pyro(&["workspace", "create", debian(), "--json"])
        .run();
    let created: Value = serde_json::from_str(&created.expect(0).out()).unwrap();
    let id = created["workspace_id"].as_str().unwrap();
    let whole: Vec<_> = (1..=300_000).map(|number| format!("{number}\n")).collect();
    let whole = whole.concat();
    // Bytes that are not UTF-8, at the beginning of a part.
    let command = r"seq 300000; printf 'a\377z' >&2; head -c 99997 /dev/zero >&2";

    for era in ERAS {
        let mut client = Client::start(&context, era, &[]);
        let templates = client.ask("resources/templates/list", json!({}));
        let template = templates["resourceTemplates"][0]["uriTemplate"].as_str();
        assert!(
            template
                .unwrap()
                .starts_with("pyro://workspace/{workspace_id}/log/")
        );
        assert_eq!(
            client.ask("resources/list", json!({}))["resources"],
            json!([])
        );

        let arguments = json!({"workspace_id": id, "command": command, "timeout_seconds": 600});
        let call = client.call("workspace_exec", &arguments);
        let result = client.response(call)["result"].clone();
        let sequence = &result["structuredContent"]["sequence"];
        let uri = |stream| format!("pyro://workspace/{id}/log/{sequence}/{stream}");
        let links = &result["content"].as_array().unwrap()[1..];
        assert_eq!(links.len(), 2, "{links:?}");
        assert_eq!(links[0]["type"], "resource_link");
        assert_eq!(links[0]["uri"], uri("stdout"));
        assert_eq!(links[0]["size"], whole.len());
        assert_eq!(links[1]["uri"], uri("stderr"));

        let first = part(&mut client, &links[0]["uri"]);
        assert_eq!(first["text"], whole[..1024 * 1024]);
        assert_eq!(first["mimeType"], "text/plain");
        let second = part(&mut client, &first["_meta"]["pyro/next"]);
        assert_eq!(second["text"], whole[1024 * 1024..]);
        assert!(
            second["_meta"].get("pyro/next").is_none(),
            "{}",
            second["_meta"]
        );
        let middle = part(
            &mut client,
            &format!("{}?offset=2&limit=3", uri("stdout")).into(),
        );
        assert_eq!(middle["text"], whole[2..5]);
        let bytes = part(&mut client, &format!("{}?limit=3", uri("stderr")).into());
        assert_eq!((&bytes["blob"], bytes.get("text")), (&json!("Yf96"), None));
        assert_eq!(bytes["_meta"]["pyro/total_bytes"], 100_000);

        let logs = json!({"workspace_id": id, "sequence": sequence, "offset": 1000});
        let call = client.call("workspace_logs", &logs);
        let result = client.response(call)["result"].clone();
        assert_eq!(result["content"][1]["uri"], uri("stdout"));
        let stdout = result["structuredContent"]["entries"][0]["stdout"].clone();
        let left_out = whole.len() - 1000 - 16 * 1024;
        let marker = format!(
            "[pyro: {left_out} bytes of {} are left out here; they are in workspace_logs: \
             workspace_id {id}, sequence {sequence}, offset {}]",
            whole.len(),
            1000 + 8 * 1024
        );
        assert!(stdout.as_str().unwrap().contains(&marker), "{marker}");

        let code = if era == Era::Modern { -32602 } else { -32002 };
        for unknown in [
            "pyro://workspace/0123456789ab/log/1/stdout".to_owned(),
            format!("pyro://workspace/{id}/log/99/stdout"),
            uri("stdin"),
            "file:///etc/passwd".to_owned(),
        ] {
            let call = client.send("resources/read", json!({"uri": unknown}));
            let error = client.response(call)["error"].clone();
            assert_eq!(error["code"], code, "{error}");
            assert_eq!(error["data"]["uri"], unknown);
        }
        client.finish().expect(0);
    }
    context.pyro(&["workspace", "delete", id]).run().expect(0);

    let mut client = Client::start(&context, Era::Legacy, &["--profile", "vm-run"]);
    let call = client.send("resources/read", json!({"uri": "pyro://x"}));
    assert_eq!(client.response(call)["error"]["code"], -32002);
    client.finish().expect(0);
}

/// Sends a request by HTTP and returns the status and what follows.
pub(crate) fn post(address: &str, headers: &str, body: impl AsRef<[u8]>) -> (u16, String) {
    let body = body.as_ref();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\n{headers}Content-Type: application/json\r\nConnection: close\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    // A server that refuses a request by its header closes the connection.
    let _unread = stream.write_all(body);
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut rest = String::new();
    let _cut = reader.read_to_string(&mut rest);
    (status, rest)
}

#[test]
fn http_is_for_those_who_know_the_token_and_come_from_here() {
    let context = TestContext::with(debian());
    let (server, address, token) = serve_http(&context);
    let known = format!("Authorization: Bearer {token}\r\n");
    let local = format!("Host: {address}\r\n");

    let body = |command: &str| {
        json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "vm_run", "arguments": on_debian(command), "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }},
        })
        .to_string()
    };
    let era = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: vm_run\r\n";
    let refused = [
        (local.clone(), 401),
        (
            format!("{local}Authorization: Bearer {}\r\n", "0".repeat(64)),
            401,
        ),
        (
            format!("{local}Authorization: Bearer {}\r\n", &token[1..]),
            401,
        ),
        (format!("Host: evil.example\r\n{known}"), 403),
        (
            format!("{local}{known}Origin: http://evil.example\r\n"),
            403,
        ),
    ];
    for (headers, expected) in refused {
        let (status, rest) = post(&address, &format!("{headers}{era}"), body("true"));
        assert_eq!(status, expected, "{headers}: {rest}");
    }
    let headers = format!("{local}{known}{era}");
    let (status, rest) = post(&address, &headers, body("echo by HTTP"));
    assert_eq!(status, 200, "{rest}");
    assert!(rest.contains(r#""stdout":"by HTTP\n""#), "{rest}");
    for nonsense in ["", "{", "[]", "\u{fffd}", &"[".repeat(5 * 1024 * 1024)] {
        let (status, rest) = post(&address, &headers, nonsense);
        assert!((400..500).contains(&status), "{status}: {rest}");
    }

    // Closing the connection cancels the call.
    let mut stream = TcpStream::connect(&address).unwrap();
    let body = body("sleep 1000");
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\n{headers}Content-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    wait_for_machines(&context, 1);
    drop(stream);
    wait_for_machines(&context, 0);

    server.signal(Signal::TERM);
    server.finish().expect(0).out_is("").err_lacks("panicked");
}

#[test]
fn nobody_else_is_let_in_without_a_token_that_was_chosen() {
    let context = TestContext::new();
    let listen = [
        "mcp",
        "serve",
        "--transport",
        "http",
        "--listen",
        "0.0.0.0:0",
    ];
    let refused = context.pyro(&listen).run().expect(1);
    refused
        .err_has("no token was given")
        .err_has("hint: ")
        .out_is("");
    let short = context.pyro(&listen).env("PYRO_MCP_TOKEN", "short");
    short.run().expect(1).err_has("the token must be");
    fs::write(context.path("token"), "0123456789abcdef-chosen\n").unwrap();
    let path = context.path("token");
    let file = ["--token-file", path.to_str().unwrap()];
    fs::set_permissions(file[1], fs::Permissions::from_mode(0o644)).unwrap();
    let open = context.pyro(&listen).args(&file).run().expect(1);
    open.err_has("others can read the token")
        .err_has("chmod 600");
    fs::set_permissions(file[1], fs::Permissions::from_mode(0o600)).unwrap();
    let mut server = context.pyro(&listen).args(&file).start();
    server.wait_for_stderr("listening on ");
    server.signal(Signal::TERM);
    server.finish().expect(0).err_lacks("chosen");
}
