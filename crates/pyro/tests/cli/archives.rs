//! Unusual files in directories and archives are copied, or left out and reported.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::context::{TestContext, debian};
use crate::instances::{Instance, id_in};

const NO_OPTIONS: &[&str] = &[];

/// A typical project directory: with a virtual environment, a socket, a pipe, and build outputs.
fn project(context: &TestContext) -> PathBuf {
    let root = context.path("project");
    for directory in [".venv/bin", "src", "target/debug"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for (name, content) in [
        (".gitignore", "target/\n*.log\n"),
        ("src/main.py", "print(1)\n"),
        ("target/debug/out", "x"),
        ("run.log", "x"),
        (".env", "SECRET=1\n"),
    ] {
        fs::write(root.join(name), content).unwrap();
    }
    symlink("/usr/bin/env", root.join(".venv/bin/python")).unwrap();
    symlink("../../outside", root.join("src/out")).unwrap();
    let made = Command::new("mkfifo").arg(root.join("pipe")).status();
    assert!(made.unwrap().success());
    drop(UnixListener::bind(root.join("server.sock")).unwrap());
    root
}

#[test]
fn a_project_is_copied_with_links_and_without_its_socket() {
    let context = TestContext::with(debian());
    let root = project(&context);
    let run = context.pyro(&["workspace", "create", debian(), "--json", "--seed-path"]);
    let made = run.args(&[&root]).run().expect(0);
    let seed = made.json()["workspace_seed"].clone();
    let socket = json!({
        "count": 1,
        "entries": [{"path": "server.sock", "reason": "socket"}],
        "reasons": {"socket": 1},
    });
    assert_eq!(seed["left_out"], socket);
    let workspace = Instance::known(
        &context,
        crate::instances::Kind::Workspace,
        id_in(&made.json(), crate::instances::Kind::Workspace),
    );
    let look = "readlink .venv/bin/python src/out; test -p pipe && echo pipe; \
                .venv/bin/python echo followed in the guest; ls -A";
    let expected = "/usr/bin/env\n../../outside\npipe\nfollowed in the guest\n.env\n.gitignore\n\
                    .venv\npipe\nrun.log\nsrc\ntarget\n";
    assert_eq!(workspace.ask(look), expected);
    assert_eq!(workspace.status()["workspace_seed"], seed);

    // The same for a push, for a second push over it, and for an archive.
    workspace.ask("rm -rf /workspace/* /workspace/.[a-z]*");
    for _ in 0..2 {
        let pushed = workspace.push(&root).args(&["--json"]).run().expect(0);
        assert_eq!(pushed.json()["workspace_sync"]["left_out"], socket);
        assert_eq!(workspace.ask(look), expected);
    }
    let shown = workspace.push(&root).run().expect(0);
    shown.err_has("1 left out (1 socket): server.sock");
    let archive = context.path("project.tar.gz");
    let mut pack = Command::new("tar");
    pack.args(["--exclude=server.sock", "-czf"]);
    pack.arg(&archive).arg("-C").arg(&root).arg(".");
    assert!(pack.status().unwrap().success());
    let padded = [fs::read(&archive).unwrap(), vec![0; 10_240]].concat();
    fs::write(&archive, padded).unwrap();
    workspace.ask("rm -rf /workspace/* /workspace/.[a-z]*");
    workspace.push(&archive).run().expect(0);
    assert_eq!(workspace.ask(look), expected);
}

#[test]
fn what_is_not_wanted_is_left_out_and_named() {
    let context = TestContext::with(debian());
    let root = project(&context);
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    let list = context.path("patterns");
    fs::write(&list, "# not for a guest\n.env\n/pipe\n").unwrap();
    let pushed = workspace
        .push(&root)
        .args(&[
            "--json",
            "--git-ignored",
            "exclude",
            "--exclude",
            ".venv/",
            "--exclude",
        ])
        .args(&["out", "--exclude-from", list.to_str().unwrap()])
        .run()
        .expect(0);
    let left_out = &pushed.json()["workspace_sync"]["left_out"];
    assert_eq!(left_out["count"], 7);
    let reasons = json!({"excluded": 4, "git_ignored": 2, "socket": 1});
    assert_eq!(left_out["reasons"], reasons);
    assert_eq!(
        workspace.ask("find . | sort"),
        ".\n./.gitignore\n./src\n./src/main.py\n"
    );

    for (options, code) in [
        (&["--exclude", "a[z-a]"][..], "invalid_pattern"),
        (&["--exclude-from", "/no/such/file"], "archive_not_found"),
        (&["--exclude-from", "/"], "invalid_input"),
    ] {
        let run = workspace.push(&root).args(options).args(&["--json"]);
        run.run().expect(1).json_error(code, true);
    }
    workspace
        .push(&root)
        .args(&["--unreadable", "maybe"])
        .run()
        .expect(2);
    let create = context.pyro(&["workspace", "create", debian(), "--exclude", "x"]);
    create.run().expect(1).err_has("seed_path");
}

#[test]
fn holes_of_a_seed_and_of_a_push_stay_holes() {
    let context = TestContext::with(debian());
    let root = context.path("disks");
    fs::create_dir(&root).unwrap();
    let plant = |name: &str, gibibytes: u64| {
        let file = File::create(root.join(name)).unwrap();
        file.set_len(gibibytes << 30).unwrap();
        // In the middle of a chunk of the image.
        file.write_all_at(b"here", 5_000_000).unwrap();
    };
    plant("disk", 20);
    let workspace = Instance::workspace(&context, &["--seed-path", root.to_str().unwrap()]);
    let look = "stat -c %s disk; tail -c +5000001 disk | head -c 4";
    assert_eq!(workspace.ask(look), format!("{}\nhere", 20_u64 << 30));
    // More than fits on the guest's disk, although it uses less than 1 MiB there.
    let free = "df --output=used -k / | tail -1";
    let before: u64 = workspace.ask(free).trim().parse().unwrap();
    let pushed = workspace.push(&root).args(&["--dest", "pushed", "--json"]);
    let pushed = pushed.run().expect(0).json();
    assert_eq!(pushed["workspace_sync"]["bytes_written"], 20_u64 << 30);
    let seen = workspace.ask(&format!("cd pushed; {look}; echo; du -k disk"));
    assert!(
        seen.starts_with(&format!("{}\nhere\n", 20_u64 << 30)),
        "{seen}"
    );
    let after: u64 = workspace.ask(free).trim().parse().unwrap();
    assert!(after < before + 1024, "{before} {after}");
    // And a sparse archive of GNU tar.
    let archive = context.path("disks.tar");
    let mut pack = Command::new("tar");
    pack.args(["--sparse", "-cf"])
        .arg(&archive)
        .arg("-C")
        .arg(&root)
        .arg(".");
    assert!(pack.status().unwrap().success());
    workspace
        .push(&archive)
        .args(&["--dest", "packed"])
        .run()
        .expect(0);
    assert_eq!(
        workspace.ask(&format!("cd packed; {look}")),
        format!("{}\nhere", 20_u64 << 30)
    );
}

#[test]
fn a_zip_is_read_and_another_file_is_named() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    let page = context.path("download.tar.gz");
    fs::write(&page, "<!DOCTYPE html><html>Sign in</html>\n").unwrap();
    let refused = workspace.push(&page).args(&["--json"]).run().expect(1);
    let error = refused.json_error("archive_other_kind", true);
    assert!(
        error["error"].as_str().unwrap().contains("an HTML page"),
        "{error}"
    );
    for (name, command) in [
        ("a.zip", "cd tree && zip -qr ../a.zip ."),
        ("a.tar.xz", "tar -cJf a.tar.xz -C tree ."),
    ] {
        let script = format!("mkdir -p tree/d && echo text >tree/d/file && {command}");
        let mut make = Command::new("sh");
        make.args(["-c", &script]).current_dir(context.directory());
        if !make.status().is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED a_zip_is_read_and_another_file_is_named: nothing makes {name}");
            continue;
        }
        let run = workspace
            .push(context.path(name))
            .args(&["--dest", name, "--json"]);
        let mode = run.run().expect(0).json()["workspace_sync"]["mode"].clone();
        let kind = if name.ends_with("zip") {
            "zip_archive"
        } else {
            "tar_archive"
        };
        assert_eq!(mode, kind);
        assert_eq!(workspace.ask(&format!("cat {name}/d/file")), "text\n");
    }
}

#[test]
fn a_worktree_is_copied_and_it_is_said_that_git_does_not_work_there() {
    let context = TestContext::with(debian());
    let git = |directory: &Path, arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
        let mut git = Command::new("git");
        git.args(identity).args(arguments).current_dir(directory);
        git.output().is_ok_and(|output| output.status.success())
    };
    let main = context.path("main");
    fs::create_dir(&main).unwrap();
    let tree = context.path("tree");
    let is_made = git(&main, &["init", "-q"])
        && git(&main, &["commit", "-q", "--allow-empty", "-m", "first"])
        && git(&main, &["worktree", "add", "-q", tree.to_str().unwrap()]);
    if !is_made {
        eprintln!(
            "SKIPPED a_worktree_is_copied_and_it_is_said_that_git_does_not_work_there: no git"
        );
        return;
    }
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    let pushed = workspace.push(&tree).args(&["--json"]).run().expect(0);
    let warning = pushed.json()["workspace_sync"]["warnings"][0].clone();
    assert_eq!(warning["code"], "git_data_elsewhere");
    assert!(warning["remedy"].as_str().unwrap().contains("git clone"));
    pushed.err_has("git will not work there: .git says that");
    // The suggested remedy works.
    let copy = context.path("copy");
    assert!(git(
        &main,
        &[
            "clone",
            "-q",
            tree.to_str().unwrap(),
            copy.to_str().unwrap()
        ]
    ));
    let pushed = workspace.push(&copy).args(&["--dest", "copy", "--json"]);
    let pushed = pushed.run().expect(0).json();
    assert!(
        pushed["workspace_sync"].get("warnings").is_none(),
        "{pushed}"
    );
    workspace.ask("cd copy && git log --oneline | grep -q first");
}

#[test]
fn a_directory_that_was_deleted_is_no_empty_seed() {
    let context = TestContext::with(debian());
    let gone = context.path("gone");
    fs::create_dir(&gone).unwrap();
    let program = env!("CARGO_BIN_EXE_pyro");
    let script = format!("rmdir {}; exec \"$0\" \"$@\"", gone.display());
    let run = context.program(Path::new("/bin/sh")).directory(&gone);
    let create = ["workspace", "create", debian(), "--seed-path", "."];
    let run = run.args(&["-c", &script, program]).args(&create).run();
    run.expect(1).err_has("does not exist");
    let list = context
        .pyro(&["workspace", "list", "--json"])
        .run()
        .expect(0);
    assert_eq!(list.json()["count"], 0);
}
