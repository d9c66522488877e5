//! The *arguments*: a tree of commands made from the table of operations, plus what only a
//! command line has.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Arg, ArgAction, Command, ValueHint};
use pyro_engine::operation::{Entry, OPERATIONS};
use pyro_engine::{PARK_COMMAND, VERSION, variables};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// The nouns that group operations.
const GROUPS: &[(&str, &str)] = &[("env", "Manage the environments that can be booted")];

const EXAMPLES: &str = "Examples:
  pyro run debian:12 -- git --version      run a command in a fresh microVM
  pyro env pull debian:12-build            install an environment ahead of time
  pyro doctor --boot                       prove that this machine can run guests

Exit status: the command's own for `run`, 124 if it was ended at its time limit; 1 for errors of
pyro, 2 for wrong usage.";

/// Returns the whole command line.
pub fn command() -> Command {
    let mut command = Command::new("pyro")
        .version(VERSION)
        .about("Run untrusted commands in microVMs")
        .after_help(EXAMPLES)
        .styles(STYLES)
        .infer_long_args(true)
        .subcommand_required(true)
        .arg_required_else_help(false)
        .disable_help_subcommand(true)
        .arg(accelerator())
        .arg(cold())
        .arg(trace())
        .arg(quiet());
    for (name, about) in GROUPS {
        let group = Command::new(*name)
            .about(*about)
            .subcommand_required(true)
            .disable_help_subcommand(true)
            .subcommands(in_group(name).map(|entry| operation(entry, entry.command[1])));
        command = command.subcommand(group);
    }
    for entry in OPERATIONS.iter().filter(|entry| entry.command.len() == 1) {
        command = command.subcommand(operation(entry, entry.command[0]));
    }
    command
        .subcommand(completions())
        .subcommand(manual())
        .subcommand(keep_parked())
}

/// Finds the operation whose command is `words`.
pub(crate) fn find(words: &[&str]) -> Option<&'static Entry> {
    OPERATIONS.iter().find(|entry| entry.command == words)
}

fn in_group(name: &'static str) -> impl Iterator<Item = &'static Entry> {
    OPERATIONS
        .iter()
        .filter(move |entry| entry.command.len() == 2 && entry.command[0] == name)
}

fn operation(entry: &Entry, name: &'static str) -> Command {
    (entry.add_arguments)(Command::new(name)).arg(json())
}

fn json() -> Arg {
    Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print the result as JSON on standard output")
}

fn quiet() -> Arg {
    Arg::new("quiet")
        .long("quiet")
        .short('q')
        .action(ArgAction::SetTrue)
        .global(true)
        .help("Print only results, warnings and errors")
}

fn accelerator() -> Arg {
    Arg::new("accel")
        .long("accel")
        .value_name("ACCELERATOR")
        .value_parser(["auto", "kvm", "tcg"])
        .global(true)
        .help(format!(
            "What runs the guests: hardware if it is proved to work, or software [environment \
             variable: {}]",
            variables::ACCELERATOR
        ))
        .hide_possible_values(false)
}

fn cold() -> Arg {
    Arg::new("cold")
        .long("cold")
        .action(ArgAction::SetTrue)
        .global(true)
        .help("Boot guests instead of restoring them from a template, whose memory clones share")
}

fn trace() -> Arg {
    Arg::new("trace")
        .long("trace")
        .action(ArgAction::SetTrue)
        .global(true)
        .help("Print how long each step took")
}

fn completions() -> Command {
    Command::new("completions")
        .about("Print the completion script of a shell")
        .after_help("Examples:\n  source <(pyro completions bash)\n  pyro completions zsh > _pyro")
        .arg(
            Arg::new("shell")
                .required(true)
                .value_name("SHELL")
                .value_hint(ValueHint::Other)
                .value_parser(clap::value_parser!(clap_complete::Shell))
                .help("Shell to print it for"),
        )
}

/// Not for people: how the program runs itself to keep a machine for the next call.
fn keep_parked() -> Command {
    Command::new(PARK_COMMAND)
        .hide(true)
        .arg(Arg::new("description").required(true))
}

fn manual() -> Command {
    Command::new("manual")
        .about("Print the manual page")
        .after_help("Examples:\n  pyro manual | man -l -")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_operation_has_its_command_and_every_command_its_operation() {
        let tree = command();
        let mut seen = 0;
        for first in tree.get_subcommands() {
            let name = first.get_name();
            if ["completions", "manual", PARK_COMMAND].contains(&name) {
                continue;
            }
            if first.get_subcommands().next().is_none() {
                assert!(find(&[name]).is_some(), "{name}");
                seen += 1;
            }
            for second in first.get_subcommands() {
                assert!(find(&[name, second.get_name()]).is_some());
                seen += 1;
            }
        }
        assert_eq!(seen, OPERATIONS.len());
    }

    #[test]
    fn options_may_stand_on_either_side_of_the_environment() {
        for line in [
            "pyro run --network --mem-mib 512 debian:12 -- echo -- --json",
            "pyro run debian:12 --network --mem-mib 512 -- echo -- --json",
            "pyro run --network debian:12 --mem-mib 512 -- echo -- --json",
            "pyro run --net debian:12 --mem 512 echo -- --json",
        ] {
            let matches = command().try_get_matches_from(line.split(' ')).expect(line);
            let (_, matches) = matches.subcommand().unwrap();
            let request = (find(&["run"]).unwrap().read_arguments)(matches).unwrap();
            assert_eq!(request["environment"], "debian:12", "{line}");
            assert_eq!(request["command"], "echo -- --json", "{line}");
            assert_eq!(request["mem_mib"], 512, "{line}");
            assert_eq!(request["network"], true, "{line}");
            assert!(!matches.get_flag("json"), "{line}");
        }
    }
}
