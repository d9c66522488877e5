//! Files of a workspace, one at a time: written, read and listed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::context::{TestContext, debian};
use crate::idle::ticks;
use crate::instances::{Instance, kill};
use crate::mcp_client::{Client, Era};
use crate::templates::wait_until;

const NONE: &[&str] = &[];

#[test]
fn files_are_written_read_and_listed() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let id = &workspace.id;
    let write =
        workspace
            .call(&["file", "write"])
            .args(&["src/main.rs", "--text", "fn main() {}\n"]);
    write.run().expect(0).out_is(&format!(
        "[workspace-file-write] workspace_id={id} path=/workspace/src/main.rs bytes_written=13 \
         created=true mode=0644 execution_mode=guest_vsock\n"
    ));
    assert_eq!(
        workspace.ask("stat -c '%a %U' src/main.rs; cat src/main.rs"),
        "644 root\nfn main() {}\n"
    );

    // From standard input, byte for byte, with the requested mode, and then with the previous mode.
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let write = workspace.call(&["file", "write"]).args(&[
        "/workspace/tool",
        "--text-file",
        "-",
        "--mode",
        "755",
    ]);
    write.stdin(bytes.clone()).run().expect(0);
    workspace.ask("chown nobody tool");
    let again = workspace
        .call(&["file", "write"])
        .args(&["tool", "--text-file", "-", "--json"]);
    let written = again.stdin(bytes.clone()).run().expect(0).json();
    assert_eq!(written["created"], false);
    assert_eq!(written["mode"], "0755");
    assert_eq!(workspace.ask("stat -c '%a %U' tool"), "755 nobody\n");
    let read = workspace.call(&["file", "read"]).args(&[
        "tool",
        "--max-bytes",
        "1048576",
        "--content-only",
    ]);
    let read = read.run().expect(0);
    assert!(read.stdout == bytes && read.stderr.is_empty());

    // As text, and as exact bytes.
    let read = workspace
        .call(&["file", "read"])
        .args(&["src/main.rs"])
        .run()
        .expect(0);
    let read = read.out_is("fn main() {}\n");
    assert_eq!(
        read.err(),
        format!(
            "[workspace-file-read] workspace_id={id} path=/workspace/src/main.rs size_bytes=13 \
             truncated=false\n"
        )
    );
    let read = workspace.call(&["file", "read"]).args(&[
        "tool",
        "--max-bytes",
        "1048576",
        "--base64",
        "--json",
    ]);
    let read = read.run().expect(0).json();
    assert_eq!(read["content_lossy"], true);
    assert_eq!(read["content_base64"], STANDARD.encode(&bytes));
    assert_eq!(read["sha256"], written["sha256"]);
}

#[test]
fn files_are_listed_and_only_files_are_read() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    workspace.ask("mkdir src && touch tool src/main.rs");
    workspace.ask("ln -s /etc/passwd out; mkdir 'a b'; mkfifo pipe");
    let listed = workspace
        .call(&["file", "list"])
        .args(&["--recursive", "--json"])
        .run()
        .expect(0)
        .json();
    let entries = listed["entries"].as_array().unwrap();
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry["path"].as_str().unwrap(),
                entry["artifact_type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("/workspace/a b", "directory"),
            ("/workspace/out", "symlink"),
            ("/workspace/pipe", "other"),
            ("/workspace/src", "directory"),
            ("/workspace/tool", "file"),
            ("/workspace/src/main.rs", "file"),
        ]
    );
    assert_eq!(entries[1]["link_target"], "/etc/passwd");

    for (path, code) in [
        ("out", "bad_path"),
        ("nothing", "no_such_file"),
        ("src", "not_a_file"),
        ("pipe", "not_a_file"),
        ("../etc/passwd", "invalid_input"),
    ] {
        let read = workspace
            .call(&["file", "read"])
            .args(&[path, "--json"])
            .run()
            .expect(1);
        read.json_error(code, true);
    }
}

#[test]
fn a_part_of_a_large_file_is_read() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    // A hole of 3 GiB, and a character of two bytes after it.
    workspace.ask("truncate -s 3G large && printf 'a\\303\\244bc' >>large");
    let end = (3_u64 << 30).to_string();
    let read = |offset: &str, max: &str| {
        let words = ["large", "--offset", offset, "--max-bytes", max, "--json"];
        workspace
            .call(&["file", "read"])
            .args(&words)
            .run()
            .expect(0)
            .json()
    };
    let first = read(&end, "2");
    // The result must not end with half a character.
    assert_eq!(first["content"], "a");
    assert_eq!(first["truncated"], true);
    let next = first["next_offset"].as_u64().unwrap();
    assert_eq!(next, (3 << 30) + 1);
    let rest = read(&next.to_string(), "100");
    assert_eq!(rest["content"], "\u{e4}bc");
    assert_eq!(rest["truncated"], false);
    assert!(rest.get("sha256").is_none());
}

#[test]
fn two_who_write_do_not_overwrite_each_other() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let write = |text: &str, condition: &str| {
        let words = ["f", "--text", text, "--if-match", condition, "--json"];
        workspace.call(&["file", "write"]).args(&words).run()
    };
    let first = write("one", "missing").expect(0).json();
    let digest = first["sha256"].as_str().unwrap();
    write("two", "missing")
        .expect(1)
        .json_error("file_changed", true);
    // Of four clients that have read the same content, only one may write.
    let outcomes: Vec<i32> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|number| scope.spawn(move || write(&format!("by {number}"), digest).code))
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    assert_eq!(
        outcomes.iter().filter(|code| **code == 0).count(),
        1,
        "{outcomes:?}"
    );
    assert!(workspace.ask("cat f").starts_with("by "));
}

/// Whether the supervisor and the VMM are idle.
fn is_paused(workspace: &Instance<'_>) -> bool {
    let busy = || [workspace.supervisor(), workspace.vmm()].map(|pid| ticks(pid.unwrap()));
    let before = busy();
    std::thread::sleep(std::time::Duration::from_secs(2));
    before == busy()
}

/// Acknowledged writes survive the death of any process, and a paused workspace is resumed for a
/// write.
#[test]
fn what_was_written_survives_the_machine() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    wait_until("it is paused", || is_paused(&workspace));
    workspace
        .call(&["file", "write"])
        .args(&["kept", "--text", "here"])
        .run()
        .expect(0);
    kill(workspace.vmm().unwrap());
    wait_until("its supervisor has ended", || {
        workspace.supervisor().is_none()
    });
    workspace.call(&["start"]).run().expect(0);
    assert_eq!(workspace.ask("cat kept; ls -A /.pyro"), "here");
}

#[test]
fn a_model_reads_and_writes_files() {
    let context = TestContext::with(debian());
    let workspace = Instance::workspace(&context, NONE);
    let mut client = Client::start(&context, Era::Legacy, &["--profile", "workspace-core"]);
    let id = &workspace.id;
    let written = client.tool(
        "workspace_file_write",
        &json!({"workspace_id": id, "path": "notes.md", "text": "remember"}),
    );
    assert_eq!(written["bytes_written"], 8);
    let read = client.tool(
        "workspace_file_read",
        &json!({"workspace_id": id, "path": "notes.md"}),
    );
    assert_eq!(read["content"], "remember");
    let listed = client.tool("workspace_file_list", &json!({"workspace_id": id}));
    assert_eq!(listed["entries"][0]["path"], "/workspace/notes.md");
    client.finish().expect(0);
}
