//! Services: programs in a workspace that run until they are stopped.

use std::time::Duration;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::idle::ticks;
use crate::instances::{Instance, kill};
use crate::mcp_client::{Client, Era};
use crate::process::{Finished, Pyro};
use crate::templates::wait_until;

const NONE: &[&str] = &[];

/// A server for HTTP in as few words as possible: it answers each connection with a page.
pub(crate) const SERVER: &str = r#"exec perl -MIO::Socket::INET -e '
    $| = 1;
    $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die;
    print "listening\n";
    while ($one = $server->accept) {
        $request = <$one>;
        print "asked: $request";
        print $one "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        close $one;
    }'"#;

pub(crate) fn service(workspace: &Instance<'_>, word: &str, name: &str) -> Pyro {
    workspace.call(&["service", word]).args(&[name])
}

pub(crate) fn start(
    workspace: &Instance<'_>,
    name: &str,
    options: &[&str],
    script: &str,
) -> Finished {
    let start = service(workspace, "start", name)
        .args(options)
        .args(&["--json"]);
    // In place of the shell that every command has: signals go to this one only.
    start.args(&["--", "exec", "sh", "-c", script]).run()
}

pub(crate) fn status(workspace: &Instance<'_>, name: &str) -> Value {
    let status = service(workspace, "status", name).args(&["--json"]);
    status.run().expect(0).json()
}

fn logs(workspace: &Instance<'_>, name: &str) -> [String; 2] {
    let logs = service(workspace, "logs", name).args(&["--json"]);
    let logs = logs.run().expect(0).json();
    ["stdout", "stderr"].map(|stream| logs[stream].as_str().unwrap().to_owned())
}

#[test]
fn a_service_is_ready_by_each_of_the_checks() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    for (name, options) in [
        ("tcp", ["--ready-tcp", "8000"]),
        ("http", ["--ready-http", "http://127.0.0.1:8000/health?x=1"]),
        ("file", ["--ready-file", "up"]),
        ("command", ["--ready-command", "test -e up"]),
    ] {
        let script = format!("rm -f up; sleep 1; touch up; {SERVER}");
        let started = start(&workspace, name, &options, &script).expect(0).json();
        assert_eq!(started["state"], "running", "{started}");
        assert_eq!(started["readiness"]["type"], name);
        let times = ["started_at", "ready_at"].map(|key| started[key].as_f64().unwrap());
        assert!(times[1] >= times[0], "{times:?}");
        assert!(started["pid"].as_i64().unwrap() > 1);
        if name == "http" {
            assert!(logs(&workspace, name)[0].contains("asked: GET /health?x=1 HTTP/1.0"));
        }
        let stopped = service(&workspace, "stop", name).args(&["--json"]);
        let stopped = stopped.run().expect(0).json();
        let ends = ["state", "stop_reason", "exit_code"].map(|key| stopped[key].clone());
        assert_eq!(
            ends,
            [json!("stopped"), json!("sigterm"), json!(143)],
            "{stopped}"
        );
    }
    let listed = workspace
        .call(&["service", "list", "--json"])
        .run()
        .expect(0)
        .json();
    let counts = (&listed["count"], &listed["running_count"]);
    assert_eq!(counts, (&json!(4), &json!(0)));
    assert_eq!(workspace.status()["service_count"], 4);
    let two = ["--ready-tcp", "1", "--ready-file", "x"];
    start(&workspace, "two", &two, "true")
        .expect(2)
        .err_has("cannot be used with");
    let elsewhere = ["--ready-http", "http://example.org/"];
    start(&workspace, "x", &elsewhere, "true")
        .expect(1)
        .err_has("");
}

#[test]
fn a_service_that_does_not_become_ready_has_failed_and_says_why() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let never = ["--ready-file", "never", "--ready-timeout-seconds", "1"];
    let late = start(&workspace, "late", &never, "sleep 1000")
        .expect(1)
        .json();
    assert_eq!(
        (&late["state"], &late["stop_reason"]),
        (&json!("failed"), &json!("readiness_timeout"))
    );
    // Some end before their supervisor waits for them.
    for _ in 0..5 {
        let script = "echo no >&2; exit 7";
        let exited = start(&workspace, "exits", &["--ready-file", "never"], script)
            .expect(1)
            .json();
        let ends = ["state", "stop_reason", "exit_code"].map(|key| exited[key].clone());
        assert_eq!(
            ends,
            [
                json!("failed"),
                json!("process_exited_before_ready"),
                json!(7)
            ]
        );
    }
    assert_eq!(logs(&workspace, "exits"), ["", "no\n"]);
    let user = start(&workspace, "user", &["--user", "nobody-here"], "true").expect(1);
    user.json_error("no_such_user", true);
    service(&workspace, "status", "user")
        .args(&["--json"])
        .run()
        .expect(1)
        .json_error("no_such_service", true);
    assert_eq!(workspace.ask("pgrep -c sleep || true"), "0\n");
}

#[test]
fn the_end_of_a_service_is_known_at_once_and_one_that_fails_is_started_again() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    start(
        &workspace,
        "short",
        NONE,
        "echo out; echo err >&2; sleep 1; exit 4",
    )
    .expect(0);
    wait_until("its end is known", || {
        status(&workspace, "short")["state"] == "exited"
    });
    assert_eq!(status(&workspace, "short")["exit_code"], 4);
    assert_eq!(logs(&workspace, "short"), ["out\n", "err\n"]);

    let script = "echo run >> runs; test $(wc -l < runs) -ge 3 || exit 1; echo up; exec sleep 1000";
    let again = ["--restart", "on-failure"];
    start(&workspace, "again", &again, script).expect(0);
    wait_until("it is up", || logs(&workspace, "again")[0].contains("up"));
    let up = status(&workspace, "again");
    assert_eq!(
        (&up["state"], &up["restart_count"]),
        (&json!("running"), &json!(2))
    );
    start(&workspace, "again", NONE, "true")
        .expect(1)
        .json_error("service_exists", true);

    let limited = ["--restart", "on-failure", "--max-restarts", "1"];
    start(&workspace, "limited", &limited, "echo run; exit 9").expect(0);
    wait_until("it is given up", || {
        let given_up = status(&workspace, "limited");
        given_up["state"] == "exited" && given_up["restart_count"] == 1
    });
    assert_eq!(logs(&workspace, "limited")[0], "run\nrun\n");
    // One that waits for its restart can be stopped.
    start(
        &workspace,
        "waits",
        &["--restart", "on-failure", "--max-restarts", "9"],
        "exit 1",
    )
    .expect(0);
    wait_until("it has failed twice", || {
        status(&workspace, "waits")["restart_count"] == 2
    });
    service(&workspace, "stop", "waits").run().expect(0);
    assert_eq!(status(&workspace, "waits")["state"], "stopped");
}

#[test]
fn a_stop_ends_what_does_not_want_to_end() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    start(
        &workspace,
        "stubborn",
        &["--ready-file", "trapped"],
        "trap '' TERM; sleep 1000 & touch trapped; while :; do wait; done",
    )
    .expect(0);
    let stopped = service(&workspace, "stop", "stubborn")
        .args(&["--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        (&stopped["state"], &stopped["stop_reason"]),
        (&json!("stopped"), &json!("sigkill"))
    );
    assert_eq!(workspace.ask("pgrep -c sleep || true"), "0\n");
    // Again: it is over.
    service(&workspace, "stop", "stubborn").run().expect(0);
}

#[test]
fn logs_are_bounded_tailed_and_followed() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let script = "seq -f %019.0f 200000; touch done; while [ ! -e go ]; do sleep 0.1; done; echo last; echo oops >&2";
    start(&workspace, "loud", &["--ready-file", "done"], script).expect(0);
    let tail = service(&workspace, "logs", "loud").args(&["--tail-lines", "3", "--json"]);
    let tail = tail.run().expect(0).json();
    let lines: Vec<&str> = tail["stdout"].as_str().unwrap().lines().collect();
    assert_eq!(
        lines,
        [
            "0000000000000199998",
            "0000000000000199999",
            "0000000000000200000"
        ]
    );
    assert_eq!(tail["truncated"], true);
    let all = service(&workspace, "logs", "loud").args(&["--all", "--json"]);
    let all = all.run().expect(0).json()["stdout"].as_str().unwrap().len();
    assert!((1_000_000..2_200_000).contains(&all), "{all}");

    let follow = service(&workspace, "logs", "loud").args(&["--follow", "--tail-lines", "1"]);
    let mut follow = follow.start();
    follow.wait_for_stdout("0000000000000200000");
    workspace.ask("touch go");
    let followed = follow.finish().expect(0);
    assert_eq!(followed.out(), "0000000000000200000\nlast\n");
    assert!(followed.err().contains("oops\n"));
}

#[test]
fn a_workspace_with_a_service_is_not_paused_unless_it_may_be() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let counting = "while :; do echo x >> count; sleep 0.2; done";
    start(&workspace, "works", NONE, counting).expect(0);
    let vmm = workspace.vmm().unwrap();
    let used = |seconds| {
        let before = ticks(vmm);
        std::thread::sleep(Duration::from_secs(seconds));
        ticks(vmm) - before
    };
    std::thread::sleep(Duration::from_secs(13));
    assert!(used(3) > 0, "it is paused");
    service(&workspace, "stop", "works").run().expect(0);
    start(&workspace, "waits", &["--pausable"], counting).expect(0);
    wait_until("it is paused", || used(1) == 0);
    assert_eq!(status(&workspace, "waits")["state"], "running");
    service(&workspace, "stop", "waits").run().expect(0);
    assert_eq!(status(&workspace, "waits")["stop_reason"], "sigterm");
}

#[test]
fn services_end_with_their_workspace_and_begin_with_it_if_asked_to() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let polite = "trap 'exit 0' TERM; echo run >> runs; while :; do sleep 0.1; done";
    start(&workspace, "auto", &["--autostart"], polite).expect(0);
    start(&workspace, "plain", NONE, "sleep 1000").expect(0);
    assert_eq!(workspace.status()["running_service_count"], 2);
    workspace.call(&["stop"]).run().expect(0);
    for name in ["auto", "plain"] {
        let ended = status(&workspace, name);
        assert_eq!(
            (&ended["state"], &ended["stop_reason"]),
            (&json!("stopped"), &json!("workspace_stopped")),
            "{ended}"
        );
    }
    workspace.call(&["start"]).run().expect(0);
    wait_until("it runs", || {
        status(&workspace, "auto")["state"] == "running"
    });
    assert_eq!(status(&workspace, "plain")["state"], "stopped");
    wait_until("it has begun", || workspace.ask("cat runs") == "run\nrun\n");

    // Whatever is killed.
    kill(workspace.supervisor().unwrap());
    wait_until("it is over", || workspace.state() == "stopped");
    assert_eq!(
        status(&workspace, "auto")["stop_reason"],
        "workspace_stopped"
    );
    workspace.call(&["start"]).run().expect(0);
    wait_until("it runs", || {
        status(&workspace, "auto")["state"] == "running"
    });
    kill(workspace.vmm().unwrap());
    wait_until("it is over", || workspace.state() == "stopped");
    assert_eq!(
        status(&workspace, "auto")["stop_reason"],
        "workspace_stopped"
    );
    workspace.call(&["start"]).run().expect(0);
    wait_until("it runs", || {
        status(&workspace, "auto")["state"] == "running"
    });

    // One that was stopped by its user is not begun again, and a reset leaves none.
    service(&workspace, "stop", "auto").run().expect(0);
    workspace.call(&["stop"]).run().expect(0);
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(status(&workspace, "auto")["stop_reason"], "sigterm");
    workspace.call(&["reset"]).run().expect(0);
    assert_eq!(workspace.status()["service_count"], 0);
}

#[test]
fn services_are_tools() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let mut client = Client::start(&context, Era::Modern, &[]);
    let with = |more: Value| {
        let mut all = json!({"workspace_id": workspace.id, "service_name": "web"});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    let new = json!({
        "command": SERVER,
        "readiness": {"type": "http", "url": "http://localhost:8000/"},
        "env": {"A": "1"},
    });
    let started = client.tool("service_start", &with(new));
    assert_eq!(started["state"], "running");
    let listed = client.tool("service_list", &json!({"workspace_id": workspace.id}));
    assert_eq!(listed["running_count"], 1);
    assert_eq!(
        client.tool("service_status", &with(json!({})))["service_name"],
        "web"
    );
    let logs = client.tool("service_logs", &with(json!({"tail_lines": 1})));
    assert!(
        logs["stdout"]
            .as_str()
            .unwrap()
            .starts_with("asked: GET / HTTP/1.0"),
        "{logs}"
    );
    assert_eq!(
        client.tool("service_stop", &with(json!({})))["state"],
        "stopped"
    );
}
