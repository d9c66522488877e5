//! The page of the environment variables.

use std::fmt::Write;

use pyro_engine::variables::ALL;

use super::page::{cell, header};

pub(super) fn page() -> String {
    let mut page = header(
        "Environment variables",
        "`crates/pyro-engine/src/variables.rs`",
    );
    page.push_str(
        "\nAn empty variable counts as one that is not set.\n\n\
         | variable | default | meaning |\n|---|---|---|\n",
    );
    for variable in ALL {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            variable.name,
            default(variable.default),
            cell(variable.meaning)
        );
    }
    page
}

/// Values are formatted as code, descriptions are not.
fn default(text: &str) -> String {
    match text {
        "none" | "not set" => text.to_owned(),
        value => format!("`{value}`"),
    }
}
