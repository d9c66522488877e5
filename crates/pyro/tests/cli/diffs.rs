//! `workspace diff`: the changes in a workspace.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::clones::count;
use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::mcp_client::{Client, Era};
use crate::scripts::{Script, run_script};
use crate::trees::{apply, copy, tree};

const NONE: &[&str] = &[];

fn seeded<'a>(context: &'a TestContext, source: &Path) -> Instance<'a> {
    Instance::workspace(context, &["--seed-path".as_ref(), source.as_os_str()])
}

fn diff(workspace: &Instance<'_>, words: &[&str]) -> Value {
    let call = workspace.call(&["diff", "--json"]).args(words);
    call.run().expect(0).json()
}

/// A directory with a file for each kind of change.
fn mixed_seed(context: &TestContext) -> PathBuf {
    let seed = context.path("seed");
    fs::create_dir_all(seed.join("src/deep")).unwrap();
    fs::create_dir_all(seed.join(".git/hooks")).unwrap();
    fs::create_dir_all(seed.join("gone/below")).unwrap();
    for (name, content) in [
        ("src/edited", "one\ntwo\nthree"),
        ("src/deep/kept", "kept\n"),
        ("touched", "same\n"),
        ("gone/below/file", "gone\n"),
        ("to link", "file\n"),
        ("to directory", "file\n"),
        ("run", "#!/bin/sh\n"),
        ("private", "secret\n"),
        (".git/config", "[core]\n"),
    ] {
        fs::write(seed.join(name), content).unwrap();
    }
    symlink("run", seed.join("link")).unwrap();
    fs::write(seed.join("binary"), [0, 1, 2, 3]).unwrap();
    seed
}

/// One change of each kind.
const CHANGES: &str = "printf 'one\\n2\\nthree\\n' > src/edited; touch touched; cat touched >> touched; \
         printf 'same\\n' > touched; rm -r gone; rm 'to link'; ln -s run 'to link'; \
         rm 'to directory'; mkdir 'to directory'; echo x > 'to directory/file'; chmod +x private; \
         chmod 600 run; ln -sf private link; printf '\\0\\377' > binary; mkdir empty; mkfifo pipe; \
         printf 'caf\\351\\n' > latin; printf x > \"$(printf 'tab\\there\"\\nline\\377')\"; \
         echo changed >> .git/config; mkdir -p new/sub; echo n > new/sub/file; chmod 700 src/deep";

#[test]
fn every_kind_of_change_is_seen_and_git_makes_most_of_them() {
    let context = TestContext::with(debian());
    let seed = mixed_seed(&context);
    let workspace = seeded(&context, &seed);
    let none = diff(&workspace, &[]);
    assert_eq!(none["changed"], false, "{none}");
    assert_eq!((&none["patch"], &none["entries"]), (&json!(""), &json!([])));
    let text = workspace.call(&["diff"]).run().expect(0);
    text.out_is("No workspace changes.\n");

    workspace.ask(CHANGES);
    let made = diff(&workspace, &[]);
    let entries = made["entries"].as_array().unwrap();
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| {
            let of = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", of("path"), of("status"), of("artifact_type"))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "binary modified file",
            "empty added directory",
            "gone deleted directory",
            "gone/below deleted directory",
            "gone/below/file deleted file",
            "latin added file",
            "link modified symlink",
            "new added directory",
            "new/sub added directory",
            "new/sub/file added file",
            "pipe added other",
            "private modified file",
            "run modified file",
            "src/deep modified directory",
            "src/edited modified file",
            "tab\there\"\nline\u{10ffff} added file",
            "to directory type_changed directory",
            "to directory/file added file",
            "to link type_changed symlink",
        ]
    );
    let counts = &made["summary"];
    assert_eq!(counts["total"], 19, "{counts}");
    assert_eq!(
        (&counts["added"], &counts["deleted"]),
        (&json!(8), &json!(3))
    );
    assert_eq!(
        (&counts["modified"], &counts["type_changed"]),
        (&json!(6), &json!(2))
    );
    assert_eq!(made["git_entries_left_out"], 1);
    let edited = &entries[14];
    assert_eq!(
        (&edited["lines_added"], &edited["lines_removed"]),
        (&json!(2), &json!(2))
    );
    let modes = |entry: &Value| (entry["old_mode"].clone(), entry["new_mode"].clone());
    assert_eq!(modes(&entries[11]), (json!("0644"), json!("0755")));
    assert_eq!(entries[12]["in_patch"], false, "git has no mode 600");
    assert!(made["patch_base64"].is_string(), "not all of it is UTF-8");

    // The same bytes on standard output; everything else is on standard error.
    let run = workspace.call(&["diff"]).run().expect(0);
    assert!(
        run.err().contains("[workspace-diff] workspace_id="),
        "{}",
        run.err()
    );
    assert!(
        run.err()
            .contains("not in the patch: modified file 0644 -> 0600: run")
    );
    assert!(run.err().contains("not in the patch: added other: pipe"));
    assert!(!run.err().contains("directory: new\n"), "{}", run.err());
    let (target, out) = (context.path("target"), context.path("out"));
    copy(&seed, &target);
    apply(&target, &run.stdout);
    let export = workspace
        .call(&["export"])
        .args(&[".", "--output"])
        .args(&[&out]);
    export.run().expect(0);
    let without_git = |directory: &Path| {
        let mut tree = tree(directory);
        tree.retain(|path, _| !path.starts_with(b".git"));
        tree
    };
    assert_eq!(without_git(&target), without_git(&out));
}

#[test]
fn a_part_is_shown_and_names_and_counts() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context, &mixed_seed(&context));
    workspace.ask(CHANGES);
    let part = diff(&workspace, &["src", "/workspace/new/sub/file"]);
    let paths: Vec<_> = part["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        paths,
        ["new", "new/sub", "new/sub/file", "src/deep", "src/edited"]
    );
    let names = workspace
        .call(&["diff", "--name-only"])
        .args(&["src"])
        .run();
    names.expect(0).out_is("src/deep\nsrc/edited\n");
    let stat = workspace
        .call(&["diff", "--stat"])
        .args(&["src", "binary"])
        .run();
    stat.expect(0)
        .out_is(" binary     | Bin\n src/deep   |   - directory\n src/edited |   4 ++--\n");
    let outside = workspace.call(&["diff", "--json"]).args(&["/etc"]).run();
    outside.expect(1).json_error("invalid_input", true);
}

#[test]
fn a_workspace_without_a_seed_began_empty() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    assert_eq!(diff(&workspace, &[])["changed"], false);
    workspace.ask("mkdir dir; echo hello > dir/file; echo outside > /root/file");
    let mut client = Client::start(&context, Era::Legacy, &[]);
    let made = client.tool("workspace_diff", &json!({"workspace_id": workspace.id}));
    assert_eq!(made["summary"]["added"], 2, "{made}");
    client.finish().expect(0);
    let target = context.path("target");
    fs::create_dir(&target).unwrap();
    apply(&target, made["patch"].as_str().unwrap().as_bytes());
    assert_eq!(fs::read(target.join("dir/file")).unwrap(), b"hello\n");

    // More than fits into a result; names alone do fit.
    workspace.ask("head -c 70000000 /dev/zero > big");
    let refused = workspace.call(&["diff", "--json"]).run();
    refused.expect(1).json_error("diff_too_large", true);
    let names = workspace.call(&["diff", "--name-only"]).run();
    names.expect(0).out_is("big\ndir\ndir/file\n");
    assert_eq!(diff(&workspace, &["dir"])["summary"]["text_patched"], 1);
}

#[test]
fn git_makes_the_workspace_of_its_seed_whatever_was_done_in_it() {
    let cases = count(500, 5000);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut script = Script::new(u64::from(now.subsec_nanos()) | 1);
    let context = TestContext::with(debian());
    let (seed, scripts) = (context.path("seed"), context.path("scripts"));
    fs::create_dir(&scripts).unwrap();
    for case in 0..cases {
        let directory = seed.join(format!("case-{case}"));
        fs::create_dir_all(&directory).unwrap();
        let count = script.number(14);
        for _ in 0..count {
            script.make();
        }
        let path = scripts.join("make");
        fs::write(&path, script.take()).unwrap();
        run_script(&directory, &path);
        for _ in 0..=script.number(9) {
            script.change();
        }
        let path = scripts.join(format!("case-{case}"));
        fs::write(path, script.take()).unwrap();
    }
    let workspace = seeded(&context, &seed);
    let push = workspace.call(&["sync", "push"]).args(&[&scripts]);
    push.args(&["--dest", "/workspace/scripts"]).run().expect(0);
    let mut all = String::from("umask 022; mv scripts /root/scripts");
    write!(all, "; for n in $(seq 0 {}); do", cases - 1).unwrap();
    all += " cd /workspace/case-$n && sh /root/scripts/case-$n; done; true";
    let run = workspace.shell_with(&["--timeout-seconds", "600"], &all);
    run.limit(600).run().expect(0);

    let patched = context.path("patched");
    copy(&seed, &patched);
    // Git has no empty directories, and does not remove one to put a file in its place.
    let find = Command::new("find")
        .arg(&patched)
        .args(["-mindepth", "2", "-type", "d", "-empty", "-delete"])
        .status();
    assert!(find.unwrap().success());
    for case in 0..cases {
        let name = format!("case-{case}");
        run_script(&seed.join(&name), &scripts.join(&name));
    }
    let run = workspace.call(&["diff"]).run().expect(0);
    let out = context.path("out");
    let export = workspace
        .call(&["export"])
        .args(&[".", "--output"])
        .args(&[&out]);
    export.run().expect(0);
    let (wanted, exported) = (tree(&seed), tree(&out));
    assert!(
        wanted == exported,
        "the scripts did something else in the guest"
    );
    apply(&patched, &run.stdout);
    let found = tree(&patched);
    for (path, what) in &wanted {
        assert_eq!(
            found.get(path),
            Some(what),
            "{}",
            String::from_utf8_lossy(path)
        );
    }
    assert_eq!(found.len(), wanted.len());
}
