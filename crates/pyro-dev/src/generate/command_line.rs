//! The page of the command line.

use std::fmt::Write;

use clap::{Arg, Command};

use super::page::header;

/// The level of the program's own heading.
const TOP: usize = 2;

pub(super) fn page() -> String {
    let mut command = pyro::command();
    command.build();
    let mut page = header("Command line", "the table of operations");
    section(&mut page, &mut command, TOP);
    page
}

fn section(page: &mut String, command: &mut Command, level: usize) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = write!(
        page,
        "\n{} {name}\n\n{}\n\n```text\n{usage}\n```\n",
        "#".repeat(level),
        about.trim()
    );
    // Every command has these options; they are described once, at the top.
    let is_everywhere = |argument: &Arg| {
        argument.is_global_set() || matches!(argument.get_id().as_str(), "help" | "version")
    };
    let shown = |argument: &&Arg| level == TOP || !is_everywhere(argument);
    let (positionals, options): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(shown)
        .partition(|argument| argument.is_positional());
    let options_title = if level == TOP {
        "Options; all but `--version` also go with every command"
    } else {
        "Options"
    };
    for (title, arguments) in [("Arguments", positionals), (options_title, options)] {
        if !arguments.is_empty() {
            let _ = write!(page, "\n{title}:\n\n");
        }
        for argument in arguments {
            page.push_str(&line(argument));
        }
    }
    if let Some(rest) = command.get_after_help() {
        let _ = write!(page, "\n```text\n{}\n```\n", rest.to_string().trim());
    }
    for command in command.get_subcommands_mut() {
        section(page, command, level + 1);
    }
}

fn line(argument: &Arg) -> String {
    let mut names: Vec<String> = Vec::new();
    if let Some(short) = argument.get_short() {
        names.push(format!("`-{short}`"));
    }
    let value = argument
        .get_value_names()
        .filter(|_| argument.get_action().takes_values())
        .map(|names| names.join(" "))
        .unwrap_or_default();
    match argument.get_long() {
        Some(long) if value.is_empty() => names.push(format!("`--{long}`")),
        Some(long) => names.push(format!("`--{long} {value}`")),
        None if argument.is_positional() => names.push(format!("`{value}`")),
        None => {}
    }
    let help = argument.get_help().map(ToString::to_string);
    let mut line = format!("* {}: {}", names.join(", "), help.unwrap_or_default());
    let defaults = argument.get_default_values();
    if let Some(default) = defaults.first().filter(|_| !value.is_empty()) {
        let _ = write!(line, " (default: `{}`)", default.to_string_lossy());
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !value.is_empty() && !values.is_empty() {
        let _ = write!(line, " (one of: {})", values.join(", "));
    }
    line.push('\n');
    line
}
