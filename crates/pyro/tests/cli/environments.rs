//! Tests of environments that need no build.

use std::fs;

use crate::context::{TestContext, debian, debian_base, directory_of};
use crate::skip;

/// An apt configuration with an unreachable archive: port 9 of this machine is closed.
const CLOSED: &str = "Acquire::http::Proxy \"http://127.0.0.1:9/\";\n\
                      Acquire::https::Proxy \"http://127.0.0.1:9/\";\nAcquire::Retries \"0\";\n";

/// Makes apt's archive unreachable for the runs of a test.
pub(crate) fn closed_archive(context: &TestContext) -> std::path::PathBuf {
    let path = context.path("closed.conf");
    fs::write(&path, CLOSED).unwrap();
    path
}

#[test]
fn pulling_what_is_there_changes_nothing() {
    let context = TestContext::with(debian());
    let manifest = || {
        let inspected = context
            .pyro(&["env", "inspect", debian(), "--json"])
            .run()
            .json();
        let path = inspected["install_manifest"].as_str().unwrap().to_owned();
        (
            fs::read(&path).unwrap(),
            fs::metadata(&path).unwrap().modified().unwrap(),
        )
    };
    let before = manifest();
    let pull = context.pyro(&["env", "pull", debian()]);
    // It needs neither an archive nor tools nor network.
    let pull = pull
        .env("APT_CONFIG", closed_archive(&context))
        .env("PATH", "/nowhere");
    let finished = pull.run().expect(0);
    assert_eq!(finished.err(), "", "nothing was installed");
    assert!(
        finished
            .out()
            .starts_with(&format!("Pulled: {}\n", debian()))
    );
    assert_eq!(manifest(), before);
}

#[test]
fn an_archive_that_cannot_be_reached_is_named_with_the_way_out() {
    let context = TestContext::new().with_own_cache();
    let pull = context.pyro(&["env", "pull", debian_base(), "--json"]);
    let run = pull
        .env("APT_CONFIG", closed_archive(&context))
        .limit(120)
        .run();
    let error = run.json_error("archive_unreachable", true);
    assert!(
        error["error"].as_str().unwrap().contains("127.0.0.1"),
        "{error}"
    );
    assert!(
        error["remedy"].as_str().unwrap().contains("apt-get update"),
        "{error}"
    );
    assert_nothing_counts_as_installed(&context);

    let run = context.pyro(&["run", debian_base(), "--", "true"]);
    let run = run
        .env("APT_CONFIG", closed_archive(&context))
        .limit(120)
        .run()
        .expect(1);
    run.err_has("code: archive_unreachable")
        .err_has("[pull] phase=install");
}

#[test]
fn tools_that_are_missing_are_named_all_at_once_or_skip() {
    let context = TestContext::new().with_own_cache();
    // Hidden by bind mounts of files that are not executable.
    let script = "for tool in mmdebstrap mkfs.erofs; do \
                  mount --bind /dev/null \"$(command -v $tool)\"; done; exec \"$@\"";
    let Some(pull) = context.mounting(script, &["env", "pull", debian_base(), "--json"]) else {
        skip!("tools_that_are_missing", "this user may not mount");
    };
    let error = pull.run().json_error("environment_tools_missing", true);
    let remedy = error["remedy"].as_str().unwrap();
    assert_eq!(remedy, "Run: sudo apt-get install erofs-utils mmdebstrap");
    let message = error["error"].as_str().unwrap();
    assert!(
        message.contains("mmdebstrap") && message.contains("mkfs.erofs"),
        "{message}"
    );

    let doctor = context
        .mounting(script, &["doctor"])
        .unwrap()
        .run()
        .expect(1);
    assert!(
        doctor
            .out()
            .contains("sudo apt-get install erofs-utils mmdebstrap"),
        "{doctor:?}"
    );
}

#[test]
fn prune_removes_junk_and_keeps_what_is_installed() {
    let source = TestContext::with(debian());
    let context = TestContext::new().with_own_cache();
    copy_cache(&source, &context, &directory_of(debian()));
    let platform = context.cache().join("linux-x86_64");
    let junk = [
        ".partial-debian_12-base-1.0.0-dead",
        "debian_11-1.0.0",
        "debian_12-0.9.0",
    ];
    for name in junk {
        fs::create_dir_all(platform.join(name).join("deep")).unwrap();
        fs::write(platform.join(name).join("environment.json"), "{").unwrap();
    }
    let out = context.pyro(&["env", "prune"]).run().expect(0).out();
    let mut lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.remove(0), "Deleted 3 cached environment entries.");
    assert_eq!(lines.pop(), Some("Freed: 1 MiB"));
    let expected: Vec<String> = junk.iter().map(|name| format!("- {name}")).collect();
    assert_eq!(lines, expected);
    for name in junk {
        assert!(!platform.join(name).exists(), "{name}");
    }
    context
        .pyro(&["env", "prune"])
        .run()
        .expect(0)
        .out_is("Deleted 0 cached environment entries.\n");
    let run = context.debian(&["--", "git", "--version"]);
    let run = run
        .env("APT_CONFIG", closed_archive(&context))
        .run()
        .expect(0);
    run.err_lacks("[pull]");
}

/// Copies an installed environment of the shared cache into that of `to`.
pub(crate) fn copy_cache(from: &TestContext, to: &TestContext, directory: &str) {
    let target = to.cache().join("linux-x86_64");
    fs::create_dir_all(&target).unwrap();
    let copied = std::process::Command::new("cp")
        .args(["-a", "--reflink=auto", "--"])
        .arg(from.cache().join("linux-x86_64").join(directory))
        .arg(&target)
        .status()
        .unwrap();
    assert!(copied.success());
}

#[track_caller]
pub(crate) fn assert_nothing_counts_as_installed(context: &TestContext) {
    let list = context
        .pyro(&["env", "list", "--json"])
        .run()
        .expect(0)
        .json();
    for environment in list["environments"].as_array().unwrap() {
        assert_eq!(environment["installed"], false, "{environment}");
    }
}
