//! Ports that are published with a service: they are there for as long as it is.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill};
use crate::ports::host_port;
use crate::services::{SERVER, service, start, status};
use crate::templates::wait_until;

const NONE: &[&str] = &[];
const NO_PORTS: [Value; 0] = [];

pub(crate) fn ask(port: u16) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The ports of the host that the workspace publishes.
fn published(workspace: &Instance<'_>) -> Vec<Value> {
    let list = workspace.call(&["port", "list", "--json"]).run();
    let list = list.expect(0).json();
    let ports = list["published_ports"].as_array().unwrap().iter();
    ports.map(|port| port["host_port"].clone()).collect()
}

pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[test]
fn a_service_is_reached_through_a_published_port_until_it_is_stopped() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let options = ["--ready-tcp", "8000", "--publish", "8000"];
    let started = start(&workspace, "web", &options, SERVER).expect(0).json();
    let port = host_port(&started, 0);
    assert!(ask(port).unwrap().ends_with("hello"));
    assert_eq!(published(&workspace), [json!(port)]);
    service(&workspace, "stop", "web").run().expect(0);
    assert!(is_free(port));
    // A port that is taken keeps the service from running.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let rule = format!("{}:8000", taken.local_addr().unwrap().port());
    let refused = start(&workspace, "web", &["--publish", &rule], SERVER);
    refused.expect(1).json_error("port_taken", true);
    assert_eq!(workspace.ask("pgrep -c perl || true"), "0\n");
    // One that fails leaves none published.
    let fails = ["--publish", "8000", "--ready-file", "never"];
    start(&workspace, "fails", &fails, "exit 1").expect(1);
    assert_eq!(published(&workspace), NO_PORTS);
}

#[test]
fn a_port_is_free_when_its_service_has_ended_by_itself_and_not_before() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, &["--publish", "9000"]);
    let own = published(&workspace);
    let state = |name: &str| status(&workspace, name)["state"].clone();
    // It ends when it is asked to.
    let until_told = "while [ ! -e end ]; do sleep 0.1; done; rm end; exit 3";
    let started = start(&workspace, "once", &["--publish", "8000"], until_told);
    let port = host_port(&started.expect(0).json(), 0);
    assert!(!is_free(port));
    assert_eq!(published(&workspace), [&own[..], &[json!(port)]].concat());
    workspace.ask("touch end");
    wait_until("it has ended", || state("once") == "exited");
    assert!(is_free(port));
    assert_eq!(published(&workspace), own);
    assert_eq!(status(&workspace, "once")["published_ports"], json!([]));

    // Started again by hand, by the same rule.
    let rule = format!("{port}:8000");
    start(&workspace, "once", &["--publish", &rule], until_told).expect(0);
    assert!(!is_free(port));
    workspace.ask("touch end");
    wait_until("it has ended", || state("once") == "exited");
    assert!(is_free(port));

    // One that will be started again keeps its port meanwhile, and has it until it is given up.
    let again = [
        "--publish",
        &rule,
        "--restart",
        "on-failure",
        "--max-restarts",
        "2",
    ];
    start(&workspace, "again", &again, until_told).expect(0);
    for count in 1..=2 {
        workspace.ask("touch end");
        let other = start(&workspace, "again", NONE, "true");
        other.expect(1).json_error("service_exists", true);
        wait_until("it runs again", || {
            assert!(!is_free(port));
            let now = status(&workspace, "again");
            assert_eq!(host_port(&now, 0), port);
            now["restart_count"] == count && now["state"] == "running"
        });
    }
    workspace.ask("touch end");
    wait_until("it is given up", || is_free(port));
    assert_eq!(published(&workspace), own);
    wait_until("it says so", || {
        status(&workspace, "again")["restart_count"] == 2 && state("again") == "exited"
    });
}

#[test]
fn a_workspace_that_starts_publishes_the_ports_of_those_services_that_begin_with_it() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let with_port = |name: &str, more: &[&str]| {
        let options = [more, &["--publish", "8000"]].concat();
        let started = start(&workspace, name, &options, "exec sleep 1000");
        host_port(&started.expect(0).json(), 0)
    };
    let stays = with_port("stays", &["--autostart"]);
    let goes = with_port("goes", NONE);
    let kill_supervisor = || {
        kill(workspace.supervisor().unwrap());
        wait_until("it is over", || workspace.state() == "stopped");
    };
    let stop = || drop(workspace.call(&["stop"]).run().expect(0));
    for end in [&stop as &dyn Fn(), &kill_supervisor] {
        end();
        assert!(is_free(stays) && is_free(goes));
        assert_eq!(published(&workspace), [json!(stays)]);
        assert_eq!(status(&workspace, "goes")["published_ports"], json!([]));
        assert_eq!(host_port(&status(&workspace, "stays"), 0), stays);
        workspace.call(&["start"]).run().expect(0);
        assert!(!is_free(stays) && is_free(goes));
        assert_eq!(published(&workspace), [json!(stays)]);
        let rule = format!("{goes}:8000");
        start(&workspace, "goes", &["--publish", &rule], "exec sleep 1000").expect(0);
    }
    // The kernel's choice may be taken when it starts: then the service has the other one.
    stop();
    let taken = TcpListener::bind(("127.0.0.1", stays)).unwrap();
    workspace.call(&["start"]).run().expect(0);
    let other = host_port(&status(&workspace, "stays"), 0);
    assert_ne!(other, stays);
    drop(taken);
    wait_until("it runs", || {
        status(&workspace, "stays")["state"] == "running"
    });
    service(&workspace, "stop", "stays").run().expect(0);
    assert!(is_free(other));
    // A reset leaves no service, and no port of one.
    let last = with_port("last", &["--autostart"]);
    workspace.call(&["reset"]).run().expect(0);
    assert!(is_free(last));
    assert_eq!(published(&workspace), NO_PORTS);
}
