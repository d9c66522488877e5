//! Calls of the MCP server that take longer than a host waits.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::mcp_client::{Client, Era, on_debian};

/// A client that has tasks, of a server of its own.
fn with_tasks(context: &TestContext) -> Client {
    let server = context.pyro(&["mcp", "serve"]).silent_stdin();
    let capabilities = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    Client::of(server.start_unread(), Era::Modern, capabilities)
}

/// The state of a task that works no more.
fn settled(client: &mut Client, task: &Value) -> Value {
    loop {
        let state = client.ask("tasks/get", task.clone());
        if state["status"] != "working" {
            return state;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The task that a call has become.
fn task_of(client: &mut Client, id: u64) -> Value {
    let task = client.response(id)["result"].clone();
    assert_eq!(task["resultType"], "task", "{task}");
    json!({"taskId": task["taskId"]})
}

#[test]
fn long_work_becomes_a_task_where_the_client_has_tasks() {
    let context = TestContext::with(debian());
    let mut client = with_tasks(&context);
    let arguments = |command| json!({"name": "vm_run", "arguments": on_debian(command)});
    let short = client.ask("tools/call", arguments("true"));
    assert_eq!(short["resultType"], "complete", "{short}");

    let long = client.send("tools/call", arguments("sleep 14; echo done"));
    let endless = client.send("tools/call", arguments("sleep 1000"));
    let [long, endless] = [long, endless].map(|id| task_of(&mut client, id));
    client.ask("tasks/cancel", endless.clone());
    assert_eq!(settled(&mut client, &endless)["status"], "cancelled");
    let state = settled(&mut client, &long);
    assert_eq!(state["status"], "completed", "{state}");
    assert_eq!(state["result"]["structuredContent"]["stdout"], "done\n");
    client.finish().expect(0);
    context.assert_nothing_is_left();
}

/// What a workspace does is kept in the workspace: another server answers for the task.
#[test]
fn a_command_of_a_workspace_outlives_the_server() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    let mut client = with_tasks(&context);
    let exec = |command: &str| {
        let arguments = json!({
            "workspace_id": workspace.id,
            "command": command,
            "timeout_seconds": 900,
            "max_output_bytes": 256,
        });
        json!({"name": "workspace_exec", "arguments": arguments})
    };
    let waits = "until test -e go; do sleep 0.2; done; seq 1000; echo oops >&2; exit 7";
    let long = client.send("tools/call", exec(waits));
    let killed = client.send("tools/call", exec("sleep 1000"));
    let fed = exec("cat; sleep 12; echo done");
    let mut fed = fed;
    fed["arguments"]["stdin"] = "input\n".into();
    let fed = client.send("tools/call", fed);
    let [long, killed, fed] = [long, killed, fed].map(|id| task_of(&mut client, id));
    let first = client.ask("tasks/get", long.clone());
    assert_eq!(first["status"], "working", "{first}");
    client.finish().expect(0);

    let mut client = with_tasks(&context);
    let state = client.ask("tasks/get", long.clone());
    assert_eq!(state["status"], "working", "{state}");
    assert_eq!(state["createdAt"], first["createdAt"]);
    client.ask("tasks/cancel", killed.clone());
    let state = settled(&mut client, &killed);
    assert_eq!(
        state["result"]["structuredContent"]["exit_code"], 137,
        "{state}"
    );
    workspace.shell("touch go").run().expect(0);
    let state = settled(&mut client, &long);
    assert_eq!(state["status"], "completed", "{state}");
    let result = &state["result"]["structuredContent"];
    assert_eq!(result["exit_code"], 7, "{state}");
    assert_eq!(result["command"], waits);
    assert_eq!(result["stderr"], "oops\n");
    let stdout = result["stdout"].as_str().unwrap();
    assert!(
        stdout.starts_with("1\n2\n") && stdout.ends_with("\n1000\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("bytes of 3893 are left out here"),
        "{stdout}"
    );
    let state = settled(&mut client, &fed);
    assert_eq!(
        state["result"]["structuredContent"]["stdout"], "input\ndone\n",
        "{state}"
    );

    // A task whose workspace is gone is unknown, and the text says why.
    workspace.call(&["delete"]).run().expect(0);
    let id = client.send("tasks/get", long);
    let error = client.response(id)["error"].clone();
    assert!(
        error["message"].as_str().unwrap().contains(&workspace.id),
        "{error}"
    );
    client.finish().expect(0);
    context.assert_nothing_is_left();
}
