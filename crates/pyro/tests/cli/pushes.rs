//! `sync push`: atomic, of any size, and only allowed members.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::context::{TestContext, debian};
use crate::idle::peak_kib;
use crate::instances::{Instance, is_alive, kill, signal};
use crate::templates::wait_until;

const NO_OPTIONS: &[&str] = &[];
/// The memory limit of client and supervisor for a transfer of any size, in KiB.
const MEMORY_KIB: u64 = 64 * 1024;
const BIG_MIB: u64 = 200;

#[test]
fn a_push_that_is_cut_changes_nothing() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    workspace.ask("echo old > file; mkdir directory; echo old > directory/file");
    let source = context.path("source");
    fs::create_dir_all(source.join("directory")).unwrap();
    fs::write(source.join("directory/file"), "new\n").unwrap();
    fs::write(source.join("file"), "new\n").unwrap();
    // The first members arrive long before the rest.
    big(&source.join("zeros"), BIG_MIB);
    let tree = "find . | LC_ALL=C sort; cat file directory/file";
    let before = workspace.ask(tree);
    let unpacking = || workspace.ask("ls -A /.pyro/staging-*/* 2>/dev/null || true");
    wait_until("the warm-up is over", || {
        thread::sleep(Duration::from_millis(500));
        workspace.ask("ls -A /.pyro").is_empty()
    });
    for way in ["client", "client asked", "guest"] {
        let push = workspace.push(&source).start();
        wait_until("it is under way", || !unpacking().is_empty());
        match way {
            "client" => push.signal(Signal::KILL),
            "client asked" => push.signal(Signal::INT),
            _ => drop(workspace.ask("rm -r /.pyro/staging-*")),
        }
        let push = push.finish();
        assert_ne!(push.code, 0, "{way}: {push:?}");
        assert!(
            push.code < 0 || way != "client asked" || push.code == 130,
            "{push:?}"
        );
        wait_until("nothing unpacks", || unpacking().is_empty());
        assert_eq!(workspace.ask(tree), before, "{way}: {push:?}");
    }
    let push = workspace.push(&source).start();
    wait_until("it is under way", || !unpacking().is_empty());
    kill(workspace.supervisor().unwrap());
    push.finish().expect(1).err_has("code: supervisor_gone");
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask(tree), before);
    // The existing files are not replaced.
    fs::remove_file(source.join("zeros")).unwrap();
    workspace.push(&source).run().expect(0);
    assert_eq!(workspace.ask("cat file directory/file"), "new\nnew\n");
    wait_until("nothing is left", || unpacking().is_empty());
}

#[test]
fn a_big_push_takes_no_memory() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    let source = context.path("source");
    fs::create_dir(&source).unwrap();
    big(&source.join("big"), BIG_MIB);
    let mut marked = File::options()
        .write(true)
        .open(source.join("big"))
        .unwrap();
    marked.write_all(b"begin").unwrap();
    let supervisor = workspace.supervisor().unwrap();
    let push = workspace.push(&source).start();
    let mut peak = 0;
    while is_alive(push.pid()) {
        // It may end while it is inspected.
        let seen = std::panic::catch_unwind(|| peak_kib(push.pid())).unwrap_or(0);
        peak = peak.max(seen);
        thread::sleep(Duration::from_millis(20));
    }
    push.finish().expect(0);
    let memory = (peak, peak_kib(supervisor));
    assert!(
        peak > 0 && memory.0 < MEMORY_KIB && memory.1 < MEMORY_KIB,
        "{memory:?} KiB"
    );
    let out = workspace.ask("head -c 5 big; stat -c ' %s' big");
    assert_eq!(out, format!("begin {}\n", BIG_MIB << 20));
}

#[test]
fn a_push_of_too_many_paths_is_refused_before_anything_is_sent() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    // With long paths, fewer files exceed the limit.
    let source = context.path("source");
    let deep: PathBuf = std::iter::repeat_n("d".repeat(250), 15).collect();
    let files = (32 << 20) / deep.as_os_str().len();
    fs::create_dir_all(source.join(&deep)).unwrap();
    for number in 0..files {
        fs::write(source.join(&deep).join(number.to_string()), "").unwrap();
    }
    let supervisor = workspace.supervisor().unwrap();
    // It uses no space.
    signal(supervisor, Signal::STOP);
    let push = workspace.push(&source).limit(60).run();
    signal(supervisor, Signal::CONT);
    push.expect(1)
        .err_has("the paths of all entries together have more than 32 MiB")
        .err_has("code: archive_too_large (safe to retry: yes")
        .err_has("--exclude");
    let push = workspace.push(&source).args(&["--exclude", "*[0-4]"]);
    push.run().expect(0);
    let expected = (0..files).filter(|number| number % 10 > 4).count();
    assert_eq!(
        workspace.ask("find . -type f | wc -l"),
        format!("{expected}\n")
    );
}

#[test]
fn an_interrupted_push_that_cannot_be_finished_is_told_at_the_next_start() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    // The state after an agent was killed that had committed two files; the place of one of them is
    // now occupied.
    workspace.ask(
        "staging=/.pyro/staging-0; mkdir -p $staging/drawer-0 taken && \
         echo first > $staging/drawer-0/0 && echo second > $staging/drawer-0/1 && \
         printf 'workspace\\0- taken\\0- free\\0' > $staging/commit",
    );
    workspace.call(&["stop"]).run().expect(0);
    workspace
        .call(&["start", "--quiet"])
        .run()
        .expect(0)
        .err_has("an earlier push was interrupted, and not all of its files are in their places")
        .err_has("taken");
    assert_eq!(workspace.ask("cat free; ls -d taken/"), "second\ntaken/\n");
    // It is reported once.
    workspace.call(&["stop"]).run().expect(0);
    let start = workspace.call(&["start"]).run().expect(0);
    start.err_lacks("push");
}

#[test]
fn what_may_not_be_is_refused_by_name_and_changes_nothing() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NO_OPTIONS);
    workspace.ask("mkdir -p taken; echo old > first");
    let before = workspace.ask("find . | sort; cat first");
    let first = Member::file("first", "new");
    let cases: &[(&str, Member)] = &[
        ("/etc/passwd", Member::file("/etc/passwd", "x")),
        ("a/../../b", Member::file("a/../../b", "x")),
        ("rest", Member::of_kind("rest", b'M', "")),
        ("stray", Member::of_kind("stray", b'1', "nowhere")),
        // In the guest's way.
        ("taken", Member::file("taken", "x")),
        ("first", Member::file("first/below", "x")),
    ];
    for (name, member) in cases {
        let archive = tar(&context, &[first.clone(), member.clone()]);
        let push = workspace.push(&archive).run().expect(1);
        push.err_has(name);
        assert_eq!(workspace.ask("find . | sort; cat first"), before, "{name}");
    }
    // A seed is refused before the workspace is created.
    let archive = tar(&context, &[first, Member::file("../b", "x")]);
    let run = context.pyro(&["workspace", "create", debian(), "--seed-path"]);
    run.args(&[&archive]).run().expect(1).err_has("../b");
    let list = context
        .pyro(&["workspace", "list", "--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(list["count"], 1);
}

#[test]
fn of_members_with_one_name_the_last_wins() {
    let context = TestContext::with(debian());
    let archive = tar(
        &context,
        &[
            Member::file("twice", "first"),
            Member::of_kind("other-name", b'1', "twice"),
            Member::of_kind("directory", b'5', ""),
            Member::file("directory/file", "first"),
            Member::of_kind("directory", b'5', ""),
            Member::file("directory/file", "second"),
            Member::of_kind("twice", b'2', "other-name"),
            Member::file("twice", "last"),
            Member::file("link", "file"),
            Member::of_kind("link", b'2', "directory/file"),
        ],
    );
    let look = "cat twice other-name directory/file link; ls; stat -c %h other-name";
    let expected =
        "lastfirstsecondsecond\ndirectory\nlink\nother-name\ntwice\n1\n".replacen('\n', "", 1);
    let workspace = Instance::workspace(&context, &["--seed-path", archive.to_str().unwrap()]);
    assert_eq!(workspace.ask(look), expected);
    workspace.ask("rm -r *");
    workspace.push(&archive).run().expect(0);
    assert_eq!(workspace.ask(look), expected);
}

/// A file of this many MiB without holes, because holes would not be sent.
fn big(path: &Path, mebibytes: u64) {
    let mut file = File::create(path).unwrap();
    for _ in 0..mebibytes {
        file.write_all(&vec![0; 1 << 20]).unwrap();
    }
}

/// A malformed member of a tar file.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    kind: u8,
    target: String,
    content: String,
}

impl Member {
    fn file(name: &str, content: &str) -> Self {
        let content = content.into();
        Self {
            content,
            ..Self::of_kind(name, b'0', "")
        }
    }

    fn of_kind(name: &str, kind: u8, target: &str) -> Self {
        Self {
            name: name.into(),
            kind,
            target: target.into(),
            content: String::new(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut header = vec![0; 512];
        let mut put =
            |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, &self.name);
        put(100, "0000644\0");
        put(108, "0000000\0");
        put(116, "0000000\0");
        put(124, &format!("{:011o}\0", self.content.len()));
        put(136, "14000000000\0");
        put(148, "        ");
        put(157, &self.target);
        put(257, "ustar\x0000");
        header[156] = self.kind;
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header.extend(self.content.bytes());
        header.resize(header.len().next_multiple_of(512), 0);
        header
    }
}

/// Writes a tar file of these members.
fn tar(context: &TestContext, members: &[Member]) -> PathBuf {
    let mut bytes: Vec<u8> = members.iter().flat_map(Member::bytes).collect();
    bytes.resize(bytes.len() + 1024, 0);
    let path = context.path("made.tar");
    fs::write(&path, bytes).unwrap();
    path
}
