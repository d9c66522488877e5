//! The *arguments*: a tree of commands made from the table of operations, plus options that only
//! the command line has.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use pyro_engine::operation::Entry;
use pyro_engine::operations::OPERATIONS;
use pyro_engine::{PARK_COMMAND, Piece, SUPERVISE_COMMAND, VERSION, octets, variables};

use crate::mcp;
use crate::setup::{ALL_PIECES, variable};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// The groups of operations with their descriptions; a group comes after its parent.
const GROUPS: &[(&[&str], &str)] = &[
    (&["env"], "Manage the environments that can be booted"),
    (
        &["workspace"],
        "Run many commands on one set of files, in a microVM that is kept",
    ),
    (
        &["workspace", "sync"],
        "Copy files into a workspace, and changes back to the host",
    ),
    (
        &["workspace", "patch"],
        "Apply patches to files of a workspace",
    ),
    (
        &["workspace", "file"],
        "List, read and write files of a workspace",
    ),
    (
        &["workspace", "disk"],
        "Read or export the disk of a stopped workspace",
    ),
    (
        &["workspace", "snapshot"],
        "Save the files of a workspace, and restore them later",
    ),
    (
        &["workspace", "port"],
        "Publish ports of a workspace on this host",
    ),
    (
        &["workspace", "service"],
        "Run long-lived programs in a workspace: servers, databases",
    ),
    (
        &["workspace", "shell"],
        "Use interactive shells that stay open in a workspace",
    ),
    (&["vm"], "Manage microVMs that outlive a command"),
];

const EXAMPLES: &str = "Examples:
  pyro run debian:12 -- git --version      run a command in a fresh microVM
  pyro workspace create debian:12 --seed-path .
                                           a microVM with these files, to run many commands in
  pyro env pull debian:12-build            install an environment ahead of time
  pyro demo                                show a guided example
  pyro doctor --boot                       prove that this machine can run guests
  pyro mcp config claude-code              let an agent use it

Exit status: that of the command for `run` and `exec`, 124 if it was ended at its time limit; 1 for errors of
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
        .arg(require_isolation())
        .arg(trace())
        .arg(no_stdin())
        .arg(quiet());
    for subcommand in below(&[]) {
        command = command.subcommand(subcommand);
    }
    command
        .subcommand(mcp::command())
        .subcommand(completions())
        .subcommand(manual())
        .subcommand(hidden(PARK_COMMAND))
        .subcommand(hidden(SUPERVISE_COMMAND))
}

/// The error for arguments that are not UTF-8: names them, which the parser does not.
pub(crate) fn not_utf8(arguments: impl Iterator<Item = OsString>) -> String {
    let words = arguments.take_while(|word| word != "--");
    let odd = words.filter(|word| word.to_str().is_none());
    let shown: Vec<String> = odd.map(|word| pyro_text::name(word.as_bytes())).collect();
    format!(
        "error: '{}' is not UTF-8; of all arguments, only paths and the words of a command need not \
         be text\n",
        shown.join("', '")
    )
}

/// Returns the error if a word after `--` was parsed as an id or a name because there is none
/// before it: all words after `--` belong to the command.
pub(crate) fn missing_before_command(
    matches: &ArgMatches,
    typed: &[OsString],
) -> Option<clap::Error> {
    let command_words = matches
        .try_get_raw(COMMAND)
        .ok()?
        .map_or(0, Iterator::count);
    let end = typed.iter().position(|word| word == "--")?;
    let (before, after) = (&typed[..end], &typed[end + 1..]);
    if command_words >= after.len() {
        return None;
    }
    let mut error = command().try_get_matches_from(before).err()?;
    let tip = "what stands after `--` is the command; before it, is a variable empty?";
    let tips = ContextValue::StyledStrs(vec![tip.into()]);
    error.insert(ContextKind::Suggested, tips);
    Some(error)
}

/// The argument with the words of a command.
const COMMAND: &str = "command";

/// Finds the operation whose command is `words`.
pub(crate) fn find(words: &[&str]) -> Option<&'static Entry> {
    OPERATIONS.iter().find(|entry| entry.command == words)
}

/// The subcommands of the command with these words: groups first, then operations.
fn below(words: &'static [&'static str]) -> Vec<Command> {
    let is_next = |command: &[&str]| command.len() == words.len() + 1 && command.starts_with(words);
    let groups = GROUPS
        .iter()
        .filter(|(command, _)| is_next(command))
        .map(|(command, about)| {
            Command::new(command[words.len()])
                .about(*about)
                .subcommand_required(true)
                .disable_help_subcommand(true)
                .defer(with_subcommands)
        });
    let operations = OPERATIONS
        .iter()
        .filter(|entry| is_next(entry.command))
        .map(|entry| operation(entry, entry.command[words.len()]));
    groups.chain(operations).collect()
}

/// Adds the commands of a group when one of them is called: creating all of them would delay every
/// call.
fn with_subcommands(group: Command) -> Command {
    let is_its = |words: &&[&str]| words.last() == Some(&group.get_name());
    let mut groups = GROUPS.iter().map(|(words, _)| *words);
    let words = groups.find(is_its).expect("it was made from this table");
    group.subcommands(below(words))
}

fn operation(entry: &Entry, name: &'static str) -> Command {
    let further = below(entry.command);
    // The subcommands of an operation that is also a group share its option, in any position.
    let is_group = !further.is_empty();
    let below_another = OPERATIONS.iter().any(|other| is_below(other, entry));
    let mut command = (entry.add_arguments)(Command::new(name));
    if !below_another {
        command = command.arg(json().global(is_group));
    }
    for name in OWN_VARIABLES {
        if command
            .get_arguments()
            .any(|argument| argument.get_id() == name)
        {
            command = command.mut_arg(name, |argument| argument.value_parser(with_own_variable()));
        }
    }
    let command = match entry.name {
        LOGS => command.arg(raw()),
        FILE_READ | DISK_READ => command.arg(content_only()),
        DIFF => command.arg(stat()),
        EXPORT => command.mut_arg("output_path", to_stdout),
        CREATE => command.arg(id_only("workspace")),
        SHELL_OPEN => command.arg(id_only("shell")),
        name if EXEC.contains(&name) => {
            let no_terminal: &[&str] = match name {
                "workspace_exec" => &["json", "detach"],
                _ => &["json"],
            };
            command.arg(interactive()).arg(tty(no_terminal))
        }
        CONVERSATION => command.arg(verbose()),
        _ => command,
    };
    command.disable_help_subcommand(true).subcommands(further)
}

/// The options whose value may be only the name of an environment variable, which then stands for
/// its value.
const OWN_VARIABLES: [&str; 2] = ["env", "secret"];

/// Parses `NAME=VALUE`, or `NAME`, and adds the value of that environment variable if it is set.
fn with_own_variable() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|mut word| {
        if !word.as_bytes().contains(&b'=')
            && let Some(value) = variable(&word)
        {
            word.push("=");
            word.push(value);
        }
        octets::encode(word.as_bytes()).into_owned()
    })
}

/// Whether an operation's command is below that of another one.
fn is_below(other: &Entry, entry: &Entry) -> bool {
    other.command.len() < entry.command.len() && entry.command.starts_with(other.command)
}

/// The operation that demonstrates pyro. If standard output is not a terminal, its result is
/// printed as JSON.
pub(crate) const DEMO: &str = "demo";
/// The demonstration with a language model, whose conversation can be shown.
pub(crate) const CONVERSATION: &str = "demo_ollama";
/// The option that shows the conversation.
pub(crate) const VERBOSE: &str = "verbose";

fn verbose() -> Arg {
    Arg::new(VERBOSE)
        .long(VERBOSE)
        .short('v')
        .action(ArgAction::SetTrue)
        .help("Print the whole conversation: contents, arguments, results")
}

/// The operation that shows the output of earlier commands.
pub(crate) const LOGS: &str = "workspace_logs";
/// The option that shows it without escaping.
pub(crate) const RAW: &str = "raw";

fn raw() -> Arg {
    Arg::new(RAW)
        .long(RAW)
        .action(ArgAction::SetTrue)
        .help("Write control characters to a terminal as they are, instead of escaping them")
}

/// The operations that show the content of a guest's file.
pub(crate) const FILE_READ: &str = "workspace_file_read";
pub(crate) const DISK_READ: &str = "workspace_disk_read";
/// The option that shows only the content, byte for byte.
pub(crate) const CONTENT_ONLY: &str = "content-only";

fn content_only() -> Arg {
    Arg::new(CONTENT_ONLY)
        .long(CONTENT_ONLY)
        .action(ArgAction::SetTrue)
        .conflicts_with("json")
        .help("Print the exact bytes that were read, and nothing else")
}

/// The operation that copies files out of a workspace.
const EXPORT: &str = "workspace_export";

/// Only the command line can write to standard output.
fn to_stdout(path: Arg) -> Arg {
    let help = path.get_help().expect("each has one").to_string();
    path.help(format!(
        "{help}; `-` writes a tar stream to standard output"
    ))
}

/// The operation that shows the changes in a workspace.
pub(crate) const DIFF: &str = "workspace_diff";
/// The option that shows the number of changed lines of each file.
pub(crate) const STAT: &str = "stat";

fn stat() -> Arg {
    Arg::new(STAT)
        .long(STAT)
        .action(ArgAction::SetTrue)
        .conflicts_with_all(["json", "name_only"])
        .help("Show how many lines of each file differ, instead of the patch")
}

/// The operations that run a command, which may have a terminal.
pub(crate) const EXEC: [&str; 3] = ["vm_run", "vm_exec", "workspace_exec"];
/// The option that forwards standard input even if it is a terminal.
pub(crate) const INTERACTIVE: &str = "interactive";
/// The option that gives a command a terminal.
pub(crate) const TTY: &str = "tty";

fn interactive() -> Arg {
    Arg::new(INTERACTIVE)
        .long(INTERACTIVE)
        .short('i')
        .action(ArgAction::SetTrue)
        .help("Pass standard input to the command even if it is a terminal")
}

fn tty(conflicts: &'static [&'static str]) -> Arg {
    Arg::new(TTY)
        .long(TTY)
        .short('t')
        .action(ArgAction::SetTrue)
        .conflicts_with_all(conflicts)
        .help("Give the command a terminal of the size of this one: `-it` for a shell, an editor")
}

/// The operation that returns the id of a workspace.
pub(crate) const CREATE: &str = "workspace_create";
/// The option that prints only the id.
pub(crate) const ID_ONLY: &str = "id-only";

/// The operation that returns the id of a shell.
pub(crate) const SHELL_OPEN: &str = "shell_open";
/// The operation that attaches a terminal to a shell.
pub(crate) const ATTACH: &str = "shell_attach";

fn id_only(noun: &str) -> Arg {
    Arg::new(ID_ONLY)
        .long(ID_ONLY)
        .action(ArgAction::SetTrue)
        .conflicts_with("json")
        .help(format!("Print the id of the new {noun}, and nothing else"))
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

/// The option that does not read standard input.
pub(crate) const NO_STDIN: &str = "no-stdin";

fn no_stdin() -> Arg {
    Arg::new(NO_STDIN)
        .long(NO_STDIN)
        .short('n')
        .action(ArgAction::SetTrue)
        .global(true)
        .help("Do not read standard input; the command gets none. For shell loops that read a list")
}

fn accelerator() -> Arg {
    Arg::new("accel")
        .long("accel")
        .value_name("ACCELERATOR")
        .value_parser(["auto", "kvm", "tcg"])
        .global(true)
        .help(format!(
            "Accelerator for guests: `kvm` (hardware), `tcg` (software), or `auto`: KVM once it is \
             proved to work on this host [environment variable: {}]",
            variables::ACCELERATOR
        ))
        .hide_possible_values(false)
}

fn require_isolation() -> Arg {
    let pieces = Piece::ALL.map(Piece::name);
    let values = pieces.into_iter().chain([ALL_PIECES]);
    Arg::new("require-isolation")
        .long("require-isolation")
        .value_name("PIECES")
        .value_delimiter(',')
        .value_parser(values.collect::<Vec<_>>())
        .global(true)
        .hide_possible_values(true)
        .help(format!(
            "Refuse to run machines unless these isolation mechanisms are in force: {}, or {ALL_PIECES} \
             [environment variable: {}]",
            pieces.join(", "),
            variables::REQUIRE_ISOLATION
        ))
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

/// A hidden command, with which the program starts its processes that outlive a call.
fn hidden(name: &'static str) -> Command {
    Command::new(name)
        .hide(true)
        .arg(Arg::new("id").help("Shown in the list of processes"))
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

    /// The options that only the command line has.
    const OURS: [&str; 5] = [
        "completions",
        "manual",
        "mcp",
        PARK_COMMAND,
        SUPERVISE_COMMAND,
    ];

    #[test]
    fn every_operation_has_its_command_and_every_command_its_operation() {
        let mut tree = command();
        tree.build();
        let mut seen = 0;
        let mut left: Vec<(Vec<&str>, &Command)> = vec![(Vec::new(), &tree)];
        while let Some((words, command)) = left.pop() {
            for next in command.get_subcommands() {
                let mut words = words.clone();
                words.push(next.get_name());
                if OURS.contains(&words[0]) {
                    continue;
                }
                let is_group = next.get_subcommands().next().is_some();
                if find(&words).is_some() {
                    seen += 1;
                } else {
                    assert!(is_group, "{words:?}");
                }
                left.push((words, next));
            }
        }
        assert_eq!(seen, OPERATIONS.len());
    }

    /// A common option of both commands has the same meaning before and after the second word.
    #[test]
    fn an_operation_may_be_a_group_as_well() {
        for (line, name, as_json) in [
            ("pyro demo", "demo", false),
            ("pyro demo --json", "demo", true),
            ("pyro demo ollama", "ollama", false),
            ("pyro demo --json ollama", "ollama", true),
            ("pyro demo ollama --json", "ollama", true),
            ("pyro demo --accel tcg -q ollama", "ollama", false),
        ] {
            let matches = command().try_get_matches_from(line.split(' ')).expect(line);
            let (mut found, mut matches) = matches.subcommand().unwrap();
            if let Some(inner) = matches.subcommand() {
                (found, matches) = inner;
            }
            assert_eq!((found, matches.get_flag("json")), (name, as_json), "{line}");
        }
    }

    /// Parses a line; returns the error, if any.
    fn wrong(line: &str) -> Option<String> {
        let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let matches = command().try_get_matches_from(&typed).expect(line);
        let mut matches = &matches;
        while let Some((_, inner)) = matches.subcommand() {
            matches = inner;
        }
        missing_before_command(matches, &typed).map(|error| error.to_string())
    }

    #[test]
    fn a_word_of_the_command_is_never_an_id() {
        for (line, missing) in [
            ("pyro workspace exec -- git status", "<WORKSPACE_ID>"),
            (
                "pyro workspace exec --timeout-seconds 5 -- -- true",
                "<WORKSPACE_ID>",
            ),
            ("pyro vm exec -- true", "<VM_ID>"),
            ("pyro run -- git status", "<ENVIRONMENT>"),
            ("pyro run --network -- debian:12", "<ENVIRONMENT>"),
        ] {
            let error = wrong(line).expect(line);
            assert!(error.contains(missing), "{line}: {error}");
            assert!(error.contains("is a variable empty?"), "{line}: {error}");
        }
        for line in [
            "pyro run debian:12 -- git status",
            "pyro run debian:12 --",
            "pyro run debian:12 -- -- true",
            "pyro run debian:12 sh -c x -- y z",
            "pyro workspace exec 0123456789ab -- true",
            "pyro workspace exec 0123456789ab true",
            "pyro workspace status -- 0123456789ab",
        ] {
            assert_eq!(wrong(line), None, "{line}");
        }
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
