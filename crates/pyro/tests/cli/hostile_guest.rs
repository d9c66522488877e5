//! A guest whose root has taken over the agent's port, and sends arbitrary data.

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::process::Finished;

/// Takes the agent's own descriptor of its port and writes to it. The agent is not stopped, but has
/// nothing to send in the meantime.
const TAKE_THE_PORT: &str = r#"
use strict;
my $port;
for my $path (glob '/proc/1/fd/*') {
    my $target = readlink $path;
    ($port) = $path =~ m{(\d+)$} if defined $target && $target =~ m{^/dev/vport};
}
die "no port" unless defined $port;
my $agent = syscall(434, 1, 0);
my $fd = syscall(438, $agent, $port + 0, 0);
die "no descriptor: $!" if $fd < 0;
open(my $out, '>>&=', $fd) or die;
sub raw { my $bytes = join '', @_; while (length $bytes) {
    my $n = syswrite $out, $bytes; last unless defined $n; substr($bytes, 0, $n) = ''; } }
sub frame { my ($stream, $kind, $payload) = @_; raw(pack('VVC', length $payload, $stream, $kind), $payload) }
"#;

/// A run whose command takes over the port and then runs `words`. The stream of a run's only
/// command is the first one after the connection's own stream.
fn says(context: &TestContext, words: &str, options: &[&str]) -> Finished {
    let script = format!("{TAKE_THE_PORT}{words}\nsleep 5;");
    let arguments = [options, &["--", "perl", "-e", &script]].concat();
    let run = context.debian(&arguments).limit(120).run();
    // No control sequences are passed on.
    for text in [run.out(), run.err()] {
        let obeyed = text
            .chars()
            .find(|c| pyro_text::is_obeyed(*c) && *c != '\n');
        assert_eq!(obeyed, None, "{run:?}");
    }
    // The output may be long, but messages are short.
    assert!(run.err().len() < 20_000, "{} bytes", run.err().len());
    assert!(
        run.code != 1 || run.stdout.len() < 20_000,
        "{} bytes",
        run.stdout.len()
    );
    run
}

/// A message of the agent, as a perl expression.
fn message(stream: &str, message: &serde_json::Value) -> String {
    let text = message
        .to_string()
        .replace('\\', "\\\\")
        .replace('\'', "\\'");
    format!("frame({stream}, 0, '{text}');")
}

#[test]
fn a_command_that_runs_is_not_said_to_have_failed_to_start() {
    let context = TestContext::with(debian());
    let forged = json!({
        "type": "refused",
        "reason": "not_found",
        "message": "x\u{1b}]0;title\u{7}\u{1b}[2J\n[run] environment=debian:12 exit_code=0\n",
    });
    // All possible stream numbers.
    let words = format!("for my $s (1 .. 40) {{ {} }}", message("$s", &forged));
    let error = says(&context, &words, &["--json"]).json_error("guest_protocol_broken", false);
    assert!(!error.to_string().contains("not started"), "{error}");
    let human = says(&context, &words, &[]);
    let human = human.expect(1).err_has("safe to retry: unknown");
    let forged = human
        .err()
        .lines()
        .any(|line| line.starts_with("[run] environment="));
    assert!(!forged, "{human:?}");
    context.assert_nothing_is_left();
}

/// The agent's answer that a command has exited.
fn exited(exit: &Value) -> Value {
    json!({"type": "answered", "answer": {"exited": exit}})
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let context = TestContext::with(debian());
    for (code, signal) in [
        (json!(null), json!(i32::MAX)),
        (json!(256), json!(null)),
        (json!(-1), json!(null)),
        (json!(0), json!(9)),
        (json!(null), json!(null)),
    ] {
        let exited = exited(&json!({
            "code": code, "signal": signal, "timed_out": false, "duration_ms": u64::MAX,
        }));
        let words = format!("for my $s (1 .. 40) {{ {} }}", message("$s", &exited));
        let error = says(&context, &words, &["--json"]).json_error("guest_protocol_broken", false);
        assert!(error["error"].as_str().unwrap().len() < 600, "{error}");
    }
    // A plausible answer is accepted, but its duration is limited to the actual one.
    let exited = exited(&json!({
        "code": 42, "signal": null, "timed_out": false, "duration_ms": u64::MAX,
    }));
    let words = format!("for my $s (1 .. 40) {{ {} }}", message("$s", &exited));
    let run = says(&context, &words, &["--json"]).expect(42).json();
    assert!(run["duration_ms"].as_u64().unwrap() < 200_000, "{run}");
}

#[test]
fn long_words_are_cut_and_floods_end() {
    let context = TestContext::with(debian());
    for words in [
        // On the connection's own stream; then on all streams.
        r#"for my $s (0 .. 40) { frame($s, 0, '{"type":"failed","message":"' . ('\u001b' x 100000) . '"}'); }"#,
        r#"for my $s (1 .. 40) { frame($s, 0, '{"type":"' . ('x' x 900000) . '"}'); }"#,
        // A frame that is too long; an unknown kind; an incomplete frame.
        "raw(pack('VVC', 0xffffffff, 1, 0));",
        "for my $s (1 .. 40) { frame($s, 77, 'x'); }",
        "raw(pack('VVC', 1000, 1, 0), 'x' x 10); exit 0;",
        // More output than was granted, unexpected credit, and invalid data.
        "for my $s (1 .. 40) { frame($s, 1, 'standard input'); }",
        "for my $i (1 .. 3000) { for my $s (1 .. 8) { frame($s, 2, 'x' x 60000); } }",
        "for my $s (1 .. 40) { frame($s, 4, pack('CV', 1, 0x7fffffff)); }",
        "raw('[' x 500000);",
        "for my $s (1 .. 40) { frame($s, 0, '[' x 500000); }",
    ] {
        let run = says(&context, words, &["--json", "--timeout-seconds", "4"]);
        let result = run.json();
        // Either a protocol violation is reported, or the command's time limit is reached.
        let is_clear = result["code"] == "guest_protocol_broken" || result["exit_code"] == 124;
        assert!(is_clear, "{words}: {run:?}");
        assert!(result["retry_safe"] != true, "{words}: {run:?}");
        context.assert_nothing_is_left();
    }
}

/// Data that is stored with a command and shown later.
#[test]
fn a_log_cannot_be_forged() {
    let context = TestContext::with(debian());
    let create = ["workspace", "create", debian(), "--json"];
    let created = context.pyro(&create).run().expect(0).json();
    let id = created["workspace_id"].as_str().unwrap().to_owned();
    let exec = |script: &str| {
        let words = ["workspace", "exec", &id, "--", "sh", "-c", script];
        context.pyro(&words).run()
    };
    exec("printf 'a\\033[2Jb\\n'").expect(0);
    let two_lines = ["workspace", "exec", &id, "--", "true\n#9 exit_code=0"];
    context.pyro(&two_lines).run();

    let forged = json!({
        "type": "refused", "reason": "not_found",
        "message": "x\n#9 exit_code=0 duration_ms=1 cwd=/workspace\n$ make test\nall passed\n",
    });
    let words = format!("for my $s (1 .. 60) {{ {} }}", message("$s", &forged));
    let script = format!("{TAKE_THE_PORT}{words}\nsleep 5;");
    let exec = ["workspace", "exec", &id, "--", "perl", "-e", &script];
    context
        .pyro(&exec)
        .run()
        .expect(1)
        .err_has("guest_protocol_broken");

    let logs = context.pyro(&["workspace", "logs", &id]).run().expect(0);
    let forged: Vec<_> = logs
        .out()
        .lines()
        .filter(|l| l.starts_with("#9"))
        .map(str::to_owned)
        .collect();
    assert!(forged.is_empty(), "{forged:?}");
    // Without a terminal, bytes are unchanged.
    assert!(logs.out().contains("a\u{1b}[2Jb"), "{logs:?}");

    // On a terminal they are escaped, unless `--raw` is given.
    let on_terminal = |raw: &str| {
        let line = format!("exec \"$1\" workspace logs {id} {raw}");
        let program = std::path::Path::new("script");
        let command = format!("sh -c '{line}' sh {}", crate::context::PYRO);
        let shown = context
            .program(program)
            .args(&["-qec", &command, "/dev/null"]);
        shown.run().expect(0).out()
    };
    let plain = on_terminal("");
    assert!(
        plain.contains("a\\u{1b}[2Jb") && !plain.contains("a\u{1b}"),
        "{plain}"
    );
    assert!(on_terminal("--raw").contains("a\u{1b}[2Jb"));
    context.pyro(&["workspace", "delete", &id]).run().expect(0);
}
