//! Unusual surroundings of pyro: search path, directories, limits.

use std::fs;

use crate::context::{TestContext, debian, path_with};

#[test]
fn a_long_search_path_reaches_all_processes() {
    let context = TestContext::with(debian());
    let long = "/nowhere/to/be/found:".repeat(3000);
    let path = format!("{long}{}", path_with(&context.directory().join("none")));
    let create = ["workspace", "create", debian(), "--json"];
    let created = context
        .pyro(&create)
        .env("PATH", &path)
        .run()
        .expect(0)
        .json();
    let id = created["workspace_id"].as_str().unwrap();
    for words in [
        ["workspace", "exec", id, "--", "true"].as_slice(),
        &["run", debian(), "--", "true"],
        &["workspace", "delete", id],
    ] {
        context.pyro(words).env("PATH", &path).run().expect(0);
    }
}

#[test]
fn a_relative_base_directory_is_relative_to_where_pyro_starts() {
    let context = TestContext::with(debian());
    let pyro = |words: &[&str]| context.pyro(words).env("PYRO_BASE_DIR", "here/base");
    pyro(&["run", debian(), "--", "true"]).run().expect(0);
    let create = pyro(&["workspace", "create", debian(), "--json"]);
    let created = create.run().expect(0).json();
    let id = created["workspace_id"].as_str().unwrap();
    pyro(&["workspace", "exec", id, "--", "true"])
        .run()
        .expect(0);
    assert!(context.path("home/here/base/workspaces").join(id).exists());
    // From another directory it is a different one.
    let elsewhere = pyro(&["workspace", "list"]).directory(context.directory());
    elsewhere.run().expect(0).out_is("No workspaces found.\n");
    pyro(&["workspace", "delete", id]).run().expect(0);
    let gone = context.scripted(
        "mkdir gone; cd gone; rmdir ../gone; PYRO_BASE_DIR=here exec \"$@\"",
        &["run", debian(), "--", "true"],
    );
    gone.run()
        .expect(1)
        .err_has("set PYRO_BASE_DIR to an absolute path");
}

/// An unusable directory must not lead to a suggestion to give up isolation.
#[test]
fn a_base_directory_that_cannot_be_used_is_named() {
    let context = TestContext::with(debian());
    let file = context.path("file");
    fs::write(&file, "").unwrap();
    for base in [file.to_str().unwrap(), "/proc/nothing", "/sys/nothing"] {
        for words in [
            ["run", debian(), "--", "true"].as_slice(),
            &["workspace", "create", debian()],
        ] {
            context
                .pyro(words)
                .env("PYRO_BASE_DIR", base)
                .run()
                .expect(1)
                .err_has(base)
                .err_has("set PYRO_BASE_DIR")
                .err_lacks("host-compat");
        }
    }
}

#[test]
fn limits_that_are_too_low_are_named_and_those_that_can_be_raised_are() {
    let context = TestContext::with(debian());
    let run = ["run", debian(), "--", "true"];
    let create = ["workspace", "create", debian()];
    for words in [
        run.as_slice(),
        &create,
        &["run", "--cold", debian(), "--", "true"],
    ] {
        for (limit, name) in [
            ("ulimit -f 1000", "ulimit -f"),
            ("ulimit -n 30", "ulimit -n"),
            ("ulimit -n 16", "ulimit -n"),
            ("ulimit -n 8", "ulimit -n"),
            // The parent process may pass open files.
            (
                "exec 3</dev/null 4</dev/null 5</dev/null; ulimit -n 8",
                "ulimit -n",
            ),
        ] {
            let script = format!("{limit}; exec \"$@\"");
            let refused = context.scripted(&script, words).run().expect(1);
            refused.err_has(name).err_has("code: resource_limit");
        }
    }
    for limit in ["ulimit -S -f 1000", "ulimit -S -n 8"] {
        let script = format!("{limit}; exec \"$@\"");
        context.scripted(&script, &run).run().expect(0);
    }
}
