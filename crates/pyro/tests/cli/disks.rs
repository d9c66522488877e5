//! `workspace disk`: disks of stopped workspaces. `PYRO_TEST_FULL` kills processes more often.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clones::count;
use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill, vmms};
use crate::mcp_client::{Client, Era};
use crate::process::{Finished, Pyro};
use crate::templates::wait_until;

const NONE: &[&str] = &[];

/// A workspace whose seed has the files `seed` and `gone`.
fn seeded(context: &TestContext) -> Instance<'_> {
    let source = context.path("source");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("seed"), "seed\n").unwrap();
    fs::write(source.join("gone"), "gone\n").unwrap();
    Instance::workspace(context, &["--seed-path".as_ref(), source.as_os_str()])
}

fn stop(workspace: &Instance<'_>) {
    workspace.call(&["stop"]).run().expect(0);
}

fn list(workspace: &Instance<'_>, arguments: &[&str]) -> Vec<(String, String)> {
    let run = workspace.call(&["disk", "list", "--json"]).args(arguments);
    let listing = run.run().expect(0).json();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let entries = listing["entries"].as_array().unwrap();
    let entry = |entry| (text(entry, "path"), text(entry, "artifact_type"));
    entries.iter().map(entry).collect()
}

fn read(workspace: &Instance<'_>, arguments: &[&str]) -> Finished {
    let run = workspace.call(&["disk", "read"]).args(arguments).run();
    run.expect(0)
}

fn export(workspace: &Instance<'_>, output: &Path) -> Pyro {
    let call = workspace.call(&["disk", "export", "--json"]);
    call.args(&["--output".as_ref(), output.as_os_str()])
}

/// The output of debugfs for an image.
fn debugfs(image: &Path, request: &str) -> String {
    let mut debugfs = Command::new("/usr/sbin/debugfs");
    let said = debugfs.args(["-R", request]).arg(image).output().unwrap();
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// The digest of a workspace's own disk.
fn digest(workspace: &Instance<'_>) -> Vec<u8> {
    digest_of(&workspace.directory().join("disk.ext4"))
}

/// The digest of a disk.
pub(crate) fn digest_of(disk: &Path) -> Vec<u8> {
    // The journal is at the beginning; reading all 8 GiB would take long.
    let command = "head -c 300000000 \"$1\" | sha256sum";
    let mut shell = Command::new("sh");
    let sum = shell.args(["-c", command, "sh"]).arg(disk).output();
    sum.unwrap().stdout
}

/// Whether a machine, or a directory of one, exists.
pub(crate) fn machines(context: &TestContext) -> usize {
    let entries = fs::read_dir(context.base().join("vms")).into_iter();
    let names = entries.flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| name != ".gate").count()
}

#[test]
fn the_disk_of_a_stopped_workspace_is_listed_and_read() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask(
        "rm gone; echo text > new; mkdir -p deep/er; printf '\\377x' > deep/er/bytes; \
         ln -s /etc/hostname link; ln -s nowhere dangling; mknod null c 1 3; \
         echo package > /opt/installed; mv /etc/skel /etc/renamed; ln -s /opt through",
    );
    let refused = workspace.call(&["disk", "list", "--json"]).run().expect(1);
    let error = refused.json_error("wrong_state", true);
    let message = format!(
        "workspace {} must be in 'stopped' state before workspace_disk_list",
        workspace.id
    );
    assert_eq!(error["error"], message);
    let running = workspace.state();
    assert_eq!(running, "started");

    stop(&workspace);
    let (before, status) = (digest(&workspace), workspace.status());
    let pair = |path: &str, kind: &str| (format!("/workspace/{path}"), kind.to_owned());
    let expected = [
        pair("dangling", "symlink"),
        pair("deep", "directory"),
        pair("link", "symlink"),
        pair("new", "file"),
        pair("null", "other"),
        pair("seed", "file"),
        pair("through", "symlink"),
    ];
    assert_eq!(list(&workspace, &[]), expected);
    let deep = [pair("deep/er", "directory"), pair("deep/er/bytes", "file")];
    assert_eq!(list(&workspace, &["deep", "--recursive"]), deep);
    // A renamed directory is merged with the environment's.
    let renamed = list(&workspace, &["/etc/renamed"]);
    assert!(
        renamed.contains(&("/etc/renamed/.bashrc".into(), "file".into())),
        "{renamed:?}"
    );
    // Through a link to an absolute path, which must be resolved in the workspace's root, not in
    // the reader's.
    let one = [("/workspace/through/installed".to_owned(), "file".to_owned())];
    assert_eq!(list(&workspace, &["through/installed"]), one);
    assert_eq!(list(&workspace, &["through"]), one);
    let root = list(&workspace, &["/"]);
    assert!(root.contains(&("/workspace".into(), "directory".into())));
    assert!(!root.iter().any(|(path, _)| path == "/modules"), "{root:?}");

    let whole = read(&workspace, &["new", "--json"]).json();
    assert_eq!(whole["path"], "/workspace/new");
    assert_eq!(whole["content"], "text\n");
    assert_eq!(whole["size_bytes"], 5);
    assert_eq!(whole["max_bytes"], 65536);
    assert_eq!(whole["truncated"], false);
    let cut = read(&workspace, &["new", "--json", "--max-bytes", "2"]).json();
    assert_eq!(cut["content"], "te");
    assert_eq!(cut["truncated"], true);
    read(&workspace, &["/opt/installed", "--content-only"]).out_is("package\n");
    let name = read(&workspace, &["link", "--content-only"]).out();
    assert_eq!(name, format!("pyro-{}\n", workspace.id));
    let bytes = read(&workspace, &["deep/er/bytes", "--content-only"]);
    assert_eq!(bytes.stdout, b"\xffx");

    for (path, code) in [
        ("gone", "no_such_file"),
        ("dangling", "no_such_file"),
        ("deep", "not_a_file"),
        ("null", "not_a_file"),
        ("new/below", "bad_path"),
        ("/../etc", "invalid_input"),
        ("", "invalid_input"),
    ] {
        let run = workspace.call(&["disk", "read", "--json"]).args(&[path]);
        let error = run.run().expect(1).json_error(code, true);
        // The disk of a running workspace is refused.
        let hint = error["remedy"].as_str().unwrap_or_default();
        let list = format!("`pyro workspace disk list {}`", workspace.id);
        assert!(code == "invalid_input" || hint.contains(&list), "{hint}");
    }
    assert_eq!(digest(&workspace), before, "it was not written");
    let after = workspace.status();
    for kept in ["state", "command_count", "expires_at"] {
        assert_eq!(after[kept], status[kept], "{kept}");
    }
    assert_eq!(machines(&context), 0);
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("cat new"), "text\n");
}

#[test]
fn a_disk_is_shown_as_the_next_start_would_have_it() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask("echo one > file; sync");
    // The VMM is killed, as in a power failure: the journal has to be replayed in the copy.
    kill(workspace.supervisor().unwrap());
    wait_until("its death was noticed", || workspace.state() == "stopped");
    let before = digest(&workspace);
    read(&workspace, &["file", "--content-only"]).out_is("one\n");
    assert_eq!(digest(&workspace), before, "it was not written");

    // Pending resets, which the next start carries out.
    let snapshot = workspace.call(&["snapshot", "create"]).args(&["one"]);
    snapshot.run().expect(0);
    workspace.call(&["start"]).run().expect(0);
    workspace.ask("echo two > file");
    stop(&workspace);
    read(&workspace, &["file", "--content-only"]).out_is("two\n");
    let path = workspace.directory().join("record.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    record["reset_to"] = "one".into();
    fs::write(&path, record.to_string()).unwrap();
    read(&workspace, &["file", "--content-only"]).out_is("one\n");
    record["reset_to"] = "baseline".into();
    fs::write(&path, record.to_string()).unwrap();
    let names = list(&workspace, &[]);
    assert_eq!(names.len(), 2, "the seed: {names:?}");

    // A missing disk is not treated as an empty one.
    record["reset_to"] = Value::Null;
    fs::write(&path, record.to_string()).unwrap();
    fs::remove_file(workspace.directory().join("disk.ext4")).unwrap();
    let run = workspace.call(&["disk", "list", "--json"]).run();
    run.expect(1).json_error("file_missing", true);
}

#[test]
fn many_look_at_once_and_there_has_to_be_room() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("head -c 3000000 /dev/urandom > big; echo text > file");
    stop(&workspace);
    let runs: Vec<_> = (0..3)
        .map(|_| {
            let call = workspace.call(&["disk", "read"]);
            call.args(&["file", "--content-only"]).start()
        })
        .collect();
    for run in runs {
        run.finish().expect(0).out_is("text\n");
    }
    let full = workspace.call(&["disk", "list", "--json"]);
    let full = full.env("PYRO_MAX_DISK_MIB", "1").run();
    full.expect(1).json_error("disk_limit", true);
    assert_eq!(machines(&context), 0);
}

#[test]
fn an_image_has_all_of_the_root_file_system() {
    let context = TestContext::with(debian());
    let workspace = seeded(&context);
    workspace.ask(
        "rm gone; head -c 5000000 /dev/urandom > big; sha256sum big > sum; truncate -s 4G hole; \
         echo end >> hole; echo x > file; ln file again; chown 12:34 file; chmod 6751 file; \
         perl -e '($f, $k, $v) = qw(file user.word value); syscall(188, $f, $k, $v, 5, 0)'; \
         ln -s /etc/hostname link; chown -h 56:78 link; mknod null c 1 3; mkfifo pipe; \
         mkdir -p deep/er; touch -d @1000000000.5 deep; echo package > /opt/installed; \
         mkdir far; cd far; perl -e '$n = \"n\" x 200; for (1 .. 30) { mkdir $n; chdir $n } \
         open(F, q(>end)); print F qq(far\\n); close F; link(q(end), q(other))'",
    );
    let out = context.path("out");
    fs::create_dir(&out).unwrap();
    let image = out.join("disk.ext4");
    let refused = export(&workspace, &image).run().expect(1);
    refused.json_error("wrong_state", true);
    stop(&workspace);
    let done = export(&workspace, &image).run().expect(0).json();
    assert_eq!(done["workspace_id"], workspace.id);
    assert_eq!(done["output_path"], image.to_str().unwrap());
    assert_eq!(done["disk_format"], "ext4");
    let found = fs::metadata(&image).unwrap();
    assert_eq!(done["size_bytes"], found.len());
    assert_eq!(done["bytes_written"], found.blocks() * 512);
    assert!(found.blocks() * 512 < 1_000_000_000, "{done}");

    let mut check = Command::new("/usr/sbin/e2fsck");
    let checked = check.arg("-fn").arg(&image).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let stat = |name: &str| debugfs(&image, &format!("stat /workspace/{name}"));
    let has = |name: &str, words: &[&str]| {
        let said = stat(name);
        for word in words {
            assert!(said.contains(word), "{name}: {word}: {said}");
        }
    };
    has("file", &["Mode:  06751", "User:    12", "Group:    34"]);
    has("file", &["Links: 2"]);
    let attributes = debugfs(&image, "ea_list /workspace/file");
    assert!(
        attributes.contains("user.word (5) = \"value\""),
        "{attributes}"
    );
    has("link", &["User:    56", "\"/etc/hostname\""]);
    has("null", &["character special", "01:03"]);
    has("pipe", &["FIFO"]);
    has("hole", &["Size: 4294967300", "Blockcount: 8"]);
    // Its path is longer than the kernel's limit.
    let far = format!("far/{}end", format!("{}/", "n".repeat(200)).repeat(30));
    has(&far, &["Size: 4", "Links: 2"]);
    assert_eq!(debugfs(&image, &format!("cat /workspace/{far}")), "far\n");
    has("deep", &["mtime: 0x3b9aca00:77359400"]);
    has("seed", &["Mode:  0644"]);
    assert_eq!(stat("gone"), "");
    let inode = |name: &str| stat(name).lines().next().unwrap_or_default().to_owned();
    assert_eq!(inode("file"), inode("again"));
    assert_eq!(debugfs(&image, "cat /opt/installed"), "package\n");
    assert!(debugfs(&image, "cat /usr/lib/os-release").contains("Debian"));
    let dumped = out.join("dumped");
    debugfs(&image, &format!("dump /workspace/big {}", dumped.display()));
    let sum = Command::new("sha256sum").arg(&dumped).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(debugfs(&image, "cat /workspace/sum")[..64], sum[..64]);
    fs::remove_file(&dumped).unwrap();

    // An existing file is replaced only with `--force`.
    fs::write(&image, "precious").unwrap();
    let refused = export(&workspace, &image).run().expect(1);
    let error = refused.json_error("invalid_input", true);
    let message = error["error"].as_str().unwrap();
    assert!(
        message.starts_with("output_path already exists: "),
        "{message}"
    );
    assert_eq!(fs::read(&image).unwrap(), b"precious");
    let nowhere = export(&workspace, &out.join("no/where")).run();
    assert_eq!(nowhere.code, 1);
    // In another file system it is copied.
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let other = elsewhere.path().join("disk.ext4");
    fs::write(&other, "old").unwrap();
    let forced = export(&workspace, &other).args(&["--force"]).run();
    forced.expect(0);
    assert_eq!(debugfs(&other, "cat /opt/installed"), "package\n");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    assert_eq!(machines(&context), 0);
}

#[test]
fn whoever_dies_nothing_of_a_reader_is_left() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut random = u64::from(now.subsec_nanos()) | 1;
    eprintln!("seed {random}");
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("echo text > file; head -c 60000000 /dev/urandom > big; sync");
    stop(&workspace);
    // The template exists.
    list(&workspace, &[]);
    let before = digest(&workspace);
    let out = context.path("out");
    fs::create_dir(&out).unwrap();
    let image = out.join("disk.ext4");
    for round in 0..count(12, 100) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let exports = round % 2 == 1;
        let span = if exports { 12_000 } else { 900 };
        let moment = Duration::from_millis(random % span);
        let victim = ["client", "VMM", "interrupted client"][round / 2 % 3];
        eprintln!("round {round}: the {victim} dies {moment:?} into it, an export: {exports}");
        let run = if exports {
            export(&workspace, &image).start()
        } else {
            let call = workspace.call(&["disk", "read", "--json"]);
            call.args(&["file"]).start()
        };
        thread::sleep(moment);
        match victim {
            "client" => run.signal(Signal::KILL),
            "VMM" => vmms(&context).into_iter().for_each(kill),
            _ => run.signal(Signal::INT),
        }
        let finished = run.finish();
        assert_eq!(image.exists(), exports && finished.code == 0, "{victim}");
        if image.exists() {
            fs::remove_file(&image).unwrap();
        }
        // The next call of any kind removes leftovers.
        wait_until("the machine is gone", || {
            workspace.state();
            machines(&context) == 0
        });
        assert_eq!(workspace.state(), "stopped");
    }
    assert_eq!(digest(&workspace), before, "it was not written");
    // The next export removes the staging directory of a killed one.
    export(&workspace, &image).run().expect(0);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("cat file"), "text\n");
}

#[test]
fn models_look_at_disks_too() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("echo text > file");
    let id = &workspace.id;
    let allowed = context.path("allowed");
    fs::create_dir(&allowed).unwrap();
    let files = allowed.to_str().unwrap();
    let mut client = Client::start(&context, Era::Legacy, &["--files", files]);
    client.tool("workspace_stop", &json!({"workspace_id": id}));
    let listed = client.tool("workspace_disk_list", &json!({"workspace_id": id}));
    assert_eq!(listed["entries"][0]["path"], "/workspace/file", "{listed}");
    let read = client.tool(
        "workspace_disk_read",
        &json!({"workspace_id": id, "path": "file"}),
    );
    assert_eq!(read["content"], "text\n", "{read}");
    let ask = |output: &Path, force: bool| json!({"workspace_id": id, "output_path": output, "force": force});
    for (output, force, code) in [
        (
            context.path("elsewhere"),
            false,
            "outside_allowed_directories",
        ),
        (allowed.join("disk"), true, "not_allowed_by_operator"),
    ] {
        let call = client.call("workspace_disk_export", &ask(&output, force));
        let answer = client.response(call);
        let error = &answer["result"]["_meta"]["pyro/error"];
        assert_eq!(error["code"], code, "{answer}");
    }
    let image = allowed.join("disk");
    let done = client.tool("workspace_disk_export", &ask(&image, false));
    assert_eq!(done["disk_format"], "ext4", "{done}");
    assert_eq!(debugfs(&image, "cat /workspace/file"), "text\n");
    client.finish().expect(0);
}

#[test]
fn a_start_waits_for_those_who_copy_the_disk_and_says_so() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("echo text > file; sync");
    kill(workspace.supervisor().unwrap());
    wait_until("its death was noticed", || workspace.state() == "stopped");
    // Locked, as a reader does while it copies.
    let path = workspace.directory().join("owner.lock");
    let take = || {
        let lock = fs::File::options().write(true).open(&path).unwrap();
        lock.try_lock().unwrap();
        lock.set_len(0).unwrap();
        lock
    };
    let held = take();
    assert_eq!(workspace.state(), "stopped", "nobody runs it");
    let start = workspace.call(&["start", "--json"]).limit(60).start();
    let refused = start.finish().expect(1);
    let error = refused.json_error("wrong_state", true);
    let (message, remedy) = (&error["error"], &error["remedy"]);
    assert!(
        message.as_str().unwrap().contains("is being copied"),
        "{message}"
    );
    let again = format!("`pyro workspace start {}`", workspace.id);
    assert!(remedy.as_str().unwrap().ends_with(&again), "{remedy}");

    let start = workspace.call(&["start"]).start();
    thread::sleep(Duration::from_secs(3));
    drop(held);
    let started = start.finish().expect(0);
    assert!(started.err().contains("waiting for"), "{}", started.err());
    assert_eq!(workspace.ask("cat file"), "text\n");
}
