//! What comes out of a workspace: `workspace export`.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::context::TestContext;
use crate::instances::{Instance, kill};
use crate::mcp_client::{Client, Era};
use crate::process::{Finished, Pyro};

const NONE: &[&str] = &[];

fn export(workspace: &Instance<'_>, path: &str, output: &Path) -> Pyro {
    let call = workspace.call(&["export"]).args(&[path, "--output"]);
    call.args(&[output])
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().as_bytes().to_vec())
        .collect();
    names.sort();
    names
}

#[test]
fn files_directories_and_links_come_out_as_they_are() {
    let context = TestContext::with("debian:12");
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask(
        "mkdir -p tree/empty tree/deep/er; cd tree; printf 'x' > 'a b'; printf y > \"$(printf 'n\\nl')\"; \
         printf z > \"$(printf '\\377')\"; echo '#!/bin/sh' > run; chmod 4755 run; ln a\\ b again; \
         ln -s ../../etc/passwd out; ln -s run in; mkfifo pipe; mknod null c 1 3; \
         chmod 0500 deep; touch -d @1000000000.5 run; chown -R nobody .; \
         head -c 30000000 /dev/urandom > big",
    );
    let out = context.path("out");
    fs::create_dir(&out).unwrap();
    let tree = out.join("tree");
    let done = export(&workspace, "tree", &tree).args(&["--json"]).run();
    let done = done.expect(0).json();
    assert_eq!(done["workspace_path"], "/workspace/tree");
    assert_eq!(done["output_path"], tree.to_str().unwrap());
    assert_eq!(done["artifact_type"], "directory");
    assert_eq!(done["execution_mode"], "guest_vsock");
    assert_eq!(done["entry_count"], 12, "{done}");
    assert_eq!(done["bytes_written"], 30_000_013, "{done}");
    assert_eq!(done["left_out_count"], 2, "the pipe and the device: {done}");
    let expected: [&[u8]; 10] = [
        b"a b", b"again", b"big", b"deep", b"empty", b"in", b"n\nl", b"out", b"run", b"\xff",
    ];
    assert_eq!(names(&tree), expected);
    let run = fs::symlink_metadata(tree.join("run")).unwrap();
    assert_eq!(run.permissions().mode() & 0o7777, 0o755, "nobody's rights");
    assert_eq!(
        (run.mtime(), run.mtime_nsec()),
        (1_000_000_000, 500_000_000)
    );
    assert_eq!(run.uid(), rustix::process::geteuid().as_raw());
    let deep = fs::metadata(tree.join("deep")).unwrap();
    assert_eq!(deep.permissions().mode() & 0o7777, 0o500);
    let ino = |name: &str| fs::metadata(tree.join(name)).unwrap().ino();
    assert_eq!(ino("a b"), ino("again"));
    let target = fs::read_link(tree.join("out")).unwrap();
    assert_eq!(target, Path::new("../../etc/passwd"));
    let sum = Command::new("sha256sum")
        .arg(tree.join("big"))
        .output()
        .unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(&workspace.ask("sha256sum tree/big")[..64], &sum[..64]);

    // One file, and one link, each by itself.
    let one = export(&workspace, "/workspace/tree/a b", &out.join("one")).run();
    let text = one.expect(0).out();
    assert!(text.starts_with("[workspace-export] "), "{text}");
    assert_eq!(fs::read(out.join("one")).unwrap(), b"x");
    let link = export(&workspace, "tree/in", &out.join("link")).args(&["--json"]);
    assert_eq!(link.run().expect(0).json()["artifact_type"], "symlink");
    assert_eq!(fs::read_link(out.join("link")).unwrap(), Path::new("run"));
    assert_eq!(names(&out).len(), 3, "and nothing else");
    fs::set_permissions(tree.join("deep"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn what_is_there_is_replaced_only_on_demand() {
    let context = TestContext::with("debian:12");
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("echo new > file; mkdir dir; echo in > dir/side");
    let out = context.path("out");
    fs::create_dir_all(out.join("old/below")).unwrap();
    fs::write(out.join("precious"), "old").unwrap();
    symlink("precious", out.join("link")).unwrap();
    let refused = |run: Finished, text: &str| {
        let error = run.json_error("invalid_input", true);
        let message = error["error"].as_str().unwrap();
        assert!(message.contains(text), "{message}");
    };
    for name in ["old", "precious", "link"] {
        let run = export(&workspace, "file", &out.join(name)).args(&["--json"]);
        refused(run.run(), "output_path already exists: ");
    }
    for name in ["x.tar", "x.TGZ", "x.tar.zst"] {
        let run = export(&workspace, "dir", &out.join(name)).args(&["--json"]);
        refused(run.run(), "archive's name");
    }
    let run = workspace
        .call(&["export"])
        .args(&["dir", "--output", "-", "--json"]);
    refused(run.run(), "path of a file or directory");
    assert_eq!(names(&out).len(), 3);
    let nothing = export(&workspace, "nothing", &out.join("x")).args(&["--json"]);
    nothing.run().json_error("no_such_file", true);
    let outside = export(&workspace, "../etc/passwd", &out.join("x")).args(&["--json"]);
    outside.run().json_error("invalid_input", true);
    let nowhere = export(&workspace, "file", &out.join("no/where")).args(&["--json"]);
    assert_eq!(nowhere.run().code, 1);

    // A link is replaced, and what it points to is not.
    for name in ["old", "link"] {
        let run = export(&workspace, "file", &out.join(name)).args(&["--force"]);
        run.run().expect(0);
        let is = fs::symlink_metadata(out.join(name)).unwrap();
        assert!(is.is_file());
    }
    assert_eq!(fs::read_to_string(out.join("precious")).unwrap(), "old");
    let run = export(&workspace, "dir", &out.join("precious")).args(&["--force"]);
    run.run().expect(0);
    assert_eq!(
        fs::read_to_string(out.join("precious/side")).unwrap(),
        "in\n"
    );
    assert_eq!(names(&out).len(), 3, "{:?}", names(&out));
}

#[test]
fn whoever_dies_nothing_that_looks_complete_is_there() {
    let context = TestContext::with("debian:12");
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("mkdir tree; cd tree; head -c 80000000 /dev/urandom > big; for i in $(seq 300); do echo $i > $i; done; sync");
    let out = context.path("out");
    fs::create_dir(&out).unwrap();
    let tree = out.join("tree");
    for (round, victim) in ["client", "supervisor", "VMM", "client"].iter().enumerate() {
        workspace.call(&["start"]).run();
        let run = export(&workspace, "tree", &tree).start();
        thread::sleep(Duration::from_millis(120 * (round as u64 + 1)));
        match *victim {
            "client" if round == 0 => run.signal(Signal::INT),
            "client" => run.signal(Signal::KILL),
            "supervisor" => workspace.supervisor().into_iter().for_each(kill),
            _ => workspace.vmm().into_iter().for_each(kill),
        }
        let code = run.finish().code;
        assert_eq!(tree.exists(), code == 0, "{victim}");
        if *victim != "client" || round == 0 {
            assert_eq!(names(&out).len(), usize::from(code == 0), "{victim}");
        }
        if code == 0 {
            assert_eq!(names(&tree).len(), 301);
            fs::remove_dir_all(&tree).unwrap();
        }
    }
    // The next export to the same directory removes what the killed one has left.
    crate::templates::wait_until("it has started", || {
        workspace.call(&["start"]).run();
        workspace.shell("true").run().code == 0
    });
    export(&workspace, "tree/1", &out.join("one"))
        .run()
        .expect(0);
    assert_eq!(names(&out), [b"one"]);
}

#[test]
fn a_model_exports_to_where_it_may_and_replaces_nothing() {
    let context = TestContext::with("debian:12");
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("echo text > file");
    let allowed = context.path("allowed");
    fs::create_dir_all(allowed.join(".git/hooks")).unwrap();
    let files = allowed.to_str().unwrap();
    let mut client = Client::start(&context, Era::Legacy, &["--files", files]);
    let ask = |output: &Path, force: bool| json!({"workspace_id": workspace.id, "path": "file", "output_path": output, "force": force});
    let done = client.tool("workspace_export", &ask(&allowed.join("file"), false));
    assert_eq!(done["artifact_type"], "file", "{done}");
    assert_eq!(fs::read_to_string(allowed.join("file")).unwrap(), "text\n");
    let table = [
        (allowed.join("file"), true, "not_allowed_by_operator"),
        (allowed.join("file"), false, "invalid_input"),
        (
            context.path("elsewhere"),
            false,
            "outside_allowed_directories",
        ),
        (
            allowed.join("../elsewhere"),
            false,
            "outside_allowed_directories",
        ),
        (
            allowed.join(".git/hooks/pre-commit"),
            false,
            "not_allowed_by_operator",
        ),
        (allowed.join(".GIT"), false, "not_allowed_by_operator"),
    ];
    for (output, force, code) in table {
        let id = client.call("workspace_export", &ask(&output, force));
        let answer = client.response(id);
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        let error = &answer["result"]["_meta"]["pyro/error"];
        assert_eq!(error["code"], code, "{}: {error}", output.display());
    }
    client.finish().expect(0);
    assert!(!context.path("elsewhere").exists());
    assert_eq!(names(&allowed.join(".git/hooks")).len(), 0);
}
