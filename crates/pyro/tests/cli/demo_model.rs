//! `demo ollama` with a model's server in a process of its own, and real virtual machines.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::context::TestContext;
use crate::process::{Finished, Pyro};

/// The stand-in for a model's server, if it was built.
const SERVER: Option<&str> = option_env!("CARGO_BIN_EXE_pyro-model-server");

/// A model's server with a fixed behaviour.
pub(crate) struct Model {
    process: Child,
    pub(crate) url: String,
    requests: Receiver<String>,
}

impl Model {
    pub(crate) fn start(behaviour: &str) -> Option<Self> {
        let Some(server) = SERVER else {
            eprintln!("SKIPPED {behaviour}: built without the feature test-programs");
            return None;
        };
        let mut process = Command::new(server)
            .arg(behaviour)
            .env_clear()
            .current_dir(Path::new("/"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, requests) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let url = requests.recv_timeout(Duration::from_secs(60)).unwrap();
        Some(Self {
            process,
            url,
            requests,
        })
    }

    pub(crate) fn ask(&self, context: &TestContext, arguments: &[&str]) -> Pyro {
        let run = context.pyro(&["demo", "ollama", "--base-url", &self.url]);
        run.args(&["--model", "stand-in"]).args(arguments)
    }

    /// Returns the requests that it received during a run, after it has replied to all of them.
    fn requests(&self, run: &Finished) -> Vec<Value> {
        let replies = run.out().matches("[model] output assistant").count();
        let next = |_| self.requests.recv_timeout(Duration::from_secs(60)).unwrap();
        let lines = (0..replies).map(next);
        lines
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const BEGIN: &str = "[ollama] starting tool demo with model=stand-in\n[model] input user\n";
const SUCCESS: &str = "[ollama] no tool calls returned; stopping loop\n\
                       [done] command execution succeeded\n\
                       [summary] exit_code=0 fallback_used=False execution_mode=guest_vsock\n";

/// The lines about a call and its result.
fn called(tool: &str, outcome: &str) -> String {
    format!(
        "[model] tool_call {tool}\n[tool] calling {tool}\n[tool] {tool} {outcome}\n\
         [tool] result {tool}\n"
    )
}

#[test]
fn a_model_that_does_what_it_is_asked_succeeds() {
    for (behaviour, options) in [("good", &[][..]), ("good-stream", &["--stream"])] {
        let Some(model) = Model::start(behaviour) else {
            return;
        };
        let context = TestContext::with("debian:12");
        let run = model.ask(&context, options).run().expect(0);
        let said = "[model] output assistant\n";
        let call = called("vm_run", "succeeded");
        let expected = format!("{BEGIN}{said}{call}{said}{SUCCESS}");
        let run = run.out_is(&expected);
        assert_eq!(run.err(), "", "{run:?}");
        let requests = model.requests(&run);
        assert_eq!(requests.len(), 2);
        assert_asked_as_promised(&requests[0], behaviour == "good-stream");
        let messages = requests[1]["body"]["messages"].as_array().unwrap();
        let roles: Vec<&str> = messages
            .iter()
            .map(|m| m["role"].as_str().unwrap())
            .collect();
        assert_eq!(roles, ["user", "assistant", "tool"]);
        assert_eq!(
            messages[2]["tool_call_id"],
            messages[1]["tool_calls"][0]["id"]
        );
        assert_eq!(messages[2]["name"], "vm_run");
        let told: Value = serde_json::from_str(messages[2]["content"].as_str().unwrap()).unwrap();
        assert_eq!(told["stdout"], "true\n");
    }
}

fn assert_asked_as_promised(request: &Value, stream: bool) {
    assert_eq!(request["first"], "POST /v1/chat/completions HTTP/1.1");
    let headers = request["headers"].as_object().unwrap();
    let names: Vec<&str> = headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["content-length", "content-type", "host"]);
    let body = &request["body"];
    assert_eq!(body["model"], "stand-in");
    assert_eq!(body["tool_choice"], "auto");
    assert_eq!(body["temperature"], 0);
    assert_eq!(
        body["stream"],
        if stream { true.into() } else { Value::Null }
    );
    let tools = body["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["function"]["name"].as_str().unwrap())
        .collect();
    let expected = [
        "vm_run",
        "vm_list_environments",
        "vm_create",
        "vm_start",
        "vm_exec",
        "vm_status",
    ];
    assert_eq!(names, expected);
    let parameters = &tools[0]["function"]["parameters"];
    assert_eq!(parameters["additionalProperties"], false);
    assert!(parameters["properties"]["command"].is_object());
    assert!(!body.to_string().contains("allow_host_compat"));
}

#[test]
fn a_model_may_go_step_by_step_and_be_lax() {
    let Some(steps) = Model::start("steps") else {
        return;
    };
    let context = TestContext::with("debian:12");
    let run = steps.ask(&context, &["-v"]).run().expect(0);
    let out = run.out();
    for line in [
        "[tool] vm_create succeeded",
        "[tool] resolved vm_id placeholder",
        "[tool] vm_exec succeeded",
        "[summary] stdout=true",
    ] {
        assert!(
            out.lines().any(|found| found == line),
            "no {line:?} in {run:?}"
        );
    }
    assert!(
        out.contains("[model] output assistant \"It printed true.\"\n"),
        "{run:?}"
    );

    let lax = Model::start("lax").unwrap();
    let run = lax.ask(&context, &["--json"]).run().expect(0).json();
    assert_eq!(run["stdout"], "true\n");
    assert_eq!((&run["rounds"], &run["tool_calls"]), (&2.into(), &1.into()));
    assert_eq!(run["fallback_used"], false);
    assert_eq!(run["model"], "stand-in");
    assert!(run.get("corrected").is_none(), "{run:#}");
}

#[test]
fn a_model_hears_what_is_wrong_and_mends_it() {
    for (behaviour, expected) in [
        (
            "bad-arguments",
            &[
                ("invalid_arguments", "not an object in JSON"),
                (
                    "invalid_arguments",
                    "vcpu_count is \"many\"; it must be a whole number",
                ),
                ("unknown_environment", "windows:11"),
            ],
        ),
        (
            "invents-a-tool",
            &[
                (
                    "unknown_tool",
                    "there is no tool 'run_shell'; there are vm_run",
                ),
                ("not_allowed_by_operator", "allow_host_compat"),
                ("unknown_tool", "there is no tool 'workspace_create'"),
            ],
        ),
    ] {
        let Some(model) = Model::start(behaviour) else {
            return;
        };
        let context = TestContext::with("debian:12");
        let run = model.ask(&context, &[]).run().expect(0);
        assert!(run.out().ends_with(SUCCESS), "{run:?}");
        assert_eq!(run.out().matches(" failed: ").count(), 3, "{run:?}");
        let requests = model.requests(&run);
        let messages = requests.last().unwrap()["body"]["messages"]
            .as_array()
            .unwrap();
        let answers: Vec<Value> = messages
            .iter()
            .filter(|message| message["role"] == "tool")
            .map(|message| serde_json::from_str(message["content"].as_str().unwrap()).unwrap())
            .collect();
        for (answer, (code, words)) in answers.iter().zip(expected) {
            assert_eq!(answer["ok"], false, "{answer:#}");
            assert_eq!(answer["error_type"], *code, "{answer:#}");
            assert!(answer["tool_name"].is_string(), "{answer:#}");
            assert!(
                answer["error"].as_str().unwrap().contains(words),
                "{answer:#}"
            );
        }
        assert_eq!(answers[3]["exit_code"], 0, "{answers:#?}");
    }
}

#[test]
fn whoever_breaks_it_off_leaves_nothing_either() {
    let Some(model) = Model::start("starts-and-is-silent") else {
        return;
    };
    let context = TestContext::with("debian:12");
    let mut run = model.ask(&context, &[]).start();
    run.wait_for_stdout("[tool] result vm_start\n");
    run.signal(Signal::INT);
    run.finish().expect(130);
    context.assert_nothing_is_left();
}

#[test]
fn a_key_is_sent_if_there_is_one_and_shown_nowhere() {
    let Some(model) = Model::start("good") else {
        return;
    };
    let context = TestContext::with("debian:12");
    let run = model.ask(&context, &["-v", "--trace"]);
    let run = run
        .env("PYRO_MODEL_API_KEY", "sk-0123")
        .env("PYRO_LOG", "trace");
    let run = run.run().expect(0).err_lacks("sk-0123");
    assert!(!run.out().contains("sk-0123"), "{run:?}");
    for request in model.requests(&run) {
        assert_eq!(request["headers"]["authorization"], "Bearer sk-0123");
    }
    let run = model
        .ask(&context, &[])
        .env("PYRO_MODEL_API_KEY", "sk-\n0123")
        .run();
    run.expect(1).err_has("model_key_invalid").err_lacks("0123");
}

#[test]
fn an_address_that_is_none_or_that_nobody_has_is_explained() {
    let context = TestContext::with("debian:12");
    let ask = |url| {
        context
            .pyro(&["demo", "ollama", "--json", "--base-url", url])
            .run()
    };
    let error = ask("localhost:11434/v1").json_error("model_address_invalid", true);
    assert!(
        error["remedy"]
            .as_str()
            .unwrap()
            .contains("http://localhost:11434/v1")
    );
    let error = ask("http://127.0.0.1:1/v1").json_error("model_unreachable", true);
    assert!(error["remedy"].as_str().unwrap().contains("ollama serve"));
    // A server without TLS.
    if let Some(model) = Model::start("good") {
        let url = model.url.replace("http:", "https:");
        ask(&url).json_error("model_unreachable", true);
    }
}

/// Output lines that cannot be written are reported as an error.
#[test]
fn lines_that_cannot_be_printed_are_not_lost_in_silence() {
    let Some(model) = Model::start("good") else {
        return;
    };
    let context = TestContext::with("debian:12");
    let script = "\"$@\" >/dev/full";
    let url = model.url.as_str();
    let run = context.scripted(script, &["demo", "ollama", "--base-url", url]);
    run.run().expect(1).err_has("code: output_failed");
    let script = "\"$@\" | head -n 1; echo $? ${PIPESTATUS[0]}";
    let run = context.program(Path::new("/bin/bash"));
    let run = run.args(&["-c", script, "bash", crate::context::PYRO]);
    let run = run.args(&["demo", "ollama", "--base-url", url]).run();
    let run = run.expect(0);
    assert!(run.out().ends_with("0 141\n"), "{run:?}");

    // Writes to a full pipe wait.
    let model = Model::start("talks-much").unwrap();
    let mut run = model.ask(&context, &["-v"]).nonblocking().start_unread();
    let mut stdout = run.take_stdout();
    thread::sleep(Duration::from_secs(1));
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    run.finish().expect(0);
    assert_eq!(text.matches("much ").count(), 100_000);
    assert!(text.ends_with("[summary] stdout=true\n"));
}
