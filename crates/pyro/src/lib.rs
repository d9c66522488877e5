//! The command line: it parses arguments, calls the engine and shows the result. Its commands,
//! options and help come from the engine's [table of
//! operations](pyro_engine::operations::OPERATIONS); it has no rules of its own.
//!
//! The words are in `docs/glossary.md`.

mod arguments;
mod failure;
mod json;
mod mcp;
mod plain;
mod progress;
mod raw;
mod render;
mod setup;
mod signals;
mod standard;
mod styles;
mod talk;
mod terminal;
mod token;
mod trace;

use std::process::ExitCode;

pub use arguments::command;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    terminal::main()
}
