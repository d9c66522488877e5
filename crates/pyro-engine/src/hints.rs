//! *Hints*, such as remedies, are written with commands and options of the command line. For
//! callers of operations, this module rewrites options as properties, and commands as operations.

use std::collections::BTreeMap;

use crate::operation::Entry;

/// Rewrites hints for callers of operations.
#[derive(Debug)]
pub struct Hints {
    operations: &'static [Entry],
    /// The properties of requests, by their options as the command line writes them.
    options: BTreeMap<String, String>,
}

impl Hints {
    /// Returns the hints for a table of operations.
    pub fn of(operations: &'static [Entry]) -> Self {
        let options = |entry: &Entry| {
            let command = (entry.add_arguments)(clap::Command::new(entry.name));
            let options = command
                .get_arguments()
                .filter_map(|argument| Some((argument.get_long()?, property(argument))));
            options
                .map(|(option, property)| (format!("--{option}"), property))
                .collect::<Vec<_>>()
        };
        Self {
            operations,
            options: operations.iter().flat_map(options).collect(),
        }
    }

    /// Rewrites a hint, or a description, for callers of operations. `name` returns the caller's
    /// name of an operation, or `None` if the caller cannot use it; such operations remain
    /// commands, for a user at a command line. Commands are between backquotes: either complete,
    /// such as `pyro vm start ID`, or only the name, such as `vm create`.
    pub fn for_operations(
        &self,
        hint: &str,
        name: impl Fn(&'static str) -> Option<String>,
    ) -> String {
        let parts = hint.split('`').enumerate();
        let told = parts.map(|(number, part)| {
            // Every second part is between backquotes.
            if number % 2 == 0 {
                return self.properties(part);
            }
            match self.call(part, &name) {
                Some(call) => call,
                None if part.contains(char::is_whitespace) => format!("`{part}`"),
                None => format!("`{}`", self.properties(part)),
            }
        });
        told.collect()
    }

    /// Returns the call that corresponds to a command line.
    fn call(&self, line: &str, name: impl Fn(&'static str) -> Option<String>) -> Option<String> {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let whole = words.first() == Some(&"pyro");
        if whole {
            words.remove(0);
        }
        let said = self
            .operations
            .iter()
            .filter(|entry| words.starts_with(entry.command));
        let entry = said.max_by_key(|entry| entry.command.len())?;
        let rest = &words[entry.command.len()..];
        // A single word may also be an ordinary word.
        if !whole && (words.len() < 2 || !rest.is_empty()) {
            return None;
        }
        let arguments = arguments(entry, rest)?;
        let name = name(entry.name)?;
        Some(match arguments.as_slice() {
            [] => format!("`{name}`"),
            arguments => format!("`{name}` with {}", arguments.join(" and ")),
        })
    }

    /// Rewrites options as properties.
    fn properties(&self, text: &str) -> String {
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
            told.push_str(self.options.get(option).map_or(option, String::as_str));
            rest = after;
        }
        told + rest
    }
}

/// Returns the property that corresponds to an argument of a command.
pub fn property(argument: &clap::Arg) -> String {
    let id = argument.get_id().as_str().replace('-', "_");
    // Some options are other forms of one property.
    match id.as_str() {
        "env_file" => "env".into(),
        "secret" | "secret_file" => "secrets".into(),
        _ => id,
    }
}

/// Returns the arguments of a command as properties, without placeholders (ID); `None` if one of
/// them is no property.
fn arguments(entry: &Entry, words: &[&str]) -> Option<Vec<String>> {
    let command = (entry.add_arguments)(clap::Command::new(entry.name));
    let mut positional = command.get_positionals();
    let mut words = words.iter();
    let mut told = Vec::new();
    while let Some(word) = words.next() {
        let (argument, value) = match word.strip_prefix("--") {
            Some(option) => {
                let mut options = command.get_arguments();
                let argument = options.find(|argument| argument.get_long() == Some(option))?;
                let value = if argument.get_action().takes_values() {
                    words.next()
                } else {
                    None
                };
                (argument, value)
            }
            None => (positional.next()?, Some(word)),
        };
        let property = property(argument);
        let is_placeholder = |word: &str| word.chars().all(|letter| letter.is_ascii_uppercase());
        match value {
            Some(value) if is_placeholder(value) => {}
            Some(value) => told.push(format!("{property} {value}")),
            None => told.push(property),
        }
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    use crate::operations::HINTS;

    #[test]
    fn commands_become_operations_and_options_properties() {
        let known = |name: &'static str| (name != "doctor").then(|| name.to_owned());
        for (hint, told) in [
            ("see `pyro workspace list`", "see `workspace_list`"),
            (
                "`pyro workspace delete ID` and `pyro vm delete ID`",
                "`workspace_delete` and `vm_delete`",
            ),
            (
                "start it: `pyro workspace start 0123456789ab`",
                "start it: `workspace_start` with workspace_id 0123456789ab",
            ),
            (
                "see `pyro workspace logs 0123456789ab --sequence 3`",
                "see `workspace_logs` with workspace_id 0123456789ab and sequence 3",
            ),
            (
                "`pyro env\nprune` removes what `vm create` made",
                "`env_prune` removes what `vm_create` made",
            ),
            ("`run` and `env`, `--network`", "`run` and `env`, `network`"),
            // None of these is a property.
            (
                "`pyro workspace stop ID --accel kvm`",
                "`pyro workspace stop ID --accel kvm`",
            ),
            ("more memory with --mem-mib", "more memory with mem_mib"),
            ("leave out `--network`", "leave out `network`"),
            // An option that may be repeated is one property.
            ("give more with --label", "give more with labels"),
            // Only the operator of a server has these.
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
            assert_eq!(HINTS.for_operations(hint, known), told);
        }
        let doctor = HINTS.for_operations("`pyro doctor --boot`", |name| Some(name.to_owned()));
        assert_eq!(doctor, "`doctor` with boot");
    }
}
