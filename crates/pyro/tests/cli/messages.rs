//! Invalid input: error messages and codes of the public contract.

use crate::context::{TestContext, debian};

/// Arguments, message, code.
const CASES: &[(&[&str], &str, &str)] = &[
    (
        &["run", "debian:12", "--vcpu-count", "0", "--", "true"],
        "vcpu_count must be between 1 and 8",
        "invalid_input",
    ),
    (
        &["run", "debian:12", "--vcpu-count", "9", "--", "true"],
        "vcpu_count must be between 1 and 8",
        "invalid_input",
    ),
    (
        &["run", "debian:12", "--mem-mib", "255", "--", "true"],
        "mem_mib must be between 256 and 32768",
        "invalid_input",
    ),
    (
        &["run", "debian:12", "--mem-mib", "32769", "--", "true"],
        "mem_mib must be between 256 and 32768",
        "invalid_input",
    ),
    (
        &["run", "debian:12", "--ttl-seconds", "59", "--", "true"],
        "ttl_seconds must be between 60 and 3600",
        "invalid_input",
    ),
    (
        &["run", "debian:12", "--ttl-seconds", "3601", "--", "true"],
        "ttl_seconds must be between 60 and 3600",
        "invalid_input",
    ),
    (
        &["run", "debian:12", "--timeout-seconds", "0", "--", "true"],
        "timeout_seconds must be positive",
        "invalid_input",
    ),
    (
        &["run", "debian:12", "--timeout-seconds", "-1", "--", "true"],
        "timeout_seconds must be positive",
        "invalid_input",
    ),
    (
        &["run", "nope", "--", "true"],
        "unknown environment 'nope'; expected one of: debian:12, debian:12-base, \
         debian:12-build, debian:13, debian:13-agent, debian:13-base, debian:13-build",
        "unknown_environment",
    ),
    (
        &["env", "pull", "nope"],
        "unknown environment 'nope'; expected one of: debian:12, debian:12-base, \
         debian:12-build, debian:13, debian:13-agent, debian:13-base, debian:13-build",
        "unknown_environment",
    ),
    (
        &["env", "inspect", "../etc"],
        "unknown environment '../etc'; expected one of: debian:12, debian:12-base, \
         debian:12-build, debian:13, debian:13-agent, debian:13-base, debian:13-build",
        "unknown_environment",
    ),
    (
        &["run", "debian:12"],
        "command is required after `--`",
        "command_required",
    ),
    (
        &["run", "debian:12", "--"],
        "command is required after `--`",
        "command_required",
    ),
    (
        &["doctor", "--platform", "beos-ppc"],
        "unknown platform 'beos-ppc'; expected linux-x86_64",
        "invalid_input",
    ),
];

#[test]
fn every_one_has_its_message_and_code() {
    let context = TestContext::new().with_own_cache();
    for (arguments, message, code) in CASES {
        let human = context.pyro(arguments).run().expect(1).out_is("");
        let first = human.err().lines().next().unwrap_or_default().to_owned();
        assert_eq!(first, format!("[error] {message}"), "{human:?}");
        human.err_has(&format!("code: {code} "));

        let mut with_json = vec!["--json"];
        let words = if arguments[0] == "env" { 2 } else { 1 };
        with_json.splice(0..0, arguments[..words].iter().copied());
        with_json.extend(&arguments[words..]);
        let finished = context.pyro(&with_json).run();
        let error = finished.json_error(code, true);
        assert_eq!(error["error"], *message);
        assert_eq!(finished.err(), "");
        let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
        let expected = ["cause", "code", "error", "ok", "remedy", "retry_safe"];
        assert_eq!(keys, expected);
        assert!(
            !context.base().exists() && !context.cache().exists(),
            "{arguments:?}"
        );
    }
}

/// An unset variable in a script leaves no argument.
#[test]
fn what_is_missing_before_the_command_is_named() {
    let context = TestContext::new().with_own_cache();
    for (arguments, missing) in [
        (&["run", "--", "git", "status"][..], "<ENVIRONMENT>"),
        (&["vm", "exec", "--", "git", "status"], "<VM_ID>"),
        (
            &["workspace", "exec", "--", "git", "status"],
            "<WORKSPACE_ID>",
        ),
        (
            &["workspace", "exec", "--json", "--", "true"],
            "<WORKSPACE_ID>",
        ),
    ] {
        let run = context.pyro(arguments).run().expect(2);
        run.out_is("")
            .err_has("required arguments were not provided")
            .err_has(missing)
            .err_has("is a variable empty?");
    }
    let nearly = context.pyro(&["run", "debain:12", "--", "true"]);
    let run = nearly.run().expect(1);
    run.err_has("hint: Did you mean 'debian:12'? ");
}

#[test]
fn bad_variables_are_named() {
    let context = TestContext::new();
    for (name, value) in [
        ("PYRO_ACCEL", "warp"),
        ("PYRO_BOOT_TIMEOUT_SECONDS", "0"),
        ("PYRO_BOOT_TIMEOUT_SECONDS", "soon"),
    ] {
        let run = context
            .pyro(&["env", "list", "--json"])
            .env(name, value)
            .run();
        let message = run.json_error("invalid_variable", true)["error"].to_string();
        assert!(
            message.contains(name) && message.contains(value),
            "{message}"
        );
    }
}

#[test]
fn a_command_that_is_too_long_is_refused_before_anything_starts() {
    let context = TestContext::new();
    // As several words: the kernel does not pass one word of this length.
    let word = "x".repeat(100_000);
    let words = ["run", debian(), "--json", "--", "echo", &word, &word, &word];
    let error = context.pyro(&words).run().json_error("invalid_input", true);
    let message = error["error"].as_str().unwrap();
    assert!(
        message.contains("300007") && message.contains("131071"),
        "{message}"
    );
    assert!(!context.base().exists());
}
