//! The page of the codes of errors.

use std::fmt::Write;

use pyro_engine::ErrorCode;

use super::page::{cell, header};

pub(super) fn page() -> String {
    let mut page = header("Errors", "`crates/pyro-engine/src/code.rs`");
    page.push_str(
        "\nEvery error has a code that does not change, a message, a cause where one is known, a remedy, \
         and says whether the call may be repeated without risk (`retry_safe`). They are the same on the \
         command line (`--json`), in results of MCP tools, and in exceptions of Python.\n\n\
         | code | what failed |\n|---|---|\n",
    );
    for code in ErrorCode::ALL {
        let _ = writeln!(page, "| `{}` | {} |", code.name(), cell(code.meaning()));
    }
    page
}
