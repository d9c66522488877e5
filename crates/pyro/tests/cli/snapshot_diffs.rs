//! `workspace diff --against`: changes since a snapshot, and in a stopped workspace.
//! `PYRO_TEST_FULL` tests more trees, and kills processes more often.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clones::count;
use crate::context::{TestContext, debian};
use crate::disks::{digest_of, machines};
use crate::instances::{Instance, kill, vmms};
use crate::mcp_client::{Client, Era};
use crate::process::Pyro;
use crate::scripts::Script;
use crate::templates::wait_until;
use crate::trees::{apply, copy, tree};

fn call(workspace: &Instance<'_>, against: &str) -> Pyro {
    let call = workspace.call(&["diff", "--json"]);
    call.args(&["--against", against])
}

fn diff(workspace: &Instance<'_>, against: &str) -> Value {
    call(workspace, against).run().expect(0).json()
}

fn snapshot(workspace: &Instance<'_>, name: &str) {
    let made = workspace.call(&["snapshot", "create"]).args(&[name]);
    made.run().expect(0);
}

fn stop(workspace: &Instance<'_>) {
    workspace.call(&["stop"]).run().expect(0);
}

/// The files of the running workspace.
fn export(workspace: &Instance<'_>, name: &str) -> PathBuf {
    let out = workspace.context.path(name);
    let export = workspace.call(&["export"]).args(&[".", "--output"]);
    export.args(&[&out]).run().expect(0);
    out
}

fn patch(diff: &Value) -> Vec<u8> {
    use base64::Engine as _;
    match diff["patch_base64"].as_str() {
        Some(exact) => base64::engine::general_purpose::STANDARD
            .decode(exact)
            .unwrap(),
        None => diff["patch"].as_str().unwrap().into(),
    }
}

fn entries(diff: &Value) -> Vec<String> {
    let entries = diff["entries"].as_array().unwrap();
    let shown = entries.iter().map(|entry| {
        let of = |key: &str| entry[key].as_str().unwrap_or("-");
        format!(
            "{} {} {} {}>{}",
            of("path"),
            of("status"),
            of("artifact_type"),
            of("old_mode"),
            of("new_mode")
        )
    });
    shown.collect()
}

fn seeded(context: &TestContext) -> Instance<'_> {
    let seed = context.path("seed");
    fs::create_dir_all(seed.join("moved/deep")).unwrap();
    for name in ["kept", "removed", "moved/deep/file", "run", "again"] {
        fs::write(seed.join(name), format!("{name}\n")).unwrap();
    }
    Instance::workspace(context, &["--seed-path".as_ref(), seed.as_os_str()])
}

/// Before the snapshot: files are added, deleted, moved, and get other permissions.
const BEFORE: &str = "umask 022; echo one > added; mkdir -p dir/sub; echo x > dir/sub/file; \
     rm removed again; mv moved renamed; chmod 600 kept; printf '\\0old' > binary; \
     ln -s one link; echo same > touched";

/// After it: some of these changes are reverted to the initial state.
const AFTER: &str = "umask 022; rm added; rm -r dir; echo back > removed; chmod +x run; chmod 644 kept; \
     mv renamed moved; printf '\\0\\377new' > binary; ln -sf two link; echo again > again; \
     touch touched; mkdir -p new/empty; echo new > new/file";

const EXPECTED: [&str; 17] = [
    "added deleted file 0644>-",
    "again added file ->0644",
    "binary modified file 0644>0644",
    "dir deleted directory 0755>-",
    "dir/sub deleted directory 0755>-",
    "dir/sub/file deleted file 0644>-",
    "kept modified file 0600>0644",
    "link modified symlink 0777>0777",
    "moved added directory ->0755",
    "moved/deep added directory ->0755",
    "moved/deep/file added file ->0644",
    "new added directory ->0755",
    "new/empty added directory ->0755",
    "new/file added file ->0644",
    "removed added file ->0644",
    "renamed deleted directory 0755>-",
    "run modified file 0644>0755",
];

#[test]
fn a_workspace_is_compared_with_a_snapshot_while_it_runs_and_when_it_is_stopped() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask(BEFORE);
    snapshot(&workspace, "mid");
    let none = diff(&workspace, "mid");
    assert_eq!(
        (&none["changed"], &none["patch"]),
        (&json!(false), &json!(""))
    );
    let then = export(&workspace, "then");
    workspace.ask(AFTER);
    // Its processes keep running, and none of them run in the machine that compares.
    workspace.ask("sleep 1000 > /dev/null 2>&1 & echo $! > /root/pid");
    let from_baseline = diff(&workspace, "baseline");
    let running = diff(&workspace, "mid");
    assert_eq!(running["against"], "mid");
    let found: Vec<_> = entries(&running)
        .into_iter()
        .filter(|entry| !entry.starts_with("renamed/"))
        .collect();
    assert_eq!(found, EXPECTED);
    let counts = &running["summary"];
    let of = |key: &str| counts[key].as_u64().unwrap();
    let (added, modified) = (of("added"), of("modified"));
    assert_eq!((added, modified, of("deleted")), (8, 4, 7), "{counts}");
    workspace.ask("kill -0 $(cat /root/pid)");

    let target = context.path("target");
    copy(&then, &target);
    apply(&target, &patch(&running));
    let now = export(&workspace, "now");
    assert_eq!(tree(&target), tree(&now));

    // The same when it is stopped; neither disk is written to.
    stop(&workspace);
    let disks = ["disk.ext4", "snapshots/mid/disk.ext4"];
    let digests = || disks.map(|disk| digest_of(&workspace.directory().join(disk)));
    let before = digests();
    assert_eq!(diff(&workspace, "mid"), running);
    assert_eq!(diff(&workspace, "baseline"), from_baseline);
    let plain = workspace.call(&["diff", "--json"]).run().expect(0).json();
    assert_eq!(plain, from_baseline);
    assert_eq!(plain["against"], "baseline");
    let part = call(&workspace, "mid").args(&["new", "--name-only"]);
    let part = part.run().expect(0).json();
    assert_eq!(part["summary"]["total"], 3, "{part}");
    assert_eq!(part["patch"], "");
    let text = workspace.call(&["diff", "--against", "mid"]).run();
    let text = text.expect(0);
    assert!(text.err().contains(" against=mid "), "{}", text.err());
    assert_eq!(digests(), before, "they were not written");
    assert_eq!(machines(&context), 0);

    // As the next start would have it.
    let path = workspace.directory().join("record.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["reset_to"] = "mid".into();
    fs::write(&path, record.to_string()).unwrap();
    assert_eq!(diff(&workspace, "mid")["changed"], false);
    record["reset_to"] = "baseline".into();
    fs::write(&path, record.to_string()).unwrap();
    assert_eq!(diff(&workspace, "baseline")["changed"], false);
    assert_eq!(diff(&workspace, "mid")["summary"]["added"], 5);
}

#[test]
fn snapshots_that_are_not_there_are_refused_and_those_that_are_are_named() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    snapshot(&workspace, "one");
    snapshot(&workspace, "two");
    for _ in ["running", "stopped"] {
        let refused = call(&workspace, "three").run().expect(1);
        let error = refused.json_error("no_such_snapshot", true);
        let message = error["error"].as_str().unwrap();
        let named = "has no snapshot \"three\"; it has baseline, one, two";
        assert!(message.ends_with(named), "{message}");
        stop(&workspace);
    }
    let refused = call(&workspace, "../two").run().expect(1);
    refused.json_error("invalid_input", true);
    let full = call(&workspace, "two").env("PYRO_MAX_DISK_MIB", "1");
    full.run().expect(1).json_error("disk_limit", true);
    assert_eq!(machines(&context), 0);
}

#[test]
fn a_snapshot_without_the_directory_has_nothing_and_models_compare_too() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask("cd /; rm -r /workspace");
    stop(&workspace);
    snapshot(&workspace, "without");
    let reset = workspace.call(&["reset"]).run();
    reset.expect(0);
    let mut client = Client::start(&context, Era::Legacy, &[]);
    let ask = json!({"workspace_id": workspace.id, "against": "without"});
    let made = client.tool("workspace_diff", &ask);
    // The whole seed, although none of it was changed.
    assert_eq!(made["summary"]["added"], 7, "{made}");
    assert_eq!(made["summary"]["total"], 7, "{made}");
    let empty = context.path("empty");
    fs::create_dir(&empty).unwrap();
    apply(&empty, &patch(&made));
    assert_eq!(tree(&empty), tree(&context.path("seed")));
    client.finish().expect(0);
}

#[test]
fn git_makes_the_workspace_of_a_snapshot_whatever_was_done_since() {
    let cases = count(300, 3000);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut script = Script::new(u64::from(now.subsec_nanos()) | 1);
    let context = TestContext::with(debian());
    let (seed, scripts) = (context.path("seed"), context.path("scripts"));
    fs::create_dir(&scripts).unwrap();
    for case in 0..cases {
        fs::create_dir_all(seed.join(format!("case-{case}"))).unwrap();
        for _ in 0..script.number(14) {
            script.make();
        }
        let made = scripts.join("make");
        fs::write(&made, script.take()).unwrap();
        crate::scripts::run_script(&seed.join(format!("case-{case}")), &made);
        for round in ["before", "after"] {
            for _ in 0..=script.number(7) {
                script.change();
            }
            let path = scripts.join(format!("{round}-{case}"));
            fs::write(path, script.take()).unwrap();
        }
    }
    let workspace = Instance::workspace(&context, &["--seed-path".as_ref(), seed.as_os_str()]);
    let push = workspace.call(&["sync", "push"]).args(&[&scripts]);
    push.args(&["--dest", "/workspace/scripts"]).run().expect(0);
    workspace.ask("mv scripts /root/scripts");
    let run = |round: &str| {
        let mut all = String::new();
        write!(all, "umask 022; for n in $(seq 0 {}); do", cases - 1).unwrap();
        write!(all, " cd /workspace/case-$n && sh /root/scripts/{round}-$n").unwrap();
        all += "; done; true";
        let run = workspace.shell_with(&["--timeout-seconds", "600"], &all);
        run.limit(600).run().expect(0);
    };
    run("before");
    snapshot(&workspace, "before");
    let then = export(&workspace, "then");
    run("after");
    let now = export(&workspace, "now");
    let running = patch(&diff(&workspace, "before"));
    stop(&workspace);
    let stopped = patch(&diff(&workspace, "before"));
    assert!(running == stopped, "the patches differ");

    // Git has no empty directories, and does not remove one to put a file in its place.
    let find = Command::new("find")
        .arg(&then)
        .args(["-mindepth", "2", "-type", "d", "-empty", "-delete"])
        .status();
    assert!(find.unwrap().success());
    apply(&then, &stopped);
    assert_same(&then, &now);
}

fn assert_same(found: &Path, wanted: &Path) {
    let (found, wanted) = (tree(found), tree(wanted));
    for (path, what) in &wanted {
        let path_text = String::from_utf8_lossy(path);
        assert_eq!(found.get(path), Some(what), "{path_text}");
    }
    assert_eq!(found.len(), wanted.len());
}

#[test]
fn whoever_dies_nothing_of_a_comparison_is_left() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = u64::from(now.subsec_nanos()) | 1;
    eprintln!("seed {random}");
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask("head -c 60000000 /dev/urandom > big");
    snapshot(&workspace, "one");
    workspace.ask("echo new > file");
    let machine = vmms(&context);
    let expected = entries(&diff(&workspace, "one"));
    assert_eq!(expected, ["file added file ->0644"]);
    for round in 0..count(9, 60) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let moment = Duration::from_millis(random % 5000);
        let victim = ["client", "VMM", "interrupted client"][round % 3];
        eprintln!("round {round}: the {victim} dies {moment:?} into it");
        let run = call(&workspace, "one").start();
        thread::sleep(moment);
        let readers = || {
            vmms(&context)
                .into_iter()
                .filter(|vmm| !machine.contains(vmm))
        };
        match victim {
            "client" => run.signal(Signal::KILL),
            "VMM" => readers().for_each(kill),
            _ => run.signal(Signal::INT),
        }
        run.finish();
        // The next call of any kind removes leftovers.
        wait_until("only the workspace's own machine is left", || {
            workspace.state();
            machines(&context) == 1
        });
        assert_eq!(workspace.ask("cat file"), "new\n");
    }
    assert_eq!(
        vmms(&context),
        machine,
        "the workspace's machine is the same"
    );
    assert_eq!(entries(&diff(&workspace, "one")), expected);
}
