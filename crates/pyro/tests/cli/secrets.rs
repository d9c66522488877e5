//! Secrets exist only in the memory of a workspace's processes.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::context::{TestContext, debian};
use crate::instances::Instance;
use crate::mcp_client::{Client, Era};
use crate::templates::wait_until;

const NONE: &[&str] = &[];
/// A value that occurs nowhere else.
const VALUE: &str = "s3cr3t-Vqz8/7Kp+w X";

/// The files below a directory that contain the value in one of its forms. Disks are large but
/// sparse, and grep skips holes.
fn files_with_value(directory: &Path) -> String {
    let mut grep = Command::new("grep");
    grep.args([
        "--recursive",
        "--files-with-matches",
        "--text",
        "--fixed-strings",
    ]);
    for form in forms() {
        grep.args(["-e", &form]);
    }
    let found = grep.arg(directory).output().unwrap();
    // 2 is a file that cannot be read: a socket.
    assert!(found.status.code().is_some_and(|code| code <= 2));
    String::from_utf8_lossy(&found.stdout).into_owned()
}

fn forms() -> [String; 3] {
    // The Base64 encoding of its middle, independent of the preceding bytes.
    let middle = STANDARD.encode(&VALUE[..15]);
    [VALUE.to_owned(), middle, "s3cr3t-Vqz8%2F7Kp%2Bw".to_owned()]
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The processes of this test whose command line or environment has the value.
fn processes_with_value(context: &TestContext) -> Vec<String> {
    let base = context.directory().to_str().unwrap().to_owned();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let names = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found = Vec::new();
    for pid in names.filter(|name| is_number(name)) {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            if has(&bytes, base.as_bytes()) && has(&bytes, VALUE.as_bytes()) {
                found.push(format!("{pid}/{file}"));
            }
        }
    }
    found
}

fn create(context: &TestContext) -> Instance<'_> {
    let file = context.path("home/key");
    fs::write(&file, format!("{VALUE}\n")).unwrap();
    let create = context.pyro(&["workspace", "create", debian(), "--id-only"]);
    let create = create.args(&["--secret", "TOKEN", "--secret-file", "KEY=key"]);
    let id = create.env("TOKEN", VALUE).run().expect(0).out();
    fs::remove_file(file).unwrap();
    Instance::known(
        context,
        crate::instances::Kind::Workspace,
        id.trim().to_owned(),
    )
}

#[test]
fn a_command_has_the_secrets_and_its_output_has_not() {
    let context = TestContext::with(debian());
    let workspace = create(&context);
    let kinds = json!([
        {"name": "KEY", "source_kind": "file"},
        {"name": "TOKEN", "source_kind": "literal"},
    ]);
    assert_eq!(workspace.status()["secrets"], kinds);

    let script = "cd /run/pyro-secrets; stat -c '%a %u %n' . *; wc -c < KEY; test \"$(cat TOKEN)\" = \"$T\" && echo same";
    let options = ["--secret-env", "TOKEN=T", "--secret-env", "KEY"];
    let ran = workspace.shell_with(&options, script).run().expect(0).out();
    let length = VALUE.len() + 1;
    assert_eq!(
        ran,
        format!("700 0 .\n600 0 KEY\n600 0 TOKEN\n{length}\nsame\n")
    );
    workspace.shell("test -z \"$TOKEN\"").run().expect(0);

    // In all encodings.
    let script = "echo \"a $TOKEN b\"; printf %s \"${TOKEN%%z*}\"; sleep 0.3; printf '%s\\n' \"z${TOKEN#*z}\"; \
                  echo \"$TOKEN\" >&2; printf 'u:%s' \"$TOKEN\" | base64; cat /run/pyro-secrets/KEY; \
                  printf %s \"${TOKEN%%V*}\"";
    let ran = workspace.shell_with(&["--secret-env", "TOKEN", "--json"], script);
    let ran = ran.run().expect(0).json();
    let text = ran.to_string();
    assert!(forms().iter().all(|form| !text.contains(form)), "{text}");
    let stdout = ran["stdout"].as_str().unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(&lines[..2], ["a [REDACTED] b", "[REDACTED]"], "{stdout}");
    assert!(lines[2].contains("[REDACTED]"), "{stdout}");
    // An incomplete secret is printed in the end.
    assert_eq!(lines[3..], ["[REDACTED]", "s3cr3t-"], "{stdout}");
    assert_eq!(ran["stderr"], "[REDACTED]\n");

    let unknown = workspace.shell_with(&["--secret-env", "NOPE", "--json"], "true");
    unknown.run().expect(1).json_error("no_such_secret", true);
}

#[test]
fn nothing_on_the_host_has_the_value() {
    let context = TestContext::with(debian());
    let workspace = create(&context);
    let id = workspace.id.clone();
    // The recorded command line does not contain the value either.
    let run = workspace.exec(&["echo", VALUE]).run().expect(0);
    assert_eq!(run.out(), "[REDACTED]\n");
    let shell = workspace
        .call(&["shell", "open"])
        .args(&["--secret-env", "TOKEN", "--id-only"]);
    let shell = shell.run().expect(0).out().trim().to_owned();
    let write = workspace.call(&["shell", "write"]).args(&[&shell]);
    write
        .args(&["--input", "echo \"<$TOKEN>\""])
        .run()
        .expect(0);
    let read = workspace.call(&["shell", "read"]).args(&[&shell]);
    let read = read
        .args(&["--plain", "--wait-for", "<.REDACTED.>"])
        .run()
        .expect(0);
    assert!(read.out().contains("\n<[REDACTED]>\n"), "{}", read.out());
    let service = workspace
        .call(&["service", "start"])
        .args(&["web", "--secret-env", "TOKEN"]);
    let service = service.args(&["--", "sh", "-c", "echo $TOKEN; echo $TOKEN >&2; sleep 1000"]);
    service.run().expect(0);
    let logs = || {
        workspace
            .call(&["service", "logs"])
            .args(&["web", "--json"])
            .run()
            .expect(0)
            .json()
    };
    wait_until("it has printed", || logs()["stderr"] == "[REDACTED]\n");
    workspace
        .call(&["snapshot", "create"])
        .args(&["one"])
        .run()
        .expect(0);
    assert_eq!(processes_with_value(&context), NONE);
    let answers = [
        &["workspace", "status", &id, "--json"][..],
        &["workspace", "logs", &id, "--json"],
        &["workspace", "shell", "read", &id, &shell],
        &["workspace", "service", "logs", &id, "web"],
        &["workspace", "service", "list", &id, "--json"],
        &["workspace", "list", "--json"],
    ];
    for words in answers {
        let answer = context.pyro(words).run().expect(0);
        let text = answer.out() + &answer.err();
        assert!(!text.contains(VALUE), "{words:?}: {text}");
    }
    assert_eq!(files_with_value(context.directory()), "");
    workspace.call(&["stop"]).run().expect(0);
    assert_eq!(files_with_value(context.directory()), "");
    // The search itself works.
    fs::write(context.path("home/leak"), VALUE).unwrap();
    assert!(files_with_value(context.directory()).contains("home/leak"));
}

/// The prompt ends as the secret begins.
#[test]
fn a_person_at_a_terminal_sees_the_whole_prompt_and_no_secret() {
    let context = TestContext::with(debian());
    let create = context.pyro(&["workspace", "create", debian(), "--id-only"]);
    let create = create
        .args(&["--secret", "TOKEN"])
        .env("TOKEN", "$ 3cr3t-value");
    let id = create.run().expect(0).out().trim().to_owned();
    let workspace = Instance::known(&context, crate::instances::Kind::Workspace, id);
    let open = workspace.call(&["shell", "open"]);
    let open = open.args(&["--secret-env", "TOKEN", "--id-only"]);
    let shell = open.run().expect(0).out();
    let call = |word: &str| workspace.call(&["shell", word]).args(&[shell.trim()]);
    let seen = || {
        let read = call("read").args(&["--json"]).run().expect(0).json();
        read["output"].as_str().unwrap().to_owned()
    };
    wait_until("the prompt is whole", || seen().ends_with("pyro$ "));
    let input = r#"echo "pyro$TOKEN""#;
    call("write").args(&["--input", input]).run().expect(0);
    wait_until("it has printed", || seen().contains("pyro[REDACTED]\r\n"));
    wait_until("the prompt is whole", || seen().ends_with("pyro$ "));
    assert!(!seen().contains("3cr3t"));
}

#[test]
fn a_stop_loses_the_secrets_and_says_so() {
    let context = TestContext::with(debian());
    let workspace = create(&context);
    workspace.call(&["stop"]).run().expect(0);
    let start = workspace
        .call(&["start"])
        .args(&["--secret", "TOKEN"])
        .env("TOKEN", VALUE);
    start
        .run()
        .expect(0)
        .err_has("has lost the secrets KEY:")
        .err_lacks(VALUE);
    let ask = |name: &str| workspace.shell_with(&["--secret-env", name], "true").run();
    ask("TOKEN").expect(0);
    // A service that begins with its workspace waits for its secret.
    let service = |words: &[&str]| workspace.call(&["service", words[0]]).args(&words[1..]);
    let autostart = [
        "start",
        "web",
        "--autostart",
        "--secret-env",
        "TOKEN",
        "--publish",
        "80",
    ];
    let command = ["--", "sleep", "1000"];
    service(&autostart).args(&command).run().expect(0);
    let web = || service(&["status", "web", "--json"]).run().expect(0).json();
    let ports = web()["published_ports"].clone();
    for (value, state) in [(None, "stopped"), (Some(VALUE), "running")] {
        workspace.call(&["stop"]).run().expect(0);
        let start = workspace.call(&["start"]);
        let start = match value {
            Some(value) => start.args(&["--secret", "TOKEN"]).env("TOKEN", value),
            None => start,
        };
        start.run().expect(0);
        wait_until(state, || web()["state"] == state);
        assert_eq!(web()["published_ports"], ports);
    }
    ask("KEY")
        .expect(1)
        .err_has("the workspace has no secret KEY now; it has TOKEN");
    workspace
        .call(&["reset"])
        .run()
        .expect(0)
        .err_has("KEY, TOKEN");
    ask("TOKEN").expect(1).err_has("it has none");
}

#[test]
fn secrets_of_tools_are_values_and_no_answer_has_them() {
    let context = TestContext::with(debian());
    let mut client = Client::start(&context, Era::Modern, &[]);
    let new = json!({
        "environment": debian(),
        "secrets": [{"name": "TOKEN", "value": VALUE}],
    });
    let made = client.tool("workspace_create", &new);
    let id = made["workspace_id"].clone();
    let run = json!({
        "workspace_id": id,
        "command": "echo $T; echo $T >&2",
        "secret_env": {"TOKEN": "T"},
    });
    let ran = client.tool("workspace_exec", &run);
    assert_eq!(
        (&ran["stdout"], &ran["stderr"]),
        (&json!("[REDACTED]\n"), &json!("[REDACTED]\n"))
    );
    let id_only = json!({"workspace_id": id});
    let text = [
        made,
        ran,
        client.tool("workspace_status", &id_only),
        client.tool("workspace_logs", &id_only),
    ]
    .iter()
    .map(Value::to_string)
    .collect::<String>();
    assert!(!text.contains(VALUE), "{text}");
    client.tool("workspace_delete", &id_only);
}
