//! Patches for the files of a workspace: `workspace patch apply`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::json;

use crate::clones::count;
use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill};
use crate::mcp_client::{Client, Era};
use crate::process::Pyro;
use crate::templates::wait_until;
use crate::trees::tree;

fn seeded<'a>(context: &'a TestContext, source: &Path) -> Instance<'a> {
    Instance::workspace(context, &["--seed-path".as_ref(), source.as_os_str()])
}

fn apply(workspace: &Instance<'_>, patch: &Path) -> Pyro {
    let call = workspace.call(&["patch", "apply"]).args(&["--patch-file"]);
    call.args(&[patch])
}

fn git(directory: &Path, words: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "core.quotePath=true",
        ])
        .args(words)
        .current_dir(directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {words:?}: {error}");
    output.stdout
}

/// All kinds of changes that git prints.
fn change(repository: &Path) {
    let in_it = |name: &str| repository.join(name);
    let lines: Vec<_> = (0..40).map(|line| format!("line {line}\n")).collect();
    fs::write(
        in_it("edited"),
        lines.concat().replace("line 7\n", "seven\nand more\n"),
    )
    .unwrap();
    fs::create_dir_all(in_it("moved/to")).unwrap();
    fs::rename(in_it("renamed"), in_it("moved/to/here")).unwrap();
    fs::copy(in_it("copied"), in_it("copy")).unwrap();
    fs::remove_file(in_it("gone/below")).unwrap();
    fs::write(in_it("crlf"), "one\r\n2\r\n").unwrap();
    fs::write(in_it("binary"), [0, 255, 1, 2, 3, 4]).unwrap();
    fs::remove_file(in_it("link")).unwrap();
    symlink("elsewhere", in_it("link")).unwrap();
    fs::remove_file(in_it("becomes a link")).unwrap();
    symlink("edited", in_it("becomes a link")).unwrap();
    fs::remove_file(in_it("becomes a directory")).unwrap();
    fs::create_dir(in_it("becomes a directory")).unwrap();
    fs::write(in_it("becomes a directory/in"), "in\n").unwrap();
    fs::remove_dir_all(in_it("becomes a file")).unwrap();
    fs::write(in_it("becomes a file"), "file\n").unwrap();
    fs::write(in_it("tab\t\"quote\"\n"), "strange\n").unwrap();
    fs::write(in_it("no newline"), "end").unwrap();
    let status = Command::new("chmod").arg("+x").arg(in_it("run")).status();
    assert!(status.unwrap().success());
}

fn repository(context: &TestContext) -> std::path::PathBuf {
    let repository = context.path("repository");
    for directory in ["gone", "becomes a file/deep"] {
        fs::create_dir_all(repository.join(directory)).unwrap();
    }
    let lines: Vec<_> = (0..40).map(|line| format!("line {line}\n")).collect();
    let lines = lines.concat();
    for (name, content) in [
        ("edited", lines.as_str()),
        ("renamed", &lines),
        ("copied", &lines.to_uppercase()),
        ("gone/below", "gone\n"),
        ("crlf", "one\r\ntwo\r\n"),
        ("becomes a link", "file\n"),
        ("becomes a directory", "file\n"),
        ("becomes a file/deep/in", "in\n"),
        ("run", "#!/bin/sh\n"),
        ("no newline", "no end"),
    ] {
        fs::write(repository.join(name), content).unwrap();
    }
    fs::write(repository.join("binary"), [0, 1, 2, 3, 4, 5]).unwrap();
    symlink("edited", repository.join("link")).unwrap();
    git(&repository, &["init", "-q"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-qm", "first"]);
    repository
}

/// The files of an exported workspace, without git's.
fn export(workspace: &Instance<'_>, output: &Path) -> impl PartialEq + std::fmt::Debug + use<> {
    let _ = fs::remove_dir_all(output);
    let call = workspace.call(&["export"]).args(&[".", "--output"]);
    call.args(&[output]).run().expect(0);
    files(output)
}

fn files(directory: &Path) -> std::collections::BTreeMap<Vec<u8>, (char, Vec<u8>)> {
    let mut files = tree(directory);
    files.retain(|path, _| !path.starts_with(b".git/"));
    files
}

#[test]
fn what_git_prints_is_applied_forth_and_back() {
    let context = TestContext::with(debian());
    let repository = repository(&context);
    let workspace = seeded(&context, &repository);
    let before = files(&repository);
    change(&repository);
    git(&repository, &["add", "-A"]);
    let (forth, back) = (context.path("forth"), context.path("back"));
    let words = [
        "diff",
        "--binary",
        "-M",
        "-C",
        "--find-copies-harder",
        "--cached",
        "HEAD",
    ];
    fs::write(&forth, git(&repository, &words)).unwrap();
    fs::write(&back, git(&repository, &[&words[..], &["-R"]].concat())).unwrap();
    let out = context.path("out");

    let check = apply(&workspace, &forth)
        .args(&["--check", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        (&check["check"], &check["changed"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        format!("{:?}", export(&workspace, &out)),
        format!("{before:?}")
    );
    let done = apply(&workspace, &forth)
        .args(&["--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(done["entries"], check["entries"]);
    let summary = &done["summary"];
    assert_eq!(
        (&summary["deleted"], &summary["total"]),
        (&json!(4), &json!(16)),
        "{done}"
    );
    let after = files(&repository);
    assert_eq!(
        format!("{:?}", export(&workspace, &out)),
        format!("{after:?}")
    );
    assert!(!out.join("gone").exists(), "a directory that is empty goes");
    apply(&workspace, &back).run().expect(0);
    assert_eq!(
        format!("{:?}", export(&workspace, &out)),
        format!("{before:?}")
    );

    // The output of `workspace diff` is applied to another workspace.
    workspace.ask("sed -i 's/line 3$/three/' edited; rm copied; chmod 755 run");
    let patch = context.path("patch");
    let run = workspace.call(&["diff"]).run().expect(0);
    fs::write(&patch, &run.stdout).unwrap();
    git(&repository, &["reset", "-q", "--hard"]);
    let other = seeded(&context, &repository);
    apply(&other, &patch).run().expect(0);
    let wanted = format!("{:?}", export(&workspace, &out));
    assert_eq!(format!("{:?}", export(&other, &out)), wanted);
}

#[test]
fn a_patch_that_does_not_fit_changes_nothing() {
    let context = TestContext::with(debian());
    let repository = repository(&context);
    let workspace = seeded(&context, &repository);
    let out = context.path("out");
    let before = format!("{:?}", export(&workspace, &out));
    let patch = context.path("patch");
    let hunk = "@@ -1,3 +1,3 @@\n line 0\n-line 1\n+changed\n line 2\n";
    let misfit = hunk.replace("line 2", "other");
    let text = format!("--- a/edited\n+++ b/edited\n{hunk}--- a/renamed\n+++ b/renamed\n{misfit}");
    fs::write(&patch, &text).unwrap();
    let error = apply(&workspace, &patch).args(&["--json"]).run().expect(1);
    let error = error.json_error("patch_misfit", true);
    let cause = error["cause"].as_str().unwrap();
    assert!(
        cause.contains("renamed: hunk 1 does not fit at line 3"),
        "{cause}"
    );
    assert!(
        cause.contains("expected 'other'") && cause.contains("found 'line 2'"),
        "{cause}"
    );
    for (text, code, words) in [
        ("nothing\n", "patch_unreadable", "no change"),
        (
            "--- a/x\n+++ b/../../etc/x\n@@ -0,0 +1 @@\n+x\n",
            "patch_unreadable",
            "'..'",
        ),
        (
            "--- /dev/null\n+++ b/edited\n@@ -0,0 +1 @@\n+x\n",
            "patch_misfit",
            "exists",
        ),
        (
            "--- a/no\n+++ b/no\n@@ -1 +1 @@\n-x\n+y\n",
            "patch_misfit",
            "no such file",
        ),
    ] {
        fs::write(&patch, text).unwrap();
        let error = apply(&workspace, &patch).args(&["--json"]).run().expect(1);
        let error = error.json_error(code, true);
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    // A file in a directory that is a link to the outside.
    workspace.ask("ln -s /etc out");
    fs::write(&patch, "--- /dev/null\n+++ b/out/file\n@@ -0,0 +1 @@\n+x\n").unwrap();
    let error = apply(&workspace, &patch).args(&["--json"]).run().expect(1);
    error.json_error("patch_misfit", true);
    workspace.ask("rm out; ! ls /etc/file");
    assert_eq!(format!("{:?}", export(&workspace, &out)), before);

    // Hunks are applied at other lines; owner and permissions are kept.
    workspace.ask("sed -i 1i\\\\first edited; chown nobody edited; chmod 640 edited");
    fs::write(
        &patch,
        format!(
            "--- a/edited\n+++ b/edited\n{}",
            "@@ -6,3 +6,3 @@\n line 5\n-line 6\n+six\n line 7\n"
        ),
    )
    .unwrap();
    let moved = apply(&workspace, &patch)
        .args(&["--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(moved["moved"][0]["by"], 1, "{moved}");
    assert_eq!(
        workspace.ask("stat -c '%U %a' edited; grep -c six edited"),
        "nobody 640\n1\n"
    );

    // From standard input, and by a model.
    let call = workspace
        .call(&["patch", "apply"])
        .args(&["--patch-file", "-"]);
    let new = "--- /dev/null\n+++ b/new/file\n@@ -0,0 +1 @@\n+new\n";
    call.stdin(new.as_bytes()).run().expect(0);
    assert_eq!(workspace.ask("cat new/file"), "new\n");
    let mut client = Client::start(&context, Era::Legacy, &[]);
    let delete = "--- a/new/file\n+++ /dev/null\n@@ -1 +0,0 @@\n-new";
    let asked = json!({"workspace_id": workspace.id, "patch": delete});
    let done = client.tool("workspace_patch_apply", &asked);
    assert_eq!(done["summary"]["deleted"], 1, "{done}");
    client.finish().expect(0);
    workspace.ask("! ls new");
}

#[test]
fn whoever_dies_a_patch_is_applied_or_not() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = u64::from(now.subsec_nanos()) | 1;
    eprintln!("seed {random}");
    let context = TestContext::with(debian());
    let seed = context.path("seed");
    fs::create_dir(&seed).unwrap();
    let (mut forth, mut back) = (String::new(), String::new());
    for number in 0..200 {
        fs::write(seed.join(format!("{number}")), "old\n").unwrap();
        let name = format!("--- a/{number}\n+++ b/{number}\n@@ -1 +1 @@\n");
        forth += &[&name, "-old\n+new\n"].concat();
        back += &[&name, "-new\n+old\n"].concat();
    }
    let patches = [context.path("forth"), context.path("back")];
    fs::write(&patches[0], forth).unwrap();
    fs::write(&patches[1], back).unwrap();
    let workspace = seeded(&context, &seed);
    apply(&workspace, &patches[0]).run().expect(0);
    apply(&workspace, &patches[1]).run().expect(0);
    let mut is_new = false;
    for round in 0..count(9, 100) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let moment = Duration::from_millis(random % 400);
        let victim = ["client", "supervisor", "VMM"][round % 3];
        eprintln!("round {round}: the {victim} dies {moment:?} into it");
        workspace.ask("sync");
        let run = apply(&workspace, &patches[usize::from(is_new)]).start();
        thread::sleep(moment);
        match victim {
            "client" => run.signal(Signal::KILL),
            "supervisor" => workspace.supervisor().into_iter().for_each(kill),
            _ => workspace.vmm().into_iter().for_each(kill),
        }
        let done = run.finish().code == 0;
        wait_until("it is started again", || {
            workspace.call(&["start"]).run();
            workspace.shell("true").run().code == 0
        });
        let contents = || workspace.ask("cat * | sort -u");
        if victim == "client" {
            // Its call may be about to begin, or go on: who looks meanwhile sees it half done.
            wait_until("the call ends", || {
                let before = contents();
                thread::sleep(Duration::from_millis(500));
                before.lines().count() == 1 && contents() == before
            });
        }
        let found = contents();
        let expected = if is_new {
            ["new\n", "old\n"]
        } else {
            ["old\n", "new\n"]
        };
        assert!(
            found == expected[1] || (found == expected[0] && !done),
            "{done}: {found}"
        );
        is_new = found == "new\n";
    }
}
