//! A workspace whose directory a command has removed, or replaced by something else.

use std::fs;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::trees::tree;

/// A workspace that began with three files, two of them in a directory.
fn seeded(context: &TestContext) -> Instance<'_> {
    let source = context.path("source");
    fs::create_dir_all(source.join("src")).unwrap();
    for name in ["read me", "src/one", "src/two"] {
        fs::write(source.join(name), format!("{name}\n")).unwrap();
    }
    Instance::workspace(context, &["--seed-path".as_ref(), source.as_os_str()])
}

/// The next command makes the directory again, so this is the last one.
fn remove(workspace: &Instance<'_>) {
    workspace.ask("cd /; rm -r /workspace");
}

fn ask(workspace: &Instance<'_>, words: &[&str], more: &[&str]) -> Value {
    let call = workspace.call(words).args(more).args(&["--json"]);
    call.run().expect(0).json()
}

#[track_caller]
fn refused(workspace: &Instance<'_>, words: &[&str], more: &[&str], code: &str) {
    let call = workspace.call(words).args(more).args(&["--json"]);
    call.run().expect(1).json_error(code, true);
}

#[test]
fn a_directory_that_was_removed_has_nothing_in_it() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    remove(&workspace);
    let listed = ask(&workspace, &["file", "list"], &["--recursive"]);
    assert_eq!(listed["entries"], json!([]));
    let different = ask(&workspace, &["diff"], &[]);
    // Three files and a directory.
    assert_eq!(different["summary"]["deleted"], 4, "{different}");
    assert_eq!(different["summary"]["total"], 4, "{different}");
    let made = ask(&workspace, &["snapshot", "create"], &["without"]);
    assert_eq!(made["snapshot"]["entry_count"], 0, "{made}");
    assert_eq!(made["snapshot"]["bytes_written"], 0, "{made}");
    // What is named and not there cannot be copied.
    let out = context.path("out").to_str().unwrap().to_owned();
    for path in [".", "src"] {
        let more = [path, "--output", &out];
        refused(&workspace, &["export"], &more, "no_such_file");
    }
    refused(&workspace, &["file", "read"], &["src/one"], "no_such_file");

    // Brought home, it is a directory with nothing in it, until that is undone.
    let source = context.path("source");
    let before = tree(&source);
    let pulled = ask(&workspace, &["sync", "pull"], &[]);
    assert_eq!(pulled["summary"]["deleted"], 4, "{pulled}");
    assert_eq!(fs::read_dir(&source).unwrap().count(), 0);
    ask(&workspace, &["sync", "pull"], &["--undo"]);
    assert_eq!(tree(&source), before);

    // What is put into it makes it.
    let patch = context.path("patch");
    let text = "--- /dev/null\n+++ b/made/x\n@@ -0,0 +1 @@\n+x\n";
    fs::write(&patch, text).unwrap();
    let file = ["--patch-file", patch.to_str().unwrap()];
    ask(&workspace, &["patch", "apply"], &file);
    assert_eq!(workspace.ask("pwd; cat made/x"), "/workspace\nx\n");
    remove(&workspace);
    workspace.push(&source).run().expect(0);
    assert_eq!(workspace.ask("cat src/two"), "src/two\n");
    remove(&workspace);
    let text = ["new/file", "--text", "x"];
    ask(&workspace, &["file", "write"], &text);
    assert_eq!(workspace.ask("ls; cat new/file"), "new\nx");

    ask(&workspace, &["reset"], &["--snapshot", "without"]);
    assert_eq!(workspace.ask("pwd; ls -A"), "/workspace\n");
}

#[test]
fn a_stopped_workspace_without_its_directory_is_read_too() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    ask(&workspace, &["snapshot", "create"], &["whole"]);
    remove(&workspace);
    ask(&workspace, &["stop"], &[]);
    for against in ["baseline", "whole"] {
        let different = ask(&workspace, &["diff"], &["--against", against]);
        assert_eq!(different["summary"]["deleted"], 4, "{different}");
        assert_eq!(different["summary"]["total"], 4, "{different}");
    }
    let root = ask(&workspace, &["disk", "list"], &["/"]);
    let entries = root["entries"].as_array().unwrap();
    assert!(!entries.iter().any(|entry| entry["path"] == "/workspace"));
    refused(&workspace, &["disk", "list"], &[], "no_such_file");
    let image = context.path("disk.ext4").to_str().unwrap().to_owned();
    ask(&workspace, &["disk", "export"], &["--output", &image]);
    let made = ask(&workspace, &["snapshot", "create"], &["without"]);
    assert_eq!(made["snapshot"]["entry_count"], Value::Null);
    ask(&workspace, &["start"], &[]);
    assert_eq!(workspace.ask("pwd; ls -A"), "/workspace\n");
}

#[test]
fn a_snapshot_is_made_whatever_is_in_the_directorys_place() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask("cd /; rm -r /workspace; echo file > /workspace");
    let made = ask(&workspace, &["snapshot", "create"], &["file"]);
    assert_eq!(made["snapshot"]["entry_count"], Value::Null, "{made}");
    assert_eq!(made["snapshot"]["bytes_written"], Value::Null, "{made}");
    // It is no directory with nothing in it: a pull must not take it for one.
    for words in [&["diff"][..], &["sync", "pull"]] {
        refused(&workspace, words, &[], "bad_path");
    }
    ask(&workspace, &["reset"], &[]);
    assert_eq!(workspace.ask("cat 'read me'"), "read me\n");
    ask(&workspace, &["reset"], &["--snapshot", "file"]);
    assert_eq!(workspace.ask("pwd; cat /workspace"), "/\nfile\n");
}
