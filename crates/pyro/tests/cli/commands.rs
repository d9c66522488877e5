//! The options of commands: variables, directories, users, input, and detached commands.

use serde_json::json;

use crate::context::{TestContext, debian};
use crate::instances::{Instance, kill};
use crate::mcp_client::{Client, Era};
use crate::templates::wait_until;

const NONE: &[&str] = &[];

#[test]
fn a_run_has_variables_a_directory_and_a_user() {
    let context = TestContext::with(debian());
    let file = context.path("variables");
    std::fs::write(&file, "# for the test\nFROM_FILE=a b\nBOTH=file\n").unwrap();
    let file = file.to_str().unwrap();
    let script = "echo $FROM_FILE/$BOTH/$HERE/$USER/$HOME; pwd; id -u";
    let options = [
        "-e",
        "BOTH=word",
        "--env",
        "HERE",
        "--env",
        "NOT_HERE",
        "--env-file",
        file,
        "--cwd",
        "/var/tmp",
        "--user",
        "www-data",
    ];
    let run = context.debian(&options).args(&["--", "sh", "-c", script]);
    run.env("HERE", "here")
        .run()
        .expect(0)
        .out_is("a b/word/here/www-data//var/www\n/var/tmp\n33\n");
    let run = context.debian(&["--json", "--user", "no-such-user", "--", "true"]);
    run.run().expect(1).json_error("no_such_user", true);
    let run = context.debian(&["--json", "--cwd", "/no/such/directory", "--", "true"]);
    let error = run.run().expect(1).json_error("command_not_started", true);
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .contains("/no/such/directory")
    );
    let run = context.debian(&["--allow-host-compat", "--cwd", "/tmp", "--", "true"]);
    run.run().expect(1).err_has("are those of a guest");
    let run = context.debian(&["-e", "=x", "--", "true"]);
    run.run().expect(2).err_has("must not be empty");
}

#[test]
fn commands_of_a_workspace_have_them_too() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("mkdir -p src/inner; chmod 777 src");
    let options = ["-e", "A=1", "--cwd", "src", "--user", "1234:5678", "--json"];
    let ran = workspace.shell_with(&options, "echo $A; pwd; id -u; id -g; touch mine");
    let ran = ran.run().expect(0).json();
    assert_eq!(ran["stdout"], "1\n/workspace/src\n1234\n5678\n");
    assert_eq!(ran["cwd"], "/workspace/src");
    assert_eq!(workspace.ask("stat -c %u:%g src/mine"), "1234:5678\n");
    assert_eq!(workspace.logs()[1]["cwd"], "/workspace/src");

    // Bytes that are not UTF-8 are passed unchanged.
    let odd = std::ffi::OsStr::new("A=\u{e4}");
    let run = workspace
        .call(&["exec"])
        .args(&[std::ffi::OsStr::new("-e"), odd]);
    let run = run.args(&["--", "sh", "-c", "printf %s \"$A\" | od -An -tx1"]);
    run.run().expect(0).out_is(" c3 a4\n");
}

#[test]
fn a_detached_command_goes_on_and_can_be_waited_for_and_killed() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let begin = |script: &str| {
        // Replaces the command's shell, so that signals go to this process only.
        let begun = workspace.call(&["exec", "--detach", "-q"]);
        let begun = begun.args(&["--", "exec", "sh", "-c", script]);
        begun.run().expect(0).out().trim().to_owned()
    };
    // Longer than the default time limit of attached commands.
    let slow = begin("while [ ! -e go ]; do sleep 0.1; done; echo done; exit 7");
    assert_eq!(slow, "1");
    let wait = |number: &str| workspace.call(&["wait"]).args(&[number]);
    let waiting = wait(&slow).args(&["--timeout-seconds", "1", "--json"]);
    let waiting = waiting.run().expect(124).json();
    assert_eq!(waiting["exit_code"], json!(null));
    assert_eq!(waiting["detached"], true);
    workspace.ask("touch go");
    let ended = wait(&slow).args(&["--json"]).run().expect(7).json();
    assert_eq!(
        (&ended["exit_code"], &ended["sequence"]),
        (&json!(7), &json!(1))
    );
    assert_eq!(workspace.logs()[0]["stdout"], "done\n");
    // Again after its end.
    wait(&slow).run().expect(7).out_is("");

    let kill_with = |number: &str, signal: &str| {
        let kill = workspace
            .call(&["kill"])
            .args(&[number, "--signal", signal, "--json"]);
        kill.run().expect(0).json()
    };
    let polite = begin("trap 'echo bye; exit 3' TERM; touch ready; while :; do sleep 0.1; done");
    wait_until("it is ready", || {
        workspace.shell("test -e ready").run().code == 0
    });
    assert_eq!(kill_with(&polite, "sigterm")["sent"], true);
    wait(&polite).run().expect(3);
    let stubborn = begin("trap '' TERM; sleep 1000");
    assert_eq!(kill_with(&stubborn, "9")["signal"], "KILL");
    wait(&stubborn).run().expect(137);
    assert_eq!(kill_with(&stubborn, "KILL")["sent"], false);

    let unknown = workspace
        .call(&["wait"])
        .args(&["99", "--json"])
        .run()
        .expect(1);
    unknown.json_error("no_such_command", true);
    let unknown = workspace
        .call(&["kill"])
        .args(&["1", "--signal", "NOPE"])
        .run();
    unknown
        .expect(1)
        .err_has("the name or the number of a signal");
}

#[test]
fn a_detached_command_has_its_input_and_survives_its_client() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let begun = workspace.shell_with(&["--detach", "-i", "-q"], "sleep 1; wc -c");
    let number = begun.stdin(vec![b'x'; 200_000]).run().expect(0).out();
    let wait = workspace.call(&["wait"]).args(&[number.trim()]);
    wait.run().expect(0);
    assert_eq!(workspace.logs()[0]["stdout"], "200000\n");
}

#[test]
fn one_that_was_interrupted_says_so_to_those_who_wait() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace
        .shell_with(&["--detach"], "sleep 1000")
        .run()
        .expect(0);
    let waiting = workspace.call(&["wait", "--json"]).args(&["1"]).start();
    std::thread::sleep(std::time::Duration::from_millis(500));
    kill(workspace.supervisor().unwrap());
    waiting.finish().expect(1);
    wait_until("it is over", || workspace.state() == "stopped");
    let wait = workspace.call(&["wait", "--json"]).args(&["1"]);
    wait.run().expect(1).json_error("command_interrupted", true);
}

#[test]
fn tools_have_variables_directories_users_and_input() {
    let context = TestContext::with(debian());
    let mut client = Client::start(&context, Era::Modern, &[]);
    let made = client.tool("workspace_create", &json!({"environment": debian()}));
    let id = made["workspace_id"].as_str().unwrap().to_owned();
    let ran = client.tool(
        "workspace_exec",
        &json!({
            "workspace_id": id,
            "command": "cat; echo $A; pwd; id -u",
            "env": {"A": "b"},
            "cwd": "/tmp",
            "user": "daemon",
            "stdin": "read\n",
        }),
    );
    assert_eq!(ran["stdout"], "read\nb\n/tmp\n1\n");
    let begun = client.tool(
        "workspace_exec",
        &json!({"workspace_id": id, "command": "exit 4", "detach": true}),
    );
    let number = &begun["sequence"];
    let wait = json!({"workspace_id": id, "sequence": number});
    let waited = client.tool("workspace_wait", &wait);
    assert_eq!(waited["exit_code"], 4);
    let killed = client.tool("workspace_kill", &wait);
    assert_eq!(killed["sent"], false);
    client.tool("workspace_delete", &json!({"workspace_id": id}));
}
