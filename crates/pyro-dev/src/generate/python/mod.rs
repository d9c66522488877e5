//! The Python package's methods, one for each operation, and the types of their results.

mod docstring;
mod method;
mod name;
mod result;

use pyro_engine::operation::Entry;
use pyro_engine::operations::OPERATIONS;

use super::page::COMMAND;
use method::Method;
use result::Results;

/// Returns the path and contents of every generated file.
pub(super) fn files() -> [(String, String); 2] {
    let results = Results::of(OPERATIONS);
    let file = |name| format!("python/pyro_mcp/{name}.py");
    [
        (file("_operations"), operations(&results)),
        (file("results"), results.module(&header())),
    ]
}

fn operations(results: &Results) -> String {
    let methods: Vec<Method> = OPERATIONS
        .iter()
        .flat_map(|entry| Method::of(entry, results))
        .collect();
    let class = |name: &str, what: &str, keyword: &str| {
        let methods: String = methods.iter().map(|method| method.text(keyword)).collect();
        format!(
            "\n\nclass {name}:\n    \"\"\"{what}\"\"\"\n\n    \
             {keyword}def _call(self, operation: str, request: dict[str, object]) -> Any:\n        \
             raise NotImplementedError\n{methods}"
        )
    };
    let plain = class("Operations", "Every operation as a method.", "");
    let asynchronous = class(
        "AsyncOperations",
        "Every operation as a method to await.",
        "async ",
    );
    let of_workspace = |name: &str, pyro: &str, what: &str, keyword: &str| {
        let full = methods.iter().filter(|method| method.is_full());
        let methods: String = full
            .filter_map(|method| method.of_workspace(keyword))
            .collect();
        format!(
            "\n\nclass {name}:\n    \"\"\"{what}\"\"\"\n\n    _pyro: {pyro}\n    id: str\n{methods}"
        )
    };
    let workspace = of_workspace(
        "WorkspaceOperations",
        "Operations",
        "Every operation on a workspace as a method of it.",
        "",
    );
    let asynchronous_workspace = of_workspace(
        "AsyncWorkspaceOperations",
        "AsyncOperations",
        "Every operation on a workspace as a method of it to await.",
        "async ",
    );
    format!(
        "{}\"\"\"The operations as methods.\"\"\"\n\nfrom __future__ import annotations\n\n\
         import os\nfrom typing import Any\n\nfrom pyro_mcp import results\n\n{}{plain}{asynchronous}{workspace}{asynchronous_workspace}",
        header(),
        names()
    )
}

/// The names of operations in Python, for hints.
fn names() -> String {
    let name = |entry: &Entry| format!("    \"{}\": \"{}\",\n", entry.name, name::full(entry.name));
    let names: String = OPERATIONS.iter().map(name).collect();
    format!("METHODS = {{\n{names}}}\n")
}

fn header() -> String {
    format!("# Written by `{COMMAND}` from the table of operations; edit that instead.\n")
}
