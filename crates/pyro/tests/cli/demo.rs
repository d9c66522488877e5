//! `demo`, at a terminal and for programs.

use std::path::Path;

use serde_json::Value;

use crate::context::TestContext;
use crate::skip;

#[test]
fn a_program_gets_the_result_of_a_run() {
    let context = TestContext::with("debian:12");
    let finished = context.pyro(&["demo"]).run().expect(0);
    assert_eq!(finished.err(), "");
    let shown = finished.json();
    let run = context.debian(&["--json", "--", "git", "--version"]).run();
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&shown), keys(&run.json()), "{shown:#}");
    assert_eq!(shown["command"], "git --version");
    assert_eq!(shown["environment"], "debian:12");
    assert_eq!(shown["execution_mode"], "guest_vsock");
    assert!(
        shown["stdout"]
            .as_str()
            .unwrap()
            .starts_with("git version ")
    );
    assert_eq!(shown["exit_code"], 0);
}

/// Runs pyro at a terminal.
fn seen(context: &TestContext, arguments: &str) -> Option<String> {
    if !Path::new("/usr/bin/script").exists() {
        return None;
    }
    let command = format!("script -qec \"$1 {arguments}\" /dev/null");
    let run = context.scripted(&command, &[]).run().expect(0);
    Some(run.out().replace('\r', ""))
}

#[test]
fn a_person_gets_a_tour() {
    const TEST: &str = "a_person_gets_a_tour";
    let context = TestContext::with("debian:12");
    let Some(tour) = seen(&context, "demo") else {
        skip!(TEST, "there is no `script`, which has a terminal");
    };
    let begins: Vec<&str> = tour
        .lines()
        .map_while(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        begins[..4],
        ["environment", "microVM", "command", "cleanup"],
        "{tour}"
    );
    let lines: Vec<&str> = tour.lines().collect();
    assert!(lines[1].contains("1 vCPU, 1024 MiB, no network"), "{tour}");
    assert!(
        lines[1].contains("TCG") || lines[1].contains("KVM"),
        "{tour}"
    );
    assert!(lines[2].contains("git --version: git version "), "{tour}");
    assert!(lines[..4].iter().all(|line| line.ends_with("s]")), "{tour}");
    assert!(
        tour.contains("\n  pyro run debian:12 -- uname -a\n"),
        "{tour}"
    );
    assert!(!tour.contains("phase="), "{tour}");
    // `--json` prints JSON at a terminal, too.
    let json = seen(&context, "demo --json").unwrap();
    assert!(json.starts_with("{\n"), "{json}");
}

/// If the Internet cannot be reached, that is reported and the rest is shown.
#[test]
fn a_missing_network_is_said_and_the_rest_is_shown() {
    let context = TestContext::with("debian:12");
    let broken = context.fake("passt", "echo this user may not >&2; exit 1");
    let path = crate::context::path_with(&broken);
    let shown = context.pyro(&["demo", "--network"]).env("PATH", path).run();
    let shown = shown.expect(0).json();
    assert!(
        shown["stdout"]
            .as_str()
            .unwrap()
            .starts_with("git version ")
    );
    let reason = shown["network_unreachable"].as_str().unwrap();
    assert!(reason.contains("this user may not"), "{shown:#}");
}

/// With a network, either a page is fetched or the failure is explained.
#[test]
fn the_outside_answers_or_it_is_said_why_not() {
    const TEST: &str = "the_outside_answers_or_it_is_said_why_not";
    if let Some(why) = crate::network::missing() {
        skip!(TEST, "{why}");
    }
    let context = TestContext::with("debian:12");
    let shown = context.pyro(&["demo", "--network"]).run().expect(0).json();
    if let Some(reason) = shown["network_unreachable"].as_str() {
        assert!(
            reason.starts_with("https://example.com/ did not answer: "),
            "{shown:#}"
        );
        assert!(reason.len() > "https://example.com/ did not answer: ".len());
        assert_eq!(shown["command"], "git --version");
    } else {
        assert_eq!(shown["stdout"], "200\n", "{shown:#}");
    }
}

/// Without a guest the demonstration fails, and does not run on the host instead.
#[test]
fn without_a_guest_there_is_no_demo() {
    let context = TestContext::with("debian:12");
    let nothing = context.path("nothing");
    std::fs::create_dir(&nothing).unwrap();
    let run = context.pyro(&["demo"]).env("PATH", &nothing).run();
    let error = run.json_error("qemu_missing", true);
    assert!(
        !error["error"].as_str().unwrap().contains("allow"),
        "{error:#}"
    );
}
