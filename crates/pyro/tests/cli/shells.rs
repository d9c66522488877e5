//! Shells that stay open in a workspace.

use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::idle::ticks;
use crate::instances::{Instance, kill};
use crate::mcp_client::{Client, Era};
use crate::process::Pyro;
use crate::templates::wait_until;
use crate::terminals::Session;

const NONE: &[&str] = &[];

/// A shell of one workspace.
pub(crate) struct Shell<'a> {
    workspace: &'a Instance<'a>,
    id: String,
    cursor: u64,
}

impl<'a> Shell<'a> {
    pub(crate) fn open(workspace: &'a Instance<'a>, options: &[&str]) -> Self {
        let open = workspace.call(&["shell", "open"]).args(options);
        let id = open.args(&["--id-only"]).run().expect(0).out();
        Self {
            workspace,
            id: id.trim().to_owned(),
            cursor: 0,
        }
    }

    fn call(&self, word: &str) -> Pyro {
        self.workspace.call(&["shell", word]).args(&[&self.id])
    }

    pub(crate) fn write(&self, input: &str) {
        self.call("write").args(&["--input", input]).run().expect(0);
    }

    /// Reads from the end of the last read, until the pattern matches.
    #[track_caller]
    pub(crate) fn read(&mut self, pattern: &str) -> String {
        let cursor = self.cursor.to_string();
        let read = self
            .call("read")
            .args(&["--cursor", &cursor, "--wait-for", pattern]);
        let read = read.args(&["--plain", "--wait-seconds", "100", "--json"]);
        let read = read.run().expect(0).json();
        assert_eq!(read["matched"], true, "{pattern:?}: {read}");
        self.cursor = read["next_cursor"].as_u64().unwrap();
        read["output"].as_str().unwrap().to_owned()
    }

    fn status(&self) -> Value {
        let list = self.workspace.call(&["shell", "list", "--json"]);
        let list = list.run().expect(0).json();
        let shells = list["shells"].as_array().unwrap();
        shells
            .iter()
            .find(|shell| shell["shell_id"] == self.id)
            .unwrap()
            .clone()
    }
}

#[test]
fn a_shell_keeps_its_state_from_one_client_to_the_next() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let mut shell = Shell::open(
        &workspace,
        &["-e", "GIVEN=1", "--cols", "77", "--rows", "9"],
    );
    shell.write("cd /tmp; KEPT=x; stty size");
    shell.read("9 77\r\n");
    shell.write("echo $KEPT-$GIVEN-$PWD-$TERM");
    let seen = shell.read("x-1-/tmp-xterm-256color\r\n(?s).*pyro\\$ $");
    assert!(
        seen.contains("\nx-1-/tmp-xterm-256color\npyro$\n"),
        "{seen:?}"
    );

    // A program in the foreground is interrupted, and the shell continues.
    shell.write("sleep 1000");
    shell.read("sleep 1000\r\n");
    // What is shown as typed may not have begun.
    wait_until("it is in the foreground", || {
        workspace.ask("pgrep -c sleep || true") == "1\n"
    });
    let signal = shell
        .call("signal")
        .args(&["--json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        (&signal["signal"], &signal["state"]),
        (&json!("INT"), &json!("running"))
    );
    shell.write("echo status=$?");
    shell.read("status=130\r\n");
    // Keys are typed unchanged: here the end of the input.
    shell.write("echo li''ne; cat; echo ov''er");
    shell.read("line\r\n");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let end = shell
        .call("write")
        .args(&["--input", "\u{4}", "--no-newline"]);
    end.run().expect(0);
    shell.read("over\r\n");

    shell
        .call("resize")
        .args(&["--cols", "50", "--rows", "5"])
        .run()
        .expect(0);
    shell.write("stty size");
    shell.read("5 50\r\n");

    shell.write("exit 3");
    wait_until("it has ended", || shell.status()["state"] == "stopped");
    assert_eq!(shell.status()["exit_code"], 3);
    let late = shell.call("write").args(&["--input", "x", "--json"]);
    late.run().expect(1).json_error("shell_ended", true);
    // It can still be read, and closed again.
    shell.call("read").run().expect(0).out();
    let closed = shell.call("close").args(&["--json"]).run().expect(0).json();
    assert_eq!(closed["closed"], true);
    let unknown = workspace
        .call(&["shell", "read"])
        .args(&["abcdef012345", "--json"]);
    unknown.run().expect(1).json_error("no_such_shell", true);
    for odd in ["..", "../..", "x/y", ""] {
        let unknown = workspace.call(&["shell", "read"]).args(&[odd, "--json"]);
        unknown.run().expect(1).json_error("no_such_shell", true);
    }
}

#[test]
fn reads_are_bounded_and_say_what_was_dropped() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let shell = Shell::open(&workspace, NONE);
    shell.write("stty -echo; seq -f %019.0f 200000; touch done");
    let is_done = || workspace.shell("test -e done").run().code == 0;
    wait_until("all was printed", is_done);
    let read = |options: &[&str]| {
        shell
            .call("read")
            .args(options)
            .args(&["--json"])
            .run()
            .expect(0)
            .json()
    };
    let first = read(&["--max-chars", "1000"]);
    let dropped = first["dropped_chars"].as_u64().unwrap();
    assert!(dropped > 1_000_000, "{dropped}");
    assert_eq!(first["truncated"], true);
    assert_eq!(first["next_cursor"], dropped + 1000);
    assert_eq!(first["output"].as_str().unwrap().len(), 1000);
    let next = read(&[
        "--cursor",
        &(dropped + 1000).to_string(),
        "--max-chars",
        "21",
    ]);
    assert!(next.get("dropped_chars").is_none());
    let text = [&first["output"], &next["output"]].map(|part| part.as_str().unwrap());
    let lines: Vec<u64> = text
        .concat()
        .lines()
        .skip(1)
        .take(40)
        .map(|line| line.parse().unwrap())
        .collect();
    assert!(
        lines.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{lines:?}"
    );
    let beyond = read(&["--cursor", "99999999"]);
    assert_eq!(beyond["output"], "");
}

#[test]
fn a_workspace_whose_shells_wait_is_paused_and_a_write_wakes_it() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let mut shell = Shell::open(&workspace, NONE);
    let attach = shell.call("attach");
    let mut session = Session::start(attach, 80, 24);
    session.wait_for("pyro$ ");
    let vmm = workspace.vmm().unwrap();
    let is_idle = || {
        let before = ticks(vmm);
        std::thread::sleep(std::time::Duration::from_secs(1));
        ticks(vmm) == before
    };
    wait_until("it is paused", is_idle);
    session.say("echo awa''ke\r");
    session.wait_for("awake\r\n");
    wait_until("it is paused again", is_idle);

    // A busy program in a shell is not paused.
    shell.write("sleep 14; echo do''ne");
    shell.read("done\r\n");
    session.say("\x1d");
    assert_eq!(session.end(), 0);
    assert_eq!(shell.status()["state"], "running");
    shell.call("close").run().expect(0);
    assert_eq!(workspace.ask("pgrep -c bash || true"), "0\n");
}

#[test]
fn two_terminals_see_one_shell() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let shell = Shell::open(&workspace, NONE);
    let mut one = Session::start(shell.call("attach"), 90, 20);
    let mut other = Session::start(shell.call("attach"), 90, 20);
    one.wait_for("pyro$ ");
    other.wait_for("pyro$ ");
    one.say("stty size; echo fr''om-one\r");
    other.wait_for("20 90\r\nfrom-one\r\n");
    one.wait_for("from-one\r\n");
    other.say("exit 7\r");
    assert_eq!(one.end(), 0);
    assert_eq!(other.end(), 0);
    wait_until("its end is known", || shell.status()["exit_code"] == 7);
}

#[test]
fn a_close_ends_what_does_not_want_to_end() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let mut shell = Shell::open(&workspace, NONE);
    shell.write("trap '' HUP TERM INT; (trap '' HUP; exec sleep 1000) & echo rea''dy; sleep 1000");
    shell.read("ready\r\n");
    let closed = shell.call("close").args(&["--json"]).run().expect(0).json();
    assert_eq!(
        (&closed["state"], &closed["closed"]),
        (&json!("stopped"), &json!(true))
    );
    assert_eq!(closed["exit_code"], 137);
    assert_eq!(workspace.ask("pgrep -c sleep || true"), "0\n");
}

#[test]
fn shells_end_with_their_workspace_and_say_so() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let mut shell = Shell::open(&workspace, NONE);
    shell.write("echo kept");
    shell.read("kept\r\n");
    let reading = shell.call("read").args(&["--wait-for", "never"]).start();
    std::thread::sleep(std::time::Duration::from_millis(300));
    kill(workspace.supervisor().unwrap());
    reading.finish().expect(1);
    wait_until("it is over", || workspace.state() == "stopped");
    assert_eq!(shell.status()["state"], "stopped");
    let late = shell.call("write").args(&["--input", "x", "--json"]);
    late.run().expect(1).json_error("shell_ended", true);
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(shell.status()["state"], "stopped");
    let output = shell.call("read").run().expect(0).out();
    assert!(output.contains("kept"), "{output:?}");
    let another = Shell::open(&workspace, NONE);
    assert_eq!(another.status()["state"], "running");
    workspace.call(&["stop"]).run().expect(0);
    assert_eq!(another.status()["state"], "stopped");
}

#[test]
fn shells_are_tools() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let mut client = Client::start(&context, Era::Modern, &[]);
    let with = |more: Value| {
        let mut all = json!({"workspace_id": workspace.id});
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    let shell = client.tool("shell_open", &with(json!({})));
    let id = shell["shell_id"].clone();
    assert_eq!((&shell["cols"], &shell["rows"]), (&json!(120), &json!(30)));
    let written = client.tool(
        "shell_write",
        &with(json!({"shell_id": id, "input": "echo $((6*7))"})),
    );
    assert_eq!(written["input_length"], 14);
    let read = json!({"shell_id": id, "plain": true, "wait_for": "42\r\n"});
    let read = client.tool("shell_read", &with(read));
    assert!(
        read["output"].as_str().unwrap().contains("\n42\n"),
        "{read}"
    );
    let idle = json!({"shell_id": id, "cursor": read["next_cursor"], "wait_for_idle_ms": 300});
    let idle = client.tool("shell_read", &with(idle));
    assert_eq!(idle["wait_for_idle_ms"], 300);
    let signal = json!({"shell_id": id, "signal_name": "KILL"});
    assert_eq!(client.tool("shell_signal", &with(signal))["signal"], "KILL");
    let closed = client.tool("shell_close", &with(json!({"shell_id": id})));
    assert_eq!(closed["closed"], true);
    assert_eq!(
        client.tool("shell_list", &with(json!({})))["running_count"],
        0
    );
}
