//! Hosts with missing or wrong programs.

use std::fs;

use crate::context::{TestContext, debian, path_with};

#[test]
fn without_qemu_the_package_is_named() {
    let context = TestContext::with(debian());
    let nothing = context.path("nothing");
    fs::create_dir(&nothing).unwrap();
    let run = context
        .debian(&["--json", "--", "true"])
        .env("PATH", &nothing)
        .run();
    let error = run.json_error("qemu_missing", true);
    let remedy = error["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("sudo apt-get install qemu-system-x86"),
        "{remedy}"
    );
    let message = error["error"].as_str().unwrap();
    let start = "guest boot is unavailable and host compatibility mode is disabled: ";
    let end = ". Set allow_host_compat=True (CLI: --allow-host-compat) to opt into host execution.";
    assert!(
        message.starts_with(start) && message.ends_with(end),
        "{message}"
    );
}

#[test]
fn qemu_that_will_not_do_is_told_from_one_that_is_missing() {
    let context = TestContext::with(debian());
    let cases = [
        (
            "echo 'QEMU emulator version 6.2.0 (Debian)'",
            "qemu_too_old",
            "6.2.0",
        ),
        (
            "echo 'cannot load library' >&2; exit 1",
            "qemu_unusable",
            "cannot load library",
        ),
        ("exit 0", "qemu_unusable", "it printed nothing"),
        (
            "case $1 in --version) echo 'QEMU emulator version 7.2.0';; \
             *) echo 'no such machine' >&2; exit 1;; esac",
            "boot_failed",
            "no such machine",
        ),
    ];
    for (script, code, text) in cases {
        let fake = context.fake("qemu-system-x86_64", script);
        let run = context
            .debian(&["--json", "--", "true"])
            .env("PATH", path_with(&fake))
            .run();
        let error = run.json_error(code, true);
        assert!(error.to_string().contains(text), "{error}");
        assert!(error["remedy"].is_string(), "{error}");
        context.assert_nothing_is_left();
    }
}

#[test]
fn kvm_that_is_asked_for_works_or_is_explained() {
    let context = TestContext::with(debian());
    let run = context.debian(&["--json", "--accel", "kvm", "--", "true"]);
    let run = run.env("PYRO_BOOT_TIMEOUT_SECONDS", "3").limit(100).run();
    let may_open = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_ok();
    if !may_open {
        let error = run.json_error("kvm_unavailable", true);
        assert!(error.to_string().contains("/dev/kvm"), "{error}");
        return;
    }
    if run.code == 0 {
        return;
    }
    let code = run.json()["code"].as_str().unwrap().to_owned();
    assert!(code == "boot_timed_out" || code == "boot_failed", "{run:?}");
    let error = run.json_error(&code, true);
    assert!(error["error"].as_str().unwrap().contains("KVM") || error.to_string().contains("kvm"));
    assert!(error["remedy"].as_str().unwrap().contains("--accel tcg") || code == "boot_failed");
}

#[test]
fn the_accelerator_is_chosen_by_option_then_by_variable() {
    let context = TestContext::new();
    let selected = |arguments: &[&str], variable: &str| {
        let run = context.pyro(arguments).env("PYRO_ACCEL", variable).run();
        run.json()["accelerator"]["reason"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let asked = "software emulation was asked for";
    assert_eq!(selected(&["doctor", "--json"], "tcg"), asked);
    assert_eq!(
        selected(&["doctor", "--json", "--accel", "tcg"], "kvm"),
        asked
    );
    assert_ne!(selected(&["doctor", "--json"], "kvm"), asked);
}

#[test]
fn a_boot_that_takes_too_long_shows_what_it_waited_for() {
    let context = TestContext::with(debian());
    let fake = context.fake(
        "qemu-system-x86_64",
        "case $1 in --version) echo 'QEMU emulator version 7.2.0';; *) exec sleep 1000;; esac",
    );
    let run = context.debian(&["--json", "--accel", "tcg", "--", "true"]);
    let run = run
        .env("PATH", path_with(&fake))
        .env("PYRO_BOOT_TIMEOUT_SECONDS", "2");
    let error = run.limit(60).run().json_error("boot_timed_out", true);
    assert!(
        error["error"].as_str().unwrap().contains("the guest agent"),
        "{error}"
    );
    context.assert_nothing_is_left();
}

#[test]
fn directories_that_are_files_are_named() {
    let context = TestContext::with(debian());
    let file = context.path("file");
    fs::write(&file, "").unwrap();
    let run = context
        .debian(&["--json", "--", "true"])
        .env("PYRO_BASE_DIR", &file)
        .run();
    let error = run.json_error("store_unusable", true);
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );

    let run = context.debian(&["--json", "--", "true"]);
    let run = run.env("PYRO_ENVIRONMENT_CACHE_DIR", &file).run();
    let error = run.json_error("cache_unusable", true);
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
    let list = context.pyro(&["env", "list", "--json"]);
    list.env("PYRO_ENVIRONMENT_CACHE_DIR", &file)
        .run()
        .json_error("cache_unusable", true);
}

#[test]
fn without_a_home_the_variables_are_named() {
    let context = TestContext::new();
    let run = context.scripted(
        "unset HOME PYRO_BASE_DIR; exec \"$@\"",
        &["env", "list", "--json"],
    );
    let error = run.run().json_error("no_home", true);
    assert!(error.to_string().contains("PYRO_BASE_DIR"), "{error}");
}
