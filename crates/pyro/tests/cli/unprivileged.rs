//! An ordinary user: no root, no `/dev/kvm`, an empty home directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use crate::context::{PYRO, TestContext, debian, debian_base};
use crate::process::Pyro;
use crate::skip;

/// A user of this machine, deleted when dropped.
struct User {
    name: &'static str,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

impl User {
    fn add(name: &'static str, options: &[&str]) -> Self {
        remove(name);
        let added = Command::new("useradd")
            .args(options)
            .args(["-m", name])
            .output()
            .unwrap();
        assert!(
            added.status.success(),
            "{}",
            String::from_utf8_lossy(&added.stderr)
        );
        let id = |flag: &str| {
            let output = Command::new("id").args([flag, name]).output().unwrap();
            String::from_utf8(output.stdout)
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        };
        Self {
            name,
            uid: id("-u"),
            gid: id("-g"),
            home: PathBuf::from("/home").join(name),
        }
    }

    /// A run by this user, with only the variables of a login.
    fn pyro(&self, context: &TestContext, arguments: &[&str]) -> Pyro {
        let program = context.path("pyro");
        context
            .scripted(
                "shift; unset PYRO_BASE_DIR PYRO_ENVIRONMENT_CACHE_DIR; exec \"$@\"",
                &[program.to_str().unwrap()],
            )
            .args(arguments)
            .env("HOME", &self.home)
            .env("USER", self.name)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .directory(&self.home)
            .user(self.uid, self.gid)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        remove(self.name);
    }
}

fn remove(name: &str) {
    // Usually it does not exist; its output is irrelevant.
    let _ = Command::new("userdel").args(["-r", "-f", name]).output();
}

/// A context whose directories and program all users can access; `None` if this machine does not
/// allow creating users.
fn context_for_all(test: &str) -> Option<TestContext> {
    let wanted = std::env::var_os("PYRO_TEST_USER").is_some()
        || std::env::var_os("CI").is_some_and(|value| value == "true");
    if !wanted {
        eprintln!("SKIPPED {test}: it makes a user; set PYRO_TEST_USER=1 to allow that");
        return None;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED {test}: only root can make a user");
        return None;
    }
    let context = TestContext::new();
    let open = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(context.directory(), 0o755);
    open(&context.path("tmp"), 0o1777);
    fs::copy(PYRO, context.path("pyro")).unwrap();
    open(&context.path("pyro"), 0o755);
    Some(context)
}

#[test]
fn an_ordinary_user_can_do_it_all_or_skip() {
    let Some(context) = context_for_all("an_ordinary_user_can_do_it_all") else {
        return;
    };
    let user = User::add("pyro-test", &[]);
    let report = user
        .pyro(&context, &["doctor", "--json"])
        .run()
        .expect(0)
        .json();
    if report["kvm"]["writable"] == true {
        eprintln!("note: every user may open /dev/kvm here");
    } else {
        assert_eq!(report["accelerator"]["selected"], "tcg");
    }
    let pulled = user
        .pyro(&context, &["env", "pull", debian_base()])
        .run()
        .expect(0);
    let pulled = pulled.err_has(&format!("[pull] phase=ready environment={}", debian_base()));
    let cache = user.home.join(".cache/pyro-mcp/environments");
    assert!(
        pulled
            .out()
            .contains(&format!("Cache dir: {}\n", cache.display())),
        "{pulled:?}"
    );

    let run = |flags: &[&str], script: &str| {
        let arguments = [&["run", debian_base()], flags, &["--", "sh", "-c", script]].concat();
        user.pyro(&context, &arguments)
    };
    let owners = "stat -c '%a %U:%G' / /root /usr/bin/su | xargs; id -u; cat /proc/1/comm";
    let finished = run(&[], owners).run().expect(0);
    let expected = "755 root:root 700 root:root 4755 root:root\n0\npyro-";
    assert!(finished.out().starts_with(expected), "{finished:?}");
    run(&[], "exit 7").run().expect(7);
    run(&["--timeout-seconds", "2"], "echo before; sleep 60")
        .run()
        .expect(124)
        .out_is("before\n");
    let input = "0123456789".repeat(200_000);
    run(&["-q"], "cat")
        .stdin(input.clone())
        .run()
        .expect(0)
        .out_is(&input);
    run(
        &["-q"],
        "touch /usr/x /etc/x && su nobody -s /bin/sh -c 'touch /etc/y' || echo no",
    )
    .run()
    .expect(0)
    .out_is("no\n");

    if crate::network::missing().is_none() {
        let finished = run(&["--network"], "cat /etc/resolv.conf").run();
        finished.expect(0).out_is("nameserver 10.0.2.3\n");
    }

    let seed = context.path("seed");
    fs::create_dir(&seed).unwrap();
    fs::write(seed.join("file"), "seeded\n").unwrap();
    let seed = seed.to_str().unwrap();
    let create = [
        "workspace",
        "create",
        debian_base(),
        "--json",
        "--seed-path",
        seed,
    ];
    let created = user.pyro(&context, &create).run().expect(0).json();
    let id = created["workspace_id"].as_str().unwrap();
    let push = ["workspace", "sync", "push", id, seed, "--dest", "pushed"];
    user.pyro(&context, &push).run().expect(0);
    let list = "cat file pushed/file; stat -c %U pushed/file";
    let exec = ["workspace", "exec", id, "-q", "--", "sh", "-c", list];
    let finished = user.pyro(&context, &exec).run().expect(0);
    finished.out_is("seeded\nseeded\nroot\n");
    let delete = ["workspace", "delete", id];
    user.pyro(&context, &delete).run().expect(0);

    let killed = run(&[], "echo ready; sleep 100");
    let mut killed = killed.start();
    killed.wait_for_stdout("ready");
    killed.signal(rustix::process::Signal::KILL);
    killed.finish().expect(-9);
    user.pyro(&context, &["env", "list"]).run().expect(0);
    let machines = user.home.join(".local/state/pyro-mcp/vms");
    let left = fs::read_dir(machines)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir());
    assert_eq!(left.count(), 0);
    user.pyro(&context, &["doctor", "--boot"]).run();
}

#[test]
fn a_user_without_subordinate_ids_is_told_the_command_or_skip() {
    let Some(context) = context_for_all("a_user_without_subordinate_ids") else {
        return;
    };
    // Only ordinary users get ranges.
    let user = User::add("pyro-test-bare", &["--system"]);
    chown(&user.home, Some(user.uid), Some(user.gid)).unwrap();
    let pull = user.pyro(&context, &["env", "pull", debian_base(), "--json"]);
    let error = pull.run().json_error("subordinate_ids_missing", true);
    let remedy = error["remedy"].as_str().unwrap();
    assert!(
        remedy.starts_with("Run: sudo usermod --add-subuids "),
        "{remedy}"
    );
    assert!(remedy.ends_with(" pyro-test-bare"), "{remedy}");
}

#[test]
fn directories_of_somebody_else_are_named_or_skip() {
    let Some(context) = context_for_all("directories_of_somebody_else") else {
        return;
    };
    let user = User::add("pyro-test-other", &["--system"]);
    let closed = context.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let closed = closed.to_str().unwrap();
    let list = user.pyro(&context, &["env", "list", "--json"]);
    let list = list.env("XDG_CACHE_HOME", closed).run();
    let error = list.json_error("cache_unusable", true);
    assert!(error.to_string().contains(closed), "{error}");
    if fs::exists("/dev/kvm").unwrap() {
        skip_unless_closed(&user, &context);
    }
}

fn skip_unless_closed(user: &User, context: &TestContext) {
    let report = user.pyro(context, &["doctor", "--json"]).run().json();
    if report["kvm"]["writable"] == true {
        skip!("kvm_of_somebody_else", "every user may open /dev/kvm here");
    }
    let run = ["run", debian(), "--accel", "kvm", "--json", "--", "true"];
    let error = user.pyro(context, &run).run().json();
    assert!(
        error["code"] == "kvm_unavailable" || error["code"] == "subordinate_ids_missing",
        "{error}"
    );
}
