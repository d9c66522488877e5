//! The end of the MCP server's streams.

use std::io::{BufRead, BufReader, Read};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::mcp_client::{Client, Era, on_debian};

#[test]
fn what_was_asked_before_the_end_is_answered_before_the_end() {
    let context = TestContext::with(debian());
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
    // The last line needs no newline.
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

/// The answers are not read.
#[test]
fn a_client_that_is_gone_is_not_waited_for() {
    let context = TestContext::with(debian());
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
    // This does not measure the duration, but checks that it did not wait for the command.
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
    // A closed output is not an error.
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

/// On a signal, pending requests from before the end of the input are not completed.
#[test]
fn a_signal_ends_the_server_at_once_after_the_end_of_its_input() {
    let context = TestContext::with(debian());
    let mut client = Client::start(&context, Era::Legacy, &[]);
    client.call("vm_run", &on_debian("sleep 1000"));
    client.wait_for_news("execute");
    client.server.say_no_more();
    let begun = Instant::now();
    client.server.signal(Signal::TERM);
    client.finish().expect(0);
    // This does not measure the duration, but checks that it did not wait for the command.
    assert!(begun.elapsed() < Duration::from_secs(60));
    context.assert_nothing_is_left();
}

/// A client that has closed its input could not request a task's result.
#[test]
fn no_call_becomes_a_task_after_the_end_of_the_input() {
    let context = TestContext::with(debian());
    let capabilities = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let server = context
        .pyro(&["mcp", "serve"])
        .silent_stdin()
        .start_unread();
    let mut client = Client::of(server, Era::Modern, capabilities);
    let id = client.call("vm_run", &on_debian("sleep 12; echo done"));
    client.server.say_no_more();
    let answer = client.response(id);
    assert_eq!(
        answer["result"]["structuredContent"]["stdout"], "done\n",
        "{answer}"
    );
    client.finish().expect(0);
}

/// With many errors, and a slow reader of them.
#[test]
fn everything_wrong_is_answered() {
    let context = TestContext::new();
    let count = 6000;
    let mut server = context
        .pyro(&["mcp", "serve"])
        .stdin("no JSON\n".repeat(count))
        .start_unread();
    let mut stdout = server.take_stdout();
    // It has time to read everything.
    thread::sleep(Duration::from_secs(1));
    let mut answers = String::new();
    stdout.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.lines().count(), count);
    server.finish().expect(0);
}

#[test]
fn a_call_that_waits_for_the_hosts_disk_holds_up_no_other() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    workspace.ask("echo printed");
    // A file that blocks, like one on a hanging disk, until a writer opens the pipe.
    let log = workspace.directory().join("history/000001/stdout");
    std::fs::remove_file(&log).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &log, 0o600.into()).unwrap();
    let mut client = Client::start(&context, Era::Modern, &[]);
    let waiting = client.call("workspace_logs", &json!({"workspace_id": workspace.id}));
    let listed = client.tool("workspace_list", &json!({}));
    assert_eq!(listed["count"], 1);
    let early = client.rest();
    assert!(
        early.iter().all(|message| message["id"] != waiting),
        "{early:?}"
    );
    let both_ends = std::fs::File::options().read(true).write(true).open(&log);
    drop(both_ends.unwrap());
    client.response(waiting);
    client.finish().expect(0);
}
