//! What was changed in a workspace comes home: `workspace sync pull`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clones::count;
use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill};
use crate::mcp_client::{Client, Era};
use crate::process::Pyro;
use crate::trees::{copy, tree};

fn project(context: &TestContext) -> PathBuf {
    let project = context.path("project");
    fs::create_dir_all(project.join("src/old")).unwrap();
    fs::create_dir_all(project.join(".git/hooks")).unwrap();
    fs::create_dir_all(project.join(".git/refs")).unwrap();
    let lines = "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n";
    for (name, content) in [
        ("text", lines),
        ("src/main", "main\n"),
        ("src/old/gone", "gone\n"),
        ("mine", "mine\n"),
        ("run", "#!/bin/sh\n"),
        (".git/config", "[core]\n"),
        (".git/refs/head", "one\n"),
    ] {
        fs::write(project.join(name), content).unwrap();
    }
    symlink("run", project.join("link")).unwrap();
    fs::write(project.join("binary"), [0, 1, 2]).unwrap();
    project
}

fn seeded<'a>(context: &'a TestContext, source: &Path) -> Instance<'a> {
    Instance::workspace(context, &["--seed-path".as_ref(), source.as_os_str()])
}

fn pull(workspace: &Instance<'_>, words: &[&str]) -> Pyro {
    workspace.call(&["sync", "pull"]).args(words)
}

fn actions(result: &Value) -> Vec<String> {
    let of = |entry: &Value| {
        let text = |key: &str| entry[key].as_str().unwrap().to_owned();
        format!("{} {}", text("action"), text("path"))
    };
    result["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(of)
        .collect()
}

#[test]
fn what_only_the_workspace_changed_is_taken_over_and_can_be_taken_back() {
    let context = TestContext::with(debian());
    let project = project(&context);
    let workspace = seeded(&context, &project);
    workspace.ask(
        "sed -i 's/line 2/second/' text; rm -r src/old; mkdir -p new/deep; echo n > new/deep/file; \
         chmod +x src/main; chmod 711 src; ln -sf text link; printf '\\1\\0' > binary; rm run; mkdir run; echo r > run/in; \
         mkfifo pipe; echo x >> .git/config; echo '#!/bin/sh' > .git/hooks/post-checkout; \
         echo two > .git/refs/head; : > empty",
    );
    // Changed on the host only.
    fs::write(project.join("mine"), "changed here\n").unwrap();
    fs::write(project.join("added here"), "here\n").unwrap();
    let before = tree(&project);

    let check = pull(&workspace, &["--check", "--json"])
        .run()
        .expect(0)
        .json();
    let expected = [
        "skip .git/config",
        "skip .git/hooks/post-checkout",
        "modify .git/refs/head",
        "modify binary",
        "add empty",
        "modify link",
        "add new",
        "add new/deep",
        "add new/deep/file",
        "skip pipe",
        "modify run",
        "add run/in",
        "modify src",
        "modify src/main",
        "delete src/old",
        "delete src/old/gone",
        "modify text",
    ];
    assert_eq!(actions(&check), expected);
    assert_eq!(
        check["target_path"],
        project.canonicalize().unwrap().to_str().unwrap()
    );
    assert!(tree(&project) == before, "a check changes nothing");

    let done = pull(&workspace, &["--json"]).run().expect(0).json();
    assert_eq!(actions(&done), expected);
    assert_eq!(done["changed"], true);
    let read = |name: &str| fs::read_to_string(project.join(name)).unwrap();
    assert!(read("text").contains("second"));
    assert_eq!(
        (read("new/deep/file"), read("run/in")),
        ("n\n".into(), "r\n".into())
    );
    assert_eq!(
        (read("mine"), read("added here")),
        ("changed here\n".into(), "here\n".into())
    );
    assert_eq!(read(".git/config"), "[core]\n");
    assert!(!project.join(".git/hooks/post-checkout").exists());
    assert_eq!(
        fs::read_link(project.join("link")).unwrap(),
        Path::new("text")
    );
    assert_eq!(fs::read(project.join("binary")).unwrap(), [1, 0]);
    assert!(!project.join("src/old").exists() && read("empty").is_empty());
    let mode = |name: &str| {
        fs::metadata(project.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("src/main"), mode("src")), (0o755, 0o711));

    // Once more there is nothing to do; what was named is taken over.
    let again = pull(&workspace, &["--json"]).run().expect(0).json();
    assert_eq!(
        (&again["changed"], &again["summary"]["modified"]),
        (&json!(false), &json!(0))
    );
    let undo = pull(&workspace, &["--undo", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(undo["undo"], true);
    assert!(tree(&project) == before, "all of it is taken back");
    assert!(project.join("src/old").is_dir() && !project.join("new").exists());
    let none = pull(&workspace, &["--undo", "--json"]).run();
    none.expect(1).json_error("nothing_to_undo", true);

    let hook = ".git/hooks/post-checkout";
    let named = pull(&workspace, &["--path", hook, "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(actions(&named), [format!("add {hook}")]);
    assert_eq!(read(hook), "#!/bin/sh\n");
    let left: Vec<_> = fs::read_dir(&project).unwrap().flatten().collect();
    assert!(
        left.iter()
            .all(|entry| !entry.file_name().to_string_lossy().contains("pyro"))
    );
}

#[test]
fn what_both_changed_is_merged_or_named_and_nothing_is_done() {
    let context = TestContext::with(debian());
    let project = project(&context);
    let workspace = seeded(&context, &project);
    workspace.ask("sed -i 's/line 2/second/' text; echo theirs > mine; rm src/main; printf '\\1\\0' > binary; echo 1 > both");
    let text = fs::read_to_string(project.join("text")).unwrap();
    fs::write(project.join("text"), text.replace("line 8", "eighth")).unwrap();
    // Merged by lines, because only different ones were changed.
    let merged = pull(&workspace, &["--path", "text", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(actions(&merged), ["merge text"]);
    let text = fs::read_to_string(project.join("text")).unwrap();
    assert!(
        text.contains("second\n") && text.contains("eighth\n"),
        "{text}"
    );

    fs::write(project.join("mine"), "ours\n").unwrap();
    fs::write(project.join("src/main"), "changed\n").unwrap();
    fs::write(project.join("binary"), [9, 0]).unwrap();
    fs::write(project.join("both"), "2\n").unwrap();
    let before = tree(&project);
    let conflicts = [
        "conflict binary",
        "conflict both",
        "conflict mine",
        "conflict src/main",
    ];
    let check = pull(&workspace, &["--check", "--json"])
        .run()
        .expect(1)
        .json();
    assert_eq!(actions(&check), conflicts);
    let error = pull(&workspace, &["--json"])
        .run()
        .expect(1)
        .json_error("pull_conflicts", true);
    let cause = error["cause"].as_str().unwrap();
    assert!(
        cause.contains("src/main: it was deleted in the workspace"),
        "{cause}"
    );
    // What is no text cannot be marked.
    let error = pull(&workspace, &["--on-conflict", "markers", "--json"]).run();
    error.expect(1).json_error("pull_conflicts", true);
    assert!(tree(&project) == before, "nothing was done");

    let marked = pull(
        &workspace,
        &[
            "--path",
            "mine",
            "--path",
            "both",
            "--on-conflict",
            "markers",
            "--json",
        ],
    );
    assert_eq!(
        actions(&marked.run().expect(0).json()),
        ["mark both", "mark mine"]
    );
    let mine = fs::read_to_string(project.join("mine")).unwrap();
    assert_eq!(
        mine,
        "<<<<<<< workspace\ntheirs\n=======\nours\n>>>>>>> host\n"
    );
    let host = pull(&workspace, &["--on-conflict", "host", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(host["changed"], false, "{host}");
    let theirs = pull(&workspace, &["--on-conflict", "workspace", "--json"])
        .run()
        .expect(0)
        .json();
    // What was marked is the user's now.
    assert_eq!(actions(&theirs), ["modify binary", "delete src/main"]);
    assert_eq!(fs::read(project.join("binary")).unwrap(), [1, 0]);

    // What was changed after the pull is not taken back.
    fs::write(project.join("binary"), [7, 0]).unwrap();
    let error = pull(&workspace, &["--undo", "--json"]).run();
    error.expect(1).json_error("pull_conflicts", true);
    let check = pull(&workspace, &["--undo", "--check", "--json"]).run();
    let check = check.expect(1).json();
    assert_eq!(actions(&check), ["conflict binary", "add src/main"]);
    assert_eq!(check["has_conflicts"], true, "{check}");
    fs::write(project.join("binary"), [1, 0]).unwrap();
    pull(&workspace, &["--undo"]).run().expect(0);
    assert_eq!(
        fs::read_to_string(project.join("src/main")).unwrap(),
        "changed\n"
    );
}

#[test]
fn pulls_follow_each_other() {
    let context = TestContext::with(debian());
    let project = project(&context);
    let workspace = seeded(&context, &project);
    let read = |name: &str| fs::read_to_string(project.join(name)).unwrap();
    for round in ["one", "two", "three"] {
        workspace.ask(&format!("echo {round} > mine; echo {round} > new"));
        let done = pull(&workspace, &["--json"]).run().expect(0).json();
        assert_eq!(done["summary"]["conflicts"], 0, "{done}");
        assert_eq!(
            (read("mine"), read("new")),
            (format!("{round}\n"), format!("{round}\n"))
        );
    }
    // The workspace has what it began with again, and so has the host.
    workspace.ask("echo mine > mine; rm new");
    let back = pull(&workspace, &["--json"]).run().expect(0).json();
    assert_eq!(actions(&back), ["modify mine", "delete new"]);
    assert_eq!(read("mine"), "mine\n");
    assert!(!project.join("new").exists());

    // Into another directory, where a link leads elsewhere.
    let (copied, elsewhere) = (context.path("copied"), context.path("elsewhere"));
    copy(&project, &copied);
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(copied.join("src"), context.path("moved")).unwrap();
    symlink(&elsewhere, copied.join("src")).unwrap();
    workspace.ask("echo more > src/more; echo x > plain");
    let target = copied.to_str().unwrap();
    let error = pull(&workspace, &[target, "--json"]).run();
    error.expect(1).json_error("pull_conflicts", true);
    let forced = pull(
        &workspace,
        &[target, "--on-conflict", "workspace", "--json"],
    )
    .run();
    forced.expect(1).json_error("pull_conflicts", true);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    pull(&workspace, &[target, "--path", "plain"])
        .run()
        .expect(0);
    assert_eq!(fs::read_to_string(copied.join("plain")).unwrap(), "x\n");

    // Without a directory to go to, and over MCP without permission.
    let other = Instance::workspace(&context, &[] as &[&str]);
    pull(&other, &["--json"])
        .run()
        .expect(1)
        .json_error("invalid_input", true);
    let id = &workspace.id;
    let asked = json!({"workspace_id": id, "target_path": target});
    let files = [
        "--files".to_owned(),
        context.path("").to_str().unwrap().to_owned(),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut client = Client::start(&context, Era::Legacy, &files);
    let call = client.call("workspace_sync_pull", &asked);
    let refused = client.response(call).to_string();
    assert!(refused.contains("not_allowed_by_operator"), "{refused}");
    let mut checked = asked.clone();
    checked["check"] = true.into();
    let plan = client.tool("workspace_sync_pull", &checked);
    assert_eq!(plan["check"], true, "{plan}");
    client.finish().expect(0);
    let allowed: Vec<&str> = files.iter().copied().chain(["--allow-pull"]).collect();
    let mut client = Client::start(&context, Era::Legacy, &allowed);
    let mut asked = asked;
    asked["paths"] = json!(["plain"]);
    workspace.ask("echo y > plain");
    let done = client.tool("workspace_sync_pull", &asked);
    assert_eq!(done["changed"], true, "{done}");
    client.finish().expect(0);
    assert_eq!(fs::read_to_string(copied.join("plain")).unwrap(), "y\n");
}

#[test]
fn whoever_dies_a_pull_is_done_or_undone() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = u64::from(now.subsec_nanos()) | 1;
    eprintln!("seed {random}");
    let context = TestContext::with(debian());
    let project = context.path("project");
    fs::create_dir_all(project.join("dir")).unwrap();
    for number in 0..300 {
        fs::write(project.join(format!("dir/{number}")), format!("{number}\n")).unwrap();
    }
    let workspace = seeded(&context, &project);
    workspace.ask(
        "cd dir; for n in $(seq 0 99); do echo new > $n; done; for n in $(seq 100 199); do rm $n; done; \
         mkdir more; for n in $(seq 0 99); do echo $n > more/$n; done; sync",
    );
    let before = tree(&project);
    pull(&workspace, &[]).run().expect(0);
    let after = tree(&project);
    pull(&workspace, &["--undo"]).run().expect(0);
    assert!(tree(&project) == before && after != before);
    for round in 0..count(12, 100) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let moment = Duration::from_millis(random % 400);
        let undo = round % 3 == 2;
        let victim = ["client", "client", "supervisor", "client", "VMM"][round % 5];
        if undo {
            pull(&workspace, &[]).run().expect(0);
        }
        eprintln!("round {round}: the {victim} dies {moment:?} into it, undo {undo}");
        let run = pull(&workspace, if undo { &["--undo"] } else { &[] }).start();
        thread::sleep(moment);
        match victim {
            "client" => run.signal(Signal::KILL),
            "supervisor" => workspace.supervisor().into_iter().for_each(kill),
            _ => workspace.vmm().into_iter().for_each(kill),
        }
        run.finish();
        if victim != "client" {
            crate::templates::wait_until("it is started again", || {
                workspace.call(&["start"]).run();
                workspace.shell("true").run().code == 0
            });
        }
        // The next one undoes what was not finished.
        pull(&workspace, &["--check"]).run().expect(0);
        let found = tree(&project);
        assert!(
            found == before || found == after,
            "neither before nor after"
        );
        if found == after {
            pull(&workspace, &["--undo"]).run().expect(0);
            assert!(tree(&project) == before);
        }
        let left = fs::read_dir(&project).unwrap().flatten();
        assert_eq!(left.count(), 1, "only the directory");
    }
}

#[test]
fn the_workspace_does_not_lose_what_has_come_home() {
    let context = TestContext::with(debian());
    let project = project(&context);
    let workspace = seeded(&context, &project);
    // After the flush that follows the command.
    workspace.ask("setsid sh -c 'sleep 3; echo late >late' >/dev/null 2>&1 &");
    crate::templates::wait_until("it is written", || {
        let read = workspace.call(&["file", "read"]).args(&["late"]);
        read.run().code == 0
    });
    pull(&workspace, &[]).run().expect(0);
    kill(workspace.vmm().unwrap());
    crate::templates::wait_until("it has started again", || {
        workspace.call(&["start"]).run();
        workspace.shell("true").run().code == 0
    });
    pull(&workspace, &[]).run().expect(0);
    assert_eq!(fs::read_to_string(project.join("late")).unwrap(), "late\n");
    assert_eq!(workspace.ask("cat late"), "late\n");
}
