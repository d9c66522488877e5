//! The page of the MCP server's tools.

use std::fmt::Write;

use pyro_mcp::{Profile, definitions};
use serde_json::Value;

use super::page::{cell, header};

pub(super) fn page() -> String {
    let mut page = header("MCP tools", "the table of operations");
    page.push_str(
        "\nWhat `pyro mcp serve` offers. What each tool takes and returns is on the page of the \
         [operations](operations.md), which have the same names.\n\n\
         | tool | what it does | reads only | destroys | may be repeated | reaches outside |\n\
         |---|---|---|---|---|---|\n",
    );
    for tool in definitions(Profile::WorkspaceFull) {
        let hint = |name: &str| match tool["annotations"][name] {
            Value::Bool(true) => "yes",
            _ => "no",
        };
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            tool["name"].as_str().unwrap_or_default(),
            cell(tool["title"].as_str().unwrap_or_default()),
            hint("readOnlyHint"),
            hint("destructiveHint"),
            hint("idempotentHint"),
            hint("openWorldHint"),
        );
    }
    page.push_str("\n## Profiles\n\n| `--profile` | tools |\n|---|---|\n");
    for profile in Profile::ALL {
        let names = definitions(*profile)
            .iter()
            .map(|tool| format!("`{}`", tool["name"].as_str().unwrap_or_default()))
            .collect::<Vec<_>>();
        let _ = writeln!(page, "| `{profile}` | {} |", names.join(", "));
    }
    page
}
