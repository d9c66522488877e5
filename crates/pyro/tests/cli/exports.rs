//! `workspace export`: copying files out of a workspace.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::context::{TestContext, debian};
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
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask(
        "mkdir -p tree/empty tree/deep/er; cd tree; printf 'x' > 'a b'; printf y > \"$(printf 'n\\nl')\"; \
         printf z > \"$(printf '\\377')\"; echo '#!/bin/sh' > run; chmod 4755 run; ln a\\ b again; \
         ln -s ../../etc/passwd out; ln -s run in; mkfifo pipe; mknod null c 1 3; \
         chmod 0500 deep; touch -d @1000000000.5 run; touch -d @-2.5 again; chown -R nobody .; \
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
    let old = fs::metadata(tree.join("again")).unwrap();
    assert_eq!((old.mtime(), old.mtime_nsec()), (-3, 500_000_000));
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

    // A single file, and a single link.
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
fn files_that_grow_while_they_are_exported_are_counted() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let size = 40_000_000;
    workspace.ask(&format!(
        "mkdir tree; head -c {size} /dev/zero > tree/log; echo still > tree/still; \
         (while :; do echo more >> tree/log; done) >/dev/null 2>&1 &"
    ));
    let out = context.path("out");
    fs::create_dir(&out).unwrap();
    for name in ["tree", "tree.tar"] {
        let done = export(&workspace, "tree", &out.join(name)).args(&["--json"]);
        let done = done.run().expect(0).json();
        assert_eq!(done["changed_count"], 1, "{done}");
        assert_eq!(done["entry_count"], 3, "{done}");
    }
    assert!(fs::metadata(out.join("tree/log")).unwrap().len() >= size);
    let listed = said(Command::new("tar").arg("tf").arg(out.join("tree.tar")));
    assert_eq!(listed, "tree/\ntree/log\ntree/still\n");
    let text = export(&workspace, "tree", &out.join("told")).run();
    let text = text.expect(0).out();
    assert!(text.contains(" changed=1 "), "{text}");
}

#[test]
fn what_is_there_is_replaced_only_on_demand() {
    let context = TestContext::with(debian());
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
    for name in ["x.zip", "x.tar.XZ", "x.tar.bz2"] {
        let run = export(&workspace, "dir", &out.join(name)).args(&["--json"]);
        refused(run.run(), "name of an archive of a kind");
    }
    // A file of a refused type is refused before it is sent.
    workspace.ask("truncate -s 20G dir/large");
    let begun = Instant::now();
    let run = export(&workspace, "dir", &out.join("x.zip")).args(&["--json"]);
    refused(run.run(), "name of an archive of a kind");
    assert!(begun.elapsed() < Duration::from_secs(20), "{begun:?}");
    workspace.ask("rm dir/large");
    let run = workspace
        .call(&["export"])
        .args(&["dir", "--output", "-", "--json"]);
    refused(run.run(), "standard output, without --json");
    assert_eq!(names(&out).len(), 3);
    let nothing = export(&workspace, "nothing", &out.join("x")).args(&["--json"]);
    nothing.run().json_error("no_such_file", true);
    let outside = export(&workspace, "../etc/passwd", &out.join("x")).args(&["--json"]);
    outside.run().json_error("invalid_input", true);
    let nowhere = export(&workspace, "file", &out.join("no/where")).args(&["--json"]);
    assert_eq!(nowhere.run().code, 1);

    // A link is replaced, but its target is not.
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
    let context = TestContext::with(debian());
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
    // The next export to the same directory removes the leftovers of the killed one.
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
    let context = TestContext::with(debian());
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
        ("-".into(), false, "invalid_input"),
    ];
    for (output, force, code) in table {
        let id = client.call("workspace_export", &ask(&output, force));
        let answer = client.response(id);
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        let error = &answer["result"]["_meta"]["pyro/error"];
        assert_eq!(error["code"], code, "{}: {error}", output.display());
        let remedy = error["remedy"].as_str().unwrap_or_default();
        assert!(!remedy.contains("force"), "nobody may: {error}");
    }
    client.finish().expect(0);
    assert!(!context.path("elsewhere").exists());
    assert_eq!(names(&allowed.join(".git/hooks")).len(), 0);
}

/// Prints a line for each member of an archive.
const PYTHON: &str = "
import hashlib, sys, tarfile
with tarfile.open(sys.argv[1]) as archive:
    for member in archive:
        content = archive.extractfile(member).read() if member.isreg() else b''
        print(ascii(member.name), oct(member.mode), member.uid, member.gid, member.mtime,
              ascii(member.linkname), member.type, hashlib.sha256(content).hexdigest())
";

/// The output of another program for an archive; it must report no errors.
fn said(command: &mut Command) -> String {
    let done = command.env("LC_ALL", "C").output().unwrap();
    assert!(done.status.success(), "{command:?}: {done:?}");
    assert!(done.stderr.is_empty(), "{command:?}: {done:?}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// The entries below a directory, as `find` prints them, with the contents of files.
fn tree(directory: &Path) -> String {
    let script = r#"cd "$0" && find . -printf '%P\t%y\t%m\t%T@\t%l\t%n\n' | sort -z | sort;
        find . -type f -exec sha256sum {} + | sort"#;
    said(Command::new("sh").args(["-c", script]).arg(directory))
}

#[test]
fn archives_are_what_other_programs_read() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask(
        "mkdir -p tree/empty tree/deep/er; cd tree; printf x > 'a b'; printf y > \"$(printf 'n\\nl')\"; \
         printf z > \"$(printf '\\377')\"; echo '#!/bin/sh' > run; chmod 4755 run; ln a\\ b again; \
         ln -s ../../etc/passwd out; mkfifo pipe; chmod 0500 deep; touch -d @1000000000.5 run; touch -d @-2.5 again; \
         printf w > $(printf 'n%.0s' $(seq 200)); ln -s $(printf 'm%.0s' $(seq 300)) far; \
         chown -R nobody .; seq 1000000 > much; head -c 5000000 /dev/urandom > big; : > none",
    );
    let out = context.path("out");
    fs::create_dir(&out).unwrap();
    export(&workspace, "tree", &out.join("files"))
        .run()
        .expect(0);
    let files = tree(&out.join("files"));
    let (mut sizes, mut lists) = (Vec::new(), Vec::new());
    for name in ["x.tar", "x.tar.gz", "x.TGZ", "x.tar.zst", "stdout"] {
        let archive = out.join(name);
        if name == "stdout" {
            let words = ["tree", "--output", "-"];
            let done = workspace.call(&["export"]).args(&words).run().expect(0);
            let done = done
                .err_has("[workspace-export] ")
                .err_has(" output_path=- ");
            fs::write(&archive, &done.stdout).unwrap();
        } else {
            let done = export(&workspace, "tree", &archive).args(&["--json"]).run();
            let done = done.expect(0).json();
            assert_eq!(done["artifact_type"], "directory", "{done}");
            assert_eq!(done["entry_count"], 15, "{done}");
            assert_eq!(done["left_out_count"], 1, "{done}");
        }
        sizes.push(fs::metadata(&archive).unwrap().len());
        // Python before 3.14 does not support zstd, and tar needs a program for it.
        let plain = if name == "x.tar.zst" {
            let plain = out.join("plain.tar");
            let unpacked = Command::new("zstd")
                .arg("-dqfo")
                .arg(&plain)
                .arg(&archive)
                .status();
            if unpacked.is_err() {
                eprintln!("SKIPPED archives_are_what_other_programs_read (zstd): no zstd");
                continue;
            }
            plain
        } else {
            archive
        };
        let unpacked = out.join("unpacked");
        fs::create_dir(&unpacked).unwrap();
        let mut tar = Command::new("tar");
        // It accepts a time before 1970 but prints a warning.
        tar.args(["--warning=no-timestamp", "-xpf"]);
        said(tar.arg(&plain).arg("-C").arg(&unpacked));
        assert_eq!(names(&unpacked), [b"tree"], "{name}");
        assert_eq!(tree(&unpacked.join("tree")), files, "{name}");
        said(Command::new("chmod").args(["-R", "u+w"]).arg(&unpacked));
        fs::remove_dir_all(&unpacked).unwrap();
        let python = said(Command::new("python3").args(["-c", PYTHON]).arg(&plain));
        let listed = said(Command::new("tar").arg("tf").arg(&plain));
        assert_eq!(python.lines().count(), 15, "{python}");
        assert_eq!(listed.lines().count(), 15, "{listed}");
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        let owned = format!(" {} {} ", user.as_raw(), group.as_raw());
        assert!(python.lines().all(|line| line.contains(&owned)), "{python}");
        lists.push((python, listed));
    }
    lists.dedup();
    assert_eq!(lists.len(), 1, "all are the same: {lists:?}");
    assert_eq!(sizes[0], sizes[4]);
    assert!(sizes[1] < sizes[0] - 3_000_000, "{sizes:?}");
    assert!(sizes[3] < sizes[0] - 3_000_000, "{sizes:?}");
    said(Command::new("chmod").args(["-R", "u+w"]).arg(&out));
}

#[test]
fn one_file_becomes_an_archive_unless_it_is_one() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("printf text > file; tar czf made.tar.gz file; ln -s file link");
    let out = context.path("out");
    fs::create_dir(&out).unwrap();
    for (path, name) in [("file", "file.tar"), ("link", "link.tgz")] {
        export(&workspace, path, &out.join(name)).run().expect(0);
        let listed = said(Command::new("tar").arg("tf").arg(out.join(name)));
        assert_eq!(listed, format!("{path}\n"));
    }
    let copied = out.join("copied.tgz");
    export(&workspace, "made.tar.gz", &copied).run().expect(0);
    let there = workspace.ask("sha256sum made.tar.gz");
    let here = said(Command::new("sha256sum").arg(&copied));
    assert_eq!(here[..64], there[..64]);
    // The exported root has the name of its directory in the guest.
    export(&workspace, ".", &out.join("all.tar"))
        .run()
        .expect(0);
    let listed = said(Command::new("tar").arg("tf").arg(out.join("all.tar")));
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines[0], "workspace/");
    assert!(lines.contains(&"workspace/file"), "{listed}");
    // It replaces an existing one, or is new.
    let again = export(&workspace, "link", &out.join("file.tar")).args(&["--json"]);
    again.run().json_error("invalid_input", true);
    let again = export(&workspace, "link", &out.join("file.tar")).args(&["--force"]);
    again.run().expect(0);
    let listed = said(Command::new("tar").arg("tf").arg(out.join("file.tar")));
    assert_eq!(listed, "link\n");
    assert_eq!(names(&out).len(), 4);
}

#[test]
fn a_stream_that_breaks_ends_with_an_error() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace
        .ask("mkdir tree; head -c 200000000 /dev/zero > tree/large; echo a > tree/small; sync");
    let out = context.path("out");
    fs::create_dir(&out).unwrap();
    let words = ["tree", "--output", "-"];
    for victim in ["reader", "VMM", "supervisor"] {
        crate::templates::wait_until("it has started", || {
            workspace.call(&["start"]).run();
            workspace.shell("true").run().code == 0
        });
        let mut run = workspace.call(&["export"]).args(&words).start_unread();
        let mut some = vec![0; 1 << 20];
        let mut stdout = run.take_stdout();
        stdout.read_exact(&mut some).unwrap();
        let victims = match victim {
            "VMM" => workspace.vmm(),
            "supervisor" => workspace.supervisor(),
            _ => None,
        };
        victims.into_iter().for_each(kill);
        if victim == "reader" {
            drop(stdout);
        } else {
            stdout.read_to_end(&mut some).unwrap();
            assert!(some.len() < 200_000_000, "{victim}");
        }
        let done = run.finish();
        assert_ne!(done.code, 0, "{victim}");
        assert!(
            victim == "reader" || done.err().contains("[error]"),
            "{done:?}"
        );
    }
}
