//! Seeds of workspaces: the files in the guest are compared with those on the host.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::skip;

/// Lists all properties of a tree that must be preserved, one line for each name, including the
/// times of directories.
const DESCRIBE: &str = "find . -mindepth 1 -printf '%P %y %m %n %T@ %l\\n' | LC_ALL=C sort; \
                        find . -type f -exec sha256sum {} + | LC_ALL=C sort -k2";

#[test]
fn a_directory_arrives_as_it_is() {
    let context = TestContext::with(debian());
    let source = tree(&context);
    let on_host = describe(&source);
    let workspace = Instance::workspace(&context, &["--seed-path", source.to_str().unwrap()]);
    assert_same(&workspace.shell_raw(DESCRIBE), &on_host);
    let seed = &workspace.status()["workspace_seed"];
    assert_eq!(
        (&seed["mode"], &seed["entry_count"]),
        (&"directory".into(), &11.into())
    );

    // It can be changed, and the changes persist. A hard link from the seed is broken when one of
    // its names is changed.
    workspace.ask("echo more >> plain; rm bin/tool; mv deep lower; ln plain another");
    workspace.call(&["stop"]).run().expect(0);
    workspace.call(&["start"]).run().expect(0);
    let out =
        workspace.ask("cat plain; ls -d bin/tool lower another 2>/dev/null; stat -c %h plain");
    assert_eq!(out, "text\nmore\nanother\nlower\n2\n");
}

#[test]
fn a_directory_that_is_pushed_arrives_as_it_is() {
    let context = TestContext::with(debian());
    let source = tree(&context);
    let on_host = describe(&source);
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    for _ in 0..2 {
        workspace.push(&source).run().expect(0);
        assert_same(&workspace.shell_raw(DESCRIBE), &on_host);
    }
}

#[test]
fn archives_of_all_kinds_arrive_or_skip() {
    let context = TestContext::with(debian());
    let source = tree(&context);
    let on_host = describe(&source);
    let workspace = Instance::workspace(&context, &[] as &[&str]);
    for (name, option) in [
        ("a.tar", "--sparse"),
        ("b.tar.gz", "-z"),
        ("c.TGZ", "-z"),
        ("d.tar.zst", "--zstd"),
    ] {
        let made = Command::new("tar")
            .args([option, "--format=posix", "-cf"])
            .arg(context.path(name))
            .arg("-C")
            .arg(&source)
            .arg(".")
            .output();
        if !made.is_ok_and(|made| made.status.success()) {
            skip!(
                "archives_of_all_kinds_arrive_or_skip",
                "tar cannot make {name}"
            );
        }
        workspace.ask("rm -rf /workspace/to");
        let pushed = workspace
            .push(context.path(name))
            .args(&["--dest", "to", "--json"]);
        let pushed = pushed.run().expect(0).json();
        assert_eq!(pushed["workspace_sync"]["mode"], "tar_archive");
        assert_same(
            &workspace.shell_raw(&format!("cd to; {DESCRIBE}")),
            &on_host,
        );
    }
    let seeded = Instance::workspace(
        &context,
        &["--seed-path", context.path("b.tar.gz").to_str().unwrap()],
    );
    assert_same(&seeded.shell_raw(DESCRIBE), &on_host);
}

impl Instance<'_> {
    /// What a command prints, as bytes would be compared.
    fn shell_raw(&self, script: &str) -> String {
        self.ask(script)
    }
}

/// All kinds of files that a repository may have, and more.
pub(crate) fn tree(context: &TestContext) -> std::path::PathBuf {
    let root = context.path("tree");
    for directory in ["bin", "deep/er", "empty", "größe 日本"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let write = |name: &str, text: &[u8], mode: u32| {
        fs::write(root.join(name), text).unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    write("plain", b"text\n", 0o640);
    write("bin/tool", b"#!/bin/sh\nexit 0\n", 0o755);
    write("größe 日本/a b\nc", &[0, 255, 128, 10], 0o600);
    fs::hard_link(root.join("plain"), root.join("deep/er/hard")).unwrap();
    symlink("../../bin/tool", root.join("deep/er/link")).unwrap();
    let long = "n".repeat(240);
    write(&long, b"", 0o444);
    fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o711)).unwrap();
    let old = UNIX_EPOCH + Duration::new(1_000_000_007, 123_456_789);
    for name in ["plain", "bin/tool", "empty", "bin"] {
        fs::File::open(root.join(name))
            .unwrap()
            .set_modified(old)
            .unwrap();
    }
    root
}

fn describe(directory: &Path) -> String {
    let mut find = Command::new("sh");
    let output = find
        .args(["-c", DESCRIBE])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn assert_same(guest: &str, host: &str) {
    let (guest, host): (Vec<&str>, Vec<&str>) = (guest.lines().collect(), host.lines().collect());
    for (in_guest, on_host) in guest.iter().zip(&host) {
        assert_eq!(in_guest, on_host);
    }
    assert_eq!(guest.len(), host.len());
}
