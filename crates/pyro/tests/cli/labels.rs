//! Names and labels of workspaces, and the list of workspaces.

use std::thread;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::instances::{Instance, Kind};
use crate::mcp_client::{Client, Era};
use crate::workspaces::keys;

const LISTED: &[&str] = &[
    "command_count",
    "created_at",
    "environment",
    "expires_at",
    "labels",
    "last_activity_at",
    "name",
    "running_service_count",
    "service_count",
    "state",
    "workspace_id",
];

/// The result of `workspace update ID` with these options.
#[track_caller]
fn update(workspace: &Instance<'_>, options: &[&str]) -> Value {
    let call = workspace.call(&["update", "--json"]).args(options);
    call.run().expect(0).json()
}

fn list(context: &TestContext) -> Vec<Value> {
    let list = context.pyro(&["workspace", "list", "--json"]).run();
    let list = list.expect(0).json();
    let workspaces = list["workspaces"].as_array().unwrap().clone();
    assert_eq!(list["count"], workspaces.len());
    workspaces
}

fn ids(context: &TestContext) -> Vec<String> {
    let id = |workspace: &Value| workspace["workspace_id"].as_str().unwrap().to_owned();
    list(context).iter().map(id).collect()
}

#[test]
fn a_workspace_has_a_name_and_labels_that_can_be_changed() {
    let context = TestContext::with(debian());
    let made = context.pyro(&["workspace", "create", debian(), "--id-only"]);
    let named = [
        "--name",
        "fix \x1b[2J it",
        "--label",
        "issue=123",
        "--label",
        "a=b=c",
    ];
    let made = made.args(&named).run().expect(0).out();
    let id = made.strip_suffix('\n').unwrap();
    assert_eq!(id.len(), 12, "{made:?}");
    let workspace = Instance::known(&context, Kind::Workspace, id.to_owned());
    let status = workspace.status();
    assert_eq!(status["name"], "fix \x1b[2J it");
    assert_eq!(status["labels"], json!({"a": "b=c", "issue": "123"}));

    let shown = workspace.call(&["status"]).run().expect(0).out();
    let head = format!(
        "Workspace ID: {id}\nName: fix \\u{{1b}}[2J it\nLabels: a=b=c, issue=123\nEnvironment: {}\n",
        debian()
    );
    assert!(shown.starts_with(&head), "{shown}");
    let listed = list(&context);
    assert_eq!(keys(&listed[0]), LISTED);
    for key in ["name", "labels", "last_activity_at", "state", "expires_at"] {
        assert_eq!(listed[0][key], workspace.status()[key], "{key}");
    }
    let table = context.pyro(&["workspace", "list"]).run().expect(0).out();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("WORKSPACE ID  NAME "), "{table}");
    assert!(
        lines[1].starts_with(&format!(
            "{id}  fix \\u{{1b}}[2J it  started  {} ",
            debian()
        )),
        "{table}"
    );
    assert!(
        lines[1].ends_with(" s ago        a=b=c, issue=123"),
        "{table}"
    );

    let changed = update(
        &workspace,
        &["--name", "done", "--label", "a=2", "--clear-label", "issue"],
    );
    assert_eq!(
        (&changed["name"], &changed["labels"]),
        (&json!("done"), &json!({"a": "2"}))
    );
    // Running commands are not affected, and a stopped workspace keeps its labels, even after a
    // reset.
    workspace.call(&["stop"]).run().expect(0);
    let changed = update(&workspace, &["--label", "b="]);
    assert_eq!(changed["state"], "stopped");
    workspace.call(&["reset"]).run().expect(0);
    let status = workspace.status();
    assert_eq!(
        (&status["name"], &status["labels"]),
        (&json!("done"), &json!({"a": "2", "b": ""}))
    );
    let cleared = update(
        &workspace,
        &["--clear-name", "--clear-label", "a", "--clear-label", "b"],
    );
    assert_eq!(
        (&cleared["name"], &cleared["labels"]),
        (&Value::Null, &json!({}))
    );
}

#[test]
fn an_update_is_all_or_nothing_and_one_of_many_loses_none() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &["--name", "first", "--label", "a=1"]);
    let table: &[(&[&str], &str, &str)] = &[
        (&[], "nothing_to_change", "no effective metadata change"),
        (
            &["--name", "first", "--label", "a=1"],
            "nothing_to_change",
            "no effective",
        ),
        (&["--clear-label", "b"], "nothing_to_change", "no effective"),
        (
            &["--name", "second", "--label", "a b=1"],
            "invalid_input",
            "the key of a label",
        ),
        (
            &["--label", "c=1", "--name", ""],
            "invalid_input",
            "name must not be empty",
        ),
        (
            &["--label", "c=1", "--name", "a\nb"],
            "invalid_input",
            "line break",
        ),
        (
            &["--name", "second", "--clear-name"],
            "invalid_input",
            "exclude each other",
        ),
        (
            &["--name", "second", "--label", "a=2", "--clear-label", "a"],
            "invalid_input",
            "is both",
        ),
    ];
    for (options, code, text) in table {
        let call = workspace.call(&["update", "--json"]).args(options);
        let error = call.run().expect(1).json_error(code, true);
        let message = error["error"].as_str().unwrap();
        assert!(message.contains(text), "{options:?}: {message}");
    }
    let call = workspace.call(&["update", "--name", "second", "--label", "c"]);
    call.run().expect(2).err_has("it must be KEY=VALUE");
    let status = workspace.status();
    assert_eq!(
        (&status["name"], &status["labels"]),
        (&json!("first"), &json!({"a": "1"}))
    );

    thread::scope(|scope| {
        for number in 0..8 {
            let workspace = &workspace;
            scope.spawn(move || update(workspace, &["--label", &format!("n{number}={number}")]));
        }
    });
    let labels = workspace.status()["labels"].clone();
    assert_eq!(labels.as_object().unwrap().len(), 9, "{labels}");
    // Together with the existing ones, these are too many.
    let many: Vec<String> = (0..56).map(|key| format!("--label=k{key}=")).collect();
    let call = workspace.call(&["update", "--json"]).args(&many);
    call.run().expect(1).json_error("invalid_input", true);
    assert_eq!(workspace.status()["labels"], labels);
}

#[test]
fn a_wrong_name_or_label_makes_no_workspace() {
    let context = TestContext::new();
    for options in [
        ["--name", ""].as_slice(),
        &["--name", "a\nb"],
        &["--label", "a b=c"],
        &["--label", &format!("a={}", "x".repeat(121))],
    ] {
        let create = context.pyro(&["workspace", "create", debian(), "--json"]);
        let refused = create.args(options).run().expect(1);
        refused.json_error("invalid_input", true);
    }
    let both = ["workspace", "create", debian(), "--json", "--id-only"];
    context.pyro(&both).run().expect(2);
    assert!(list(&context).is_empty());
}

#[test]
fn the_last_used_workspace_comes_first() {
    let context = TestContext::with(debian());
    let first = Instance::workspace(&context, &["--name", "first"]);
    let second = Instance::workspace(&context, &["--name", "second"]);
    let order = |used: &Instance<'_>, other: &Instance<'_>| {
        assert_eq!(ids(&context), [used.id.as_str(), &other.id]);
    };
    order(&second, &first);
    first.ask("true");
    order(&first, &second);
    // Reading does not count as use.
    let before = second.status()["last_activity_at"].clone();
    second.logs();
    assert_eq!(second.status()["last_activity_at"], before);
    order(&first, &second);
    let write = second.call(&["file", "write"]).args(&["a", "--text", "b"]);
    write.run().expect(0);
    order(&second, &first);
    first.push(context.path("home")).run().expect(0);
    order(&first, &second);
    update(&second, &["--label", "a=1"]);
    order(&second, &first);
    // The end of a command also counts as use.
    let mut running = first.shell("echo up; sleep 1").start();
    running.wait_for_stdout("up");
    second.ask("true");
    order(&second, &first);
    running.finish().expect(0);
    order(&first, &second);
}

#[test]
fn a_model_names_and_labels_workspaces() {
    let context = TestContext::with(debian());
    let mut client = Client::start(&context, Era::Legacy, &[]);
    // A number is converted to a string.
    let create = json!({"environment": debian(), "name": "fix", "labels": {"issue": 7}});
    let made = client.tool("workspace_create", &create);
    assert_eq!(made["labels"], json!({"issue": "7"}));
    let id = made["workspace_id"].clone();
    let change = json!({"workspace_id": id, "clear_name": true, "labels": {"a": "1"}, "clear_labels": ["issue"]});
    let changed = client.tool("workspace_update", &change);
    assert_eq!(
        (&changed["name"], &changed["labels"]),
        (&Value::Null, &json!({"a": "1"}))
    );
    let listed = client.tool("workspace_list", &json!({}));
    assert_eq!(listed["workspaces"][0]["labels"], json!({"a": "1"}));
    let call = client.call("workspace_update", &change);
    let refused = client.response(call)["result"].clone();
    assert_eq!(refused["isError"], true, "{refused}");
    let told = refused["content"][0]["text"].as_str().unwrap();
    assert!(
        told.contains("nothing_to_change") && told.contains("`workspace_list`"),
        "{told}"
    );
    client.tool("workspace_delete", &json!({"workspace_id": id}));
    client.finish();
}
