//! `mcp config`: how the programs that run agents are told of the server.

use std::fs;

use serde_json::{Value, json};

use crate::context::TestContext;

#[test]
fn hosts_are_told_how_to_start_the_server() {
    let context = TestContext::new();
    for host in [
        "claude-code",
        "codex",
        "opencode",
        "cursor",
        "vscode",
        "gemini",
    ] {
        let shown = context.pyro(&["mcp", "config", host]).run().expect(0);
        let write = ["mcp", "config", host, "--write"];
        let answer = context.pyro(&write).run().expect(0).out();
        let path = answer.strip_prefix("wrote ").unwrap().trim_end();
        assert!(
            path.starts_with(context.path("home").to_str().unwrap()),
            "{path}"
        );
        assert_eq!(fs::read_to_string(path).unwrap(), shown.out(), "{host}");
        assert!(shown.out().contains("\"serve\""), "{host}");
        assert!(shown.out().contains("\"workspace-core\""), "{host}");
        shown.err_has(path);
        let again = context.pyro(&write).run().expect(0);
        assert_eq!(again.out(), format!("already in {path}\n"));

        fs::write(path, "{broken").unwrap();
        let refused = context.pyro(&write).run().expect(1);
        refused
            .err_has(path)
            .err_has("nothing was changed")
            .out_is("");
        assert_eq!(fs::read_to_string(path).unwrap(), "{broken");
    }
    let project = [
        "mcp",
        "config",
        "vscode",
        "--project",
        "--write",
        "--profile",
        "vm-run",
    ];
    let wrote = context.pyro(&project).run().expect(0);
    assert_eq!(wrote.out(), "wrote .vscode/mcp.json\n");
    let file = fs::read_to_string(context.path("home/.vscode/mcp.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(
        file["servers"]["pyro"]["args"],
        json!(["mcp", "serve", "--profile", "vm-run"])
    );
}
