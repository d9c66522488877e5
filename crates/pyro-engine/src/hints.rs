//! *Hints* are written in the words of the command line. Who calls operations by their names is told
//! of properties instead of options, and of operations instead of commands.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::operation::OPERATIONS;

/// The options that are properties of requests, as they are written.
static OPTIONS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    OPERATIONS
        .iter()
        .flat_map(|entry| {
            let command = (entry.add_arguments)(clap::Command::new(entry.name));
            let options = command
                .get_arguments()
                .filter_map(|argument| argument.get_long());
            options
                .map(|option| format!("--{option}"))
                .collect::<Vec<_>>()
        })
        .collect()
});

/// Returns a hint for callers of operations. `name` returns how they know an operation, if they have
/// it; what they do not have stays a command, for whoever has a command line.
pub fn for_operations(hint: &str, name: impl Fn(&'static str) -> Option<String>) -> String {
    let quoted = hint.split('`').enumerate().map(|(number, part)| {
        // Every second part is between backquotes.
        let Some(words) = part.strip_prefix("pyro ").filter(|_| number % 2 == 1) else {
            return Cow::Borrowed(part);
        };
        let words: Vec<&str> = words.split(' ').collect();
        let entries = OPERATIONS.iter();
        let best = entries
            .filter(|entry| words.starts_with(entry.command))
            .max_by_key(|entry| entry.command.len());
        best.and_then(|entry| name(entry.name))
            .map_or(Cow::Borrowed(part), Cow::Owned)
    });
    let text = quoted.collect::<Vec<_>>().join("`");
    // Not within commands that are left.
    let parts = text.split('`').enumerate().map(|(number, part)| {
        if number % 2 == 1 && part.contains(' ') {
            part.to_owned()
        } else {
            properties(part)
        }
    });
    parts.collect::<Vec<_>>().join("`")
}

/// Writes options as properties.
fn properties(text: &str) -> String {
    let is_of_word = |character: char| character.is_ascii_alphanumeric() || character == '-';
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("--") {
        told.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest
            .find(|character| !is_of_word(character))
            .unwrap_or(rest.len());
        let (option, after) = rest.split_at(end);
        if OPTIONS.contains(option) {
            told.push_str(&option[2..].replace('-', "_"));
        } else {
            told.push_str(option);
        }
        rest = after;
    }
    told + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_become_operations_and_options_properties() {
        let known = |name: &'static str| (name != "doctor").then(|| name.to_owned());
        for (hint, told) in [
            ("see `pyro workspace list`", "see `workspace_list`"),
            (
                "`pyro workspace delete ID` and `pyro vm delete ID`",
                "`workspace_delete` and `vm_delete`",
            ),
            ("more memory with --mem-mib", "more memory with mem_mib"),
            ("leave out `--network`", "leave out `network`"),
            // What only the operator of a server has.
            (
                "leave out `--accel kvm`, or see `pyro doctor --boot`",
                "leave out `--accel kvm`, or see `pyro doctor --boot`",
            ),
            (
                "sudo apt-get install --reinstall x",
                "sudo apt-get install --reinstall x",
            ),
            ("nothing to change", "nothing to change"),
        ] {
            assert_eq!(for_operations(hint, known), told);
        }
    }
}
