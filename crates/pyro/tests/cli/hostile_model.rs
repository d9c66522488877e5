//! A model that tries to escape from the guest: it gets no access to the host, and only to files
//! that its operator has allowed.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::context::TestContext;
use crate::mcp_client::{Client, Era};

/// The outcome of a tool call: the result, and the text for the model.
fn call(client: &mut Client, tool: &str, arguments: &Value) -> (Value, String) {
    let id = client.call(tool, arguments);
    let answer = client.response(id);
    let text = answer.to_string();
    (answer["result"].clone(), text)
}

/// No hint of a way to run on the host.
fn assert_no_way_out(text: &str) {
    for word in [
        "allow_host_compat=True",
        "--allow-host-compat",
        "opt into host",
        "host_compat\"",
    ] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

#[test]
fn the_host_cannot_be_asked_for() {
    let context = TestContext::with("debian:12");
    for (era, profile) in [
        (Era::Legacy, "vm-run"),
        (Era::Modern, "vm-run"),
        (Era::Legacy, "workspace-core"),
        (Era::Legacy, "workspace-full"),
    ] {
        // Not even on a host that cannot run guests.
        let server = context
            .pyro(&["mcp", "serve", "--profile", profile])
            .env("PATH", context.path("nowhere"))
            .silent_stdin()
            .start_unread();
        let mut client = Client::of(server, era, json!({}));
        let id = client.send("tools/list", json!({}));
        let tools = client.response(id)["result"]["tools"].clone();
        for tool in tools.as_array().unwrap() {
            let input = format!("{}{}", tool["inputSchema"], tool["description"]);
            assert!(!input.contains("host_compat"), "{tool}");
        }
        let run = |more: Value| {
            let mut arguments = json!({"environment": "debian:12", "command": "id"});
            arguments
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            arguments
        };
        for more in [
            json!({"allow_host_compat": true}),
            json!({"allow_host_compat": true, "mem_mib": 32768}),
            json!({"allow_host_compat": true, "timeout_seconds": 0}),
        ] {
            let (result, text) = call(&mut client, "vm_run", &run(more));
            assert_eq!(result["isError"], true, "{text}");
            assert!(text.contains("not_allowed_by_operator"), "{text}");
            assert!(!text.contains("uid="), "{text}");
        }
        // Requests without it are not refused; and no error suggests giving up isolation.
        for more in [json!({}), json!({"allow_host_compat": false})] {
            let (result, text) = call(&mut client, "vm_run", &run(more));
            assert_eq!(result["isError"], true, "{text}");
            assert!(text.contains("qemu_missing"), "{text}");
            assert_no_way_out(&text);
        }
        if profile != "vm-run" {
            let arguments = json!({"environment": "debian:12", "allow_host_compat": true});
            let (_, text) = call(&mut client, "workspace_create", &arguments);
            assert!(text.contains("not_allowed_by_operator"), "{text}");
        }
        client.finish().expect(0);
    }
}

/// On a host that can run guests, no request makes its command run on the host, even with
/// permission: sizes, times and paths are not a reason.
#[test]
fn no_size_time_or_place_leads_to_the_host() {
    let context = TestContext::with("debian:12");
    let all = fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = all.split_whitespace().nth(1).unwrap().parse().unwrap();
    let sizes = [
        ("--mem-mib", "32768"),
        ("--vcpu-count", "8"),
        ("--ttl-seconds", "60"),
    ];
    for (option, value) in sizes {
        if option == "--mem-mib" && total > 34 * 1024 * 1024 {
            continue;
        }
        let words = [
            "--json",
            "--allow-host-compat",
            option,
            value,
            "--",
            "cat",
            "/proc/1/comm",
        ];
        let run = context.debian(&words).run();
        let said = run.json();
        assert_ne!(said["execution_mode"], "host_compat", "{run:?}");
        assert_no_way_out(&said.to_string());
    }
    // A boot that takes too long, and a VMM that exits at once.
    let slow = context.debian(&["--json", "--allow-host-compat", "--", "id"]);
    let fake = context.fake(
        "qemu-system-x86_64",
        "case $1 in --version) echo 'QEMU emulator version 7.2.0';; *) exec sleep 1000;; esac",
    );
    let slow = slow.env("PATH", crate::context::path_with(&fake));
    let slow = slow.env("PYRO_BOOT_TIMEOUT_SECONDS", "1").args(&["--cold"]);
    let error = slow.limit(60).run().json_error("boot_timed_out", true);
    assert_no_way_out(&error.to_string());
    let fake = context.fake(
        "qemu-system-x86_64",
        "case $1 in --version) echo 'QEMU emulator version 7.2.0';; *) exit 1;; esac",
    );
    let dead = context.debian(&["--json", "--allow-host-compat", "--", "id"]);
    let dead = dead.env("PATH", crate::context::path_with(&fake)).run();
    assert_no_way_out(&dead.json_error("boot_failed", true).to_string());
    context.assert_nothing_is_left();
}

#[test]
fn an_operator_may_allow_the_host_and_then_it_is_said() {
    let context = TestContext::with("debian:12");
    let server = context
        .pyro(&["mcp", "serve", "--allow-host-compat", "--profile", "vm-run"])
        .env("PATH", context.path("nowhere"))
        .silent_stdin()
        .start_unread();
    let mut client = Client::of(server, Era::Legacy, json!({}));
    let id = client.send("tools/list", json!({}));
    let tool = client.response(id)["result"]["tools"][0].clone();
    assert!(tool["inputSchema"]["properties"]["allow_host_compat"].is_object());
    assert_eq!(tool["annotations"]["destructiveHint"], true, "{tool}");
    let arguments = json!({
        "environment": "debian:12", "command": "echo here", "allow_host_compat": true,
    });
    let (result, text) = call(&mut client, "vm_run", &arguments);
    assert_eq!(
        result["structuredContent"]["execution_mode"], "host_compat",
        "{text}"
    );
    assert!(text.contains("WITHOUT ISOLATION"), "{text}");
    client.finish().expect(0);
}

/// A home directory with secrets, and the working directory of a server.
fn home_with_secrets(context: &TestContext) -> std::path::PathBuf {
    let home = context.path("home");
    fs::create_dir_all(home.join(".ssh")).unwrap();
    fs::write(home.join(".ssh/id_ed25519"), "PRIVATE KEY").unwrap();
    let project = home.join("project");
    fs::create_dir_all(project.join("src")).unwrap();
    fs::write(project.join("src/main.rs"), "fn main() {}\n").unwrap();
    symlink("../.ssh", project.join("keys")).unwrap();
    symlink("/etc", project.join("etc")).unwrap();
    symlink("src", project.join("code")).unwrap();
    project
}

const OUTSIDE: [&str; 10] = [
    "~/.ssh",
    "../.ssh",
    "src/../../.ssh",
    "keys",
    "keys/../project",
    "etc",
    "etc/cron.d",
    "/etc",
    "/",
    "/proc/self/cwd/../.ssh",
];

#[test]
fn files_that_no_operator_named_are_not_read() {
    let context = TestContext::with("debian:12");
    let project = home_with_secrets(&context);
    let server = context.pyro(&["mcp", "serve"]).directory(&project);
    let mut client = Client::of(server.silent_stdin().start_unread(), Era::Legacy, json!({}));

    let ssh = context.path("home/.ssh").to_string_lossy().into_owned();
    for path in OUTSIDE.iter().copied().chain([ssh.as_str()]) {
        let arguments = json!({"environment": "debian:12", "seed_path": path});
        let (result, text) = call(&mut client, "workspace_create", &arguments);
        assert_eq!(result["isError"], true, "{path}: {text}");
        let clear = ["outside_allowed_directories", "archive_not_found"];
        assert!(
            clear.iter().any(|code| text.contains(code)),
            "{path}: {text}"
        );
        assert!(
            text.contains(&*project.to_string_lossy()) || !text.contains("outside"),
            "{text}"
        );
    }
    // Files inside are readable by a relative path, an absolute path, or a link that stays inside.
    let create = json!({"environment": "debian:12", "seed_path": "code"});
    let (result, text) = call(&mut client, "workspace_create", &create);
    let id = result["structuredContent"]["workspace_id"].as_str();
    let id = id.unwrap_or_else(|| panic!("{text}")).to_owned();
    for path in OUTSIDE {
        let arguments = json!({"workspace_id": id, "source_path": path});
        let (result, text) = call(&mut client, "workspace_sync_push", &arguments);
        assert_eq!(result["isError"], true, "{path}: {text}");
    }
    let inside = project.join("src").to_string_lossy().into_owned();
    let push = json!({"workspace_id": id, "source_path": inside, "dest": "/workspace/again"});
    let (result, text) = call(&mut client, "workspace_sync_push", &push);
    assert_ne!(result["isError"], true, "{text}");
    // A link in a copied directory is copied as a link, not its target.
    let push = json!({"workspace_id": id, "source_path": "."});
    let (result, text) = call(&mut client, "workspace_sync_push", &push);
    assert_ne!(result["isError"], true, "{text}");
    // Nor is a file outside read for patterns, because errors could reveal its content.
    let push = json!({
        "workspace_id": id, "source_path": ".", "exclude_from": "../.ssh/id_ed25519",
    });
    let (result, text) = call(&mut client, "workspace_sync_push", &push);
    assert_eq!(result["isError"], true, "{text}");
    assert!(text.contains("outside_allowed_directories"), "{text}");
    let exec =
        json!({"workspace_id": id, "command": "grep -r PRIVATE / 2>/dev/null --include=id_*; ls"});
    let (result, text) = call(&mut client, "workspace_exec", &exec);
    let printed = result["structuredContent"]["stdout"].as_str().unwrap();
    assert!(
        printed.contains("main.rs") && !printed.contains("PRIVATE KEY"),
        "{text}"
    );
    call(
        &mut client,
        "workspace_delete",
        &json!({"workspace_id": id}),
    );
    client.finish().expect(0);
}

#[test]
fn an_operator_names_directories_and_a_client_has_roots() {
    let context = TestContext::with("debian:12");
    let project = home_with_secrets(&context);
    let other = context.path("home/other place");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("there"), "").unwrap();
    let seed = |path: &str| json!({"environment": "debian:12", "seed_path": path});
    let is_refused = |client: &mut Client, path: &str| {
        let (_, text) = call(client, "workspace_create", &seed(path));
        assert!(
            text.contains("outside_allowed_directories"),
            "{path}: {text}"
        );
    };
    let is_taken = |client: &mut Client, path: &str| {
        let (result, text) = call(client, "workspace_create", &seed(path));
        let id = result["structuredContent"]["workspace_id"].clone();
        assert!(id.is_string(), "{path}: {text}");
        call(client, "workspace_delete", &json!({"workspace_id": id}));
    };
    let other_text = other.to_string_lossy().into_owned();
    let inside = project.join("src").to_string_lossy().into_owned();

    // Only directories that the operator allows, regardless of the client's roots.
    let server = context
        .pyro(&["mcp", "serve", "--files", &other_text])
        .directory(&project);
    let roots = json!({"roots": {}});
    let mut client = Client::of(
        server.silent_stdin().start_unread(),
        Era::Legacy,
        roots.clone(),
    );
    is_taken(&mut client, &other_text);
    is_refused(&mut client, &inside);
    client.finish().expect(0);

    // By default: the current directory and the client's roots.
    let server = context.pyro(&["mcp", "serve"]).directory(&project);
    let mut client = Client::of(server.silent_stdin().start_unread(), Era::Legacy, roots);
    client.roots = vec![format!("file://{}", other_text.replace(' ', "%20"))];
    is_taken(&mut client, &other_text);
    is_taken(&mut client, &inside);
    is_refused(&mut client, "/etc");
    client.finish().expect(0);

    let missing = ["mcp", "serve", "--files", "/no/such/directory"];
    context
        .pyro(&missing)
        .run()
        .expect(1)
        .err_has("/no/such/directory");
}
