//! A whole cycle of work with a pull at the end, run twice: by the command line, with a process for
//! each step, and by the tools of one MCP server.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::instances::{Instance, Kind};
use crate::mcp_client::{Client, Era};
use crate::trees::{apply, copy, tree};

/// Carries out an operation by the name of its tool; returns its result or its error.
type Face<'a> = &'a mut dyn FnMut(&str, Value) -> Result<Value, Value>;

#[test]
fn work_comes_home_by_the_command_line() {
    let context = TestContext::with(debian());
    run_story(&context, &mut |name, arguments| {
        let (words, positional) = command(name);
        let mut call = context.pyro(&words).args(&["--json"]);
        let mut last = Vec::new();
        for (key, value) in arguments.as_object().unwrap() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let option = match key.as_str() {
                "output_path" => "--output".to_owned(),
                key => format!("--{}", key.replace('_', "-")),
            };
            if key == "command" {
                last = ["--", "sh", "-c", &text].map(str::to_owned).to_vec();
            } else if !positional.contains(&key.as_str()) {
                call = match value {
                    Value::Bool(_) => call.args(&[option]),
                    _ => call.args(&[option, text]),
                };
            }
        }
        for key in positional {
            call = call.args(&[arguments[key].as_str().unwrap()]);
        }
        let run = call.args(&last).run();
        let value = run.json();
        if run.code == 0 { Ok(value) } else { Err(value) }
    });
}

/// The words of a command, and the properties that correspond to its arguments.
fn command(name: &str) -> (Vec<&str>, &'static [&'static str]) {
    let words = name.split('_').collect();
    match name {
        "workspace_create" => (words, &["environment"]),
        "workspace_file_read" | "workspace_file_write" | "workspace_export" => {
            (words, &["workspace_id", "path"])
        }
        "snapshot_create" => (
            vec!["workspace", "snapshot", "create"],
            &["workspace_id", "snapshot_name"],
        ),
        _ => (words, &["workspace_id"]),
    }
}

#[test]
fn work_comes_home_by_the_tools_of_a_server() {
    let context = TestContext::with(debian());
    let files = context.path("").to_str().unwrap().to_owned();
    let mut client = Client::start(&context, Era::Legacy, &["--files", &files, "--allow-pull"]);
    run_story(&context, &mut |name, arguments| {
        let id = client.call(name, &arguments);
        let result = client.response(id)["result"].clone();
        if result["isError"] == false {
            Ok(result["structuredContent"].clone())
        } else {
            Err(result["_meta"]["pyro/error"].clone())
        }
    });
    client.finish().expect(0);
}

fn run_story(context: &TestContext, face: Face<'_>) {
    let (home, patched, out) = (
        context.path("home"),
        context.path("patched"),
        context.path("out"),
    );
    fs::create_dir_all(home.join("src")).unwrap();
    fs::write(
        home.join("src/main.py"),
        "print('one')\n\n\n\nprint('two')\n",
    )
    .unwrap();
    fs::write(home.join("README"), "a project\n").unwrap();
    fs::write(home.join("old"), "old\n").unwrap();
    copy(&home, &patched);
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let created = face(
        "workspace_create",
        json!({"environment": debian(), "seed_path": path(&home)}),
    );
    let created = created.unwrap();
    let id = created["workspace_id"].as_str().unwrap().to_owned();
    // Deleted at the end.
    let _workspace = Instance::known(context, Kind::Workspace, id.clone());
    let mut ask = |name: &str, more: Value| {
        let mut arguments = json!({"workspace_id": id});
        for (key, value) in more.as_object().unwrap() {
            arguments[key] = value.clone();
        }
        face(name, arguments)
    };

    // Work.
    let script = "sed -i s/one/1/ src/main.py; rm old; mkdir -p made; printf '\\0\\377' > made/bin; \
                  ln -s ../README made/link; echo '#!/bin/sh' > run; chmod +x run";
    let ran = ask("workspace_exec", json!({"command": script})).unwrap();
    assert_eq!(ran["exit_code"], 0, "{ran}");
    let list = ask("workspace_file_list", json!({"recursive": true})).unwrap();
    assert_eq!(list["entries"].as_array().unwrap().len(), 7, "{list}");
    ask(
        "workspace_file_write",
        json!({"path": "notes", "text": "remember\n"}),
    )
    .unwrap();
    let read = ask("workspace_file_read", json!({"path": "src/main.py"})).unwrap();
    assert_eq!(read["content"], "print('1')\n\n\n\nprint('two')\n");

    // The changes, as a patch.
    let diff = ask("workspace_diff", json!({})).unwrap();
    apply(&patched, diff["patch"].as_str().unwrap().as_bytes());
    let wanted = tree(&patched);

    // Everything is destroyed, then restored.
    ask("snapshot_create", json!({"snapshot_name": "good"})).unwrap();
    ask("workspace_exec", json!({"command": "rm -rf *"})).unwrap();
    ask("workspace_reset", json!({"snapshot": "good"})).unwrap();
    ask(
        "workspace_export",
        json!({"path": ".", "output_path": path(&out)}),
    )
    .unwrap();
    assert!(
        tree(&out) == wanted,
        "the patch, the snapshot and the export are one"
    );

    // The pull, first with a conflict.
    fs::write(
        home.join("src/main.py"),
        "print('eins')\n\n\n\nprint('two')\n",
    )
    .unwrap();
    let before = tree(&home);
    let conflict = ask("workspace_sync_pull", json!({})).unwrap_err();
    assert_eq!(conflict["code"], "pull_conflicts", "{conflict}");
    assert!(tree(&home) == before, "nothing was changed");
    // Then with changes to different lines.
    fs::write(
        home.join("src/main.py"),
        "print('one')\n\n\n\nprint('zwei')\n",
    )
    .unwrap();
    let before = tree(&home);
    let pulled = ask("workspace_sync_pull", json!({})).unwrap();
    assert_eq!(pulled["summary"]["merged"], 1, "{pulled}");
    let merged = fs::read_to_string(home.join("src/main.py")).unwrap();
    assert_eq!(merged, "print('1')\n\n\n\nprint('zwei')\n");
    let mut home_now = tree(&home);
    home_now.insert(b"src/main.py".to_vec(), wanted[&b"src/main.py"[..]].clone());
    assert!(home_now == wanted, "all else is what the workspace has");
    ask("workspace_sync_pull", json!({"undo": true})).unwrap();
    assert!(tree(&home) == before, "it was taken back");
}
