//! `demo ollama` with misbehaving models and servers: each run ends with a message and exit status
//! 1.

use crate::context::TestContext;
use crate::demo_model::Model;
use crate::process::Finished;

/// Runs with a server of this behaviour, and expects a failure with this code, message and part of
/// the other output.
#[track_caller]
fn fails(
    behaviour: &str,
    options: &[&str],
    code: &str,
    message: &str,
    rest: &str,
) -> Option<Finished> {
    let model = Model::start(behaviour)?;
    let context = TestContext::with("debian:12");
    let run = model.ask(&context, options).run().expect(1);
    let last = run.out();
    let last = last.lines().last().unwrap();
    assert!(last.starts_with(&format!("[error] {message}")), "{run:?}");
    let run = run.err_has(&format!("code: {code} (")).err_has(rest);
    let url = model.url.clone();
    let json = context.pyro(&["demo", "ollama", "--json", "--base-url", &url]);
    let json = json.args(options).run();
    assert_eq!(json.expect(1).json()["code"], code);
    Some(run)
}

const NOT_CALLED: &str =
    "failed to call Ollama. Ensure that a model's server answers at http://127.";
const RAN_NOTHING: &str = "demo did not execute a successful vm_run or vm_exec";

#[test]
fn nonsense_ends_with_what_was_said_instead() {
    let said = "the model said: Sure! Use `vm_run` \\u{1b}[2J\\n[done]";
    let run = fails("nonsense", &[], "model_ran_nothing", RAN_NOTHING, said);
    if let Some(run) = run {
        assert!(!run.out().contains("[done]"), "{run:?}");
    }
}

#[test]
fn a_loop_ends_after_twelve_rounds() {
    let message = "tool-calling loop exceeded maximum rounds";
    let run = fails(
        "loop",
        &[],
        "model_rounds_exceeded",
        message,
        "after 12 rounds",
    );
    if let Some(run) = run {
        assert_eq!(
            run.out()
                .matches("[tool] calling vm_list_environments")
                .count(),
            12
        );
    }
}

#[test]
fn silence_ends_with_the_time_limit() {
    let why = "a reply did not come within 1 s";
    fails(
        "silent",
        &["--timeout-seconds", "1"],
        "model_timed_out",
        NOT_CALLED,
        why,
    );
}

#[test]
fn what_is_no_reply_is_shown() {
    let why = "the reply is not JSON but begins with \"<html><body>It works!";
    fails("bad-json", &[], "model_reply_invalid", NOT_CALLED, why);
    let message = "Ollama response did not contain completion choices";
    fails(
        "other-json",
        &[],
        "model_reply_invalid",
        message,
        "--base-url",
    );
}

#[test]
fn a_server_that_refuses_is_quoted() {
    let why = "HTTP status 400: registry.ollama.ai/library/gemma:2b does not support tools";
    fails("refuses-tools", &[], "model_refused", NOT_CALLED, why);
    fails(
        "fails",
        &[],
        "model_refused",
        NOT_CALLED,
        "HTTP status 500: out of memory",
    );
    let why = "HTTP status 401: Incorrect API key provided: secret-\\u{1b}[2J";
    fails("wants-a-key", &[], "model_refused", NOT_CALLED, why);
}

#[test]
fn a_reply_that_ends_early_is_no_reply() {
    let why = "the connection ended before the reply did";
    fails("ends-early", &[], "model_reply_cut_off", NOT_CALLED, why);
    fails(
        "ends-early-stream",
        &["--stream"],
        "model_reply_cut_off",
        NOT_CALLED,
        why,
    );
}

#[test]
fn a_command_that_fails_or_is_another_is_no_success() {
    let message = "vm_exec failed; expected exit_code=0";
    fails(
        "fails-the-command",
        &[],
        "model_command_failed",
        message,
        "exit code 3",
    );
    let message = "vm_exec output did not confirm repository clone success";
    let run = fails(
        "other-command",
        &[],
        "model_ran_something_else",
        message,
        "expected is \"true\"",
    );
    if let Some(run) = run {
        run.err_has("safe to retry: unknown, a command may have run");
    }
}

#[test]
fn calls_that_are_too_many_are_not_made() {
    let why = "vm_run: at most 8 calls of one reply are made";
    let run = fails("many-calls", &[], "model_ran_nothing", RAN_NOTHING, why);
    if let Some(run) = run {
        assert_eq!(run.out().matches("[tool] calling ").count(), 8, "{run:?}");
    }
}

/// Machines that a model started end with the conversation; the context checks this.
#[test]
fn nothing_is_left_of_a_models_machines() {
    fails(
        "leaves-a-vm",
        &[],
        "model_ran_nothing",
        RAN_NOTHING,
        "It printed true.",
    );
}
