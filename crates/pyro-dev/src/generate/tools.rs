//! The page of the MCP server's tools.

use std::fmt::Write;

use pyro_engine::operation::Entry;
use pyro_engine::operations::OPERATIONS;
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
    let _ = write!(
        page,
        "\n`{core}` leaves properties out, which `{full}` has: {}.\n",
        left_out(Profile::WorkspaceCore),
        core = Profile::WorkspaceCore,
        full = Profile::WorkspaceFull,
    );
    page
}

/// What a profile leaves out of its tools, in words.
fn left_out(profile: Profile) -> String {
    let of = |entry: &Entry| {
        let names = profile.left_out(entry).iter();
        let names = names.map(|name| format!("`{name}`")).collect::<Vec<_>>();
        (!names.is_empty()).then(|| format!("{} of `{}`", names.join(" and "), entry.name))
    };
    OPERATIONS
        .iter()
        .filter_map(of)
        .collect::<Vec<_>>()
        .join(", ")
}
