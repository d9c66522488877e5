//! Supervisors and clients of different versions of pyro.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::templates::wait_until;

const NONE: &[&str] = &[];

/// The requests of pyro 2.4.0 to run a command, and to stop a workspace.
const OLD_EXEC: &str =
    r#"{"exec":{"command":"true","timeout_ms":30000,"stdin":false,"token":"0123456789abcdef"}}"#;
const OLD_STOP: &str = r#"{"stop":{"discard":false}}"#;

/// Sends a line to the supervisor in a directory, and returns its answer, which is empty if it
/// closes the connection.
fn say(directory: &Path, line: &str) -> String {
    // The path of a socket must be short.
    let directory = File::open(directory).unwrap();
    let path = format!("/proc/self/fd/{}/supervisor.sock", directory.as_raw_fd());
    let mut connection = UnixStream::connect(path).unwrap();
    writeln!(connection, "{line}").unwrap();
    let mut answer = String::new();
    BufReader::new(connection).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn an_older_client_is_told_and_can_stop() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let newer = json!({"version": 99, "request": {"hold_hands": {}}}).to_string();
    let unknown = json!({"version": 1, "request": {"hold_hands": {}}}).to_string();
    for line in [OLD_EXEC, &newer, &unknown] {
        let answer: Value = serde_json::from_str(&say(&workspace.directory(), line)).unwrap();
        // The parts of an error that 2.4.0 reads.
        let error = &answer["failed"];
        assert_eq!(error["code"], "other_version", "{answer}");
        assert_eq!(error["kind"], "failed");
        assert!(error["cause"].is_string(), "{answer}");
        assert!(error["remedy"].as_str().unwrap().contains("stop it"));
    }
    assert_eq!(say(&workspace.directory(), OLD_STOP), "");
    wait_until("it has stopped", || workspace.supervisor().is_none());
    let status = workspace.status();
    assert_eq!(status["state"], "stopped");
    assert!(status.get("state_reason").is_none(), "{status}");
}

#[test]
fn a_supervisor_of_another_version_is_named() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("echo kept >file");
    let record = workspace.directory().join("record.json");
    for version in [json!(99), Value::Null] {
        let mut written: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
        written["wire"] = version;
        fs::write(&record, written.to_string()).unwrap();
        let exec = workspace.call(&["exec"]).args(&["--json", "--", "true"]);
        exec.run().expect(1).json_error("other_version", true);
        let read = workspace.call(&["file", "read"]).args(&["file", "--json"]);
        read.run().expect(1).json_error("other_version", true);
    }
    workspace.call(&["stop"]).run().expect(0);
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("cat file"), "kept\n");
}
