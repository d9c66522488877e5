//! *Secrets* of a workspace: named values for its commands. On the host they exist only in the memory
//! of its supervisor and of the client that passes them.

use std::collections::BTreeMap;
use std::fmt;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::octets_parser;
use crate::{Context, Error};

const SECRET: &str = "secret";
const SECRET_FILE: &str = "secret_file";
const SECRET_ENV: &str = "secret_env";
/// The limit is part of the public contract.
const VALUE_LIMIT_BYTES: usize = 65_536;
/// The maximum number of secrets of a workspace.
const SECRETS: usize = 256;

/// The values of secrets, by name.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Secrets(pub(crate) BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The part of a secret that is recorded and shown.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct SecretKind {
    /// Its name.
    pub name: String,
    /// `literal` if its value was given, `file` if it was read from a file.
    pub source_kind: String,
}

/// A secret in a request: a name, and either the value or a file that contains it
#[derive(Clone, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecretGiven {
    /// Its name: letters, digits and underscores; it does not begin with a digit.
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The file on the host that contains the value
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_path: Option<String>,
}

impl fmt::Debug for SecretGiven {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SecretGiven")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The secrets of a request. On the command line: `--secret NAME=VALUE` and `--secret-file NAME=PATH`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SecretsGiven(pub Option<Vec<SecretGiven>>);

impl SecretsGiven {
    /// Reads the files, and checks names and values.
    pub(crate) fn read(&self, context: &Context) -> Result<(Secrets, Vec<SecretKind>), Error> {
        let mut values = BTreeMap::new();
        let mut kinds = Vec::new();
        for given in self.0.iter().flatten() {
            let name = &given.name;
            check_name(name)?;
            let (value, source_kind) = match (&given.value, &given.file_path) {
                (Some(value), None) => (value.clone(), "literal"),
                (None, Some(path)) => (read_file(name, path, context)?, "file"),
                _ => {
                    return Err(Error::invalid(format!(
                        "secret {name} must have a value or a file_path, and not both"
                    )));
                }
            };
            if value.is_empty() || value.len() > VALUE_LIMIT_BYTES || value.contains('\0') {
                return Err(Error::invalid(format!(
                    "the value of secret {name} must have 1 to {VALUE_LIMIT_BYTES} bytes, none of them NUL"
                )));
            }
            if values.insert(name.clone(), value).is_some() {
                return Err(Error::invalid(format!("secret {name} is given twice")));
            }
            kinds.push(SecretKind {
                name: name.clone(),
                source_kind: source_kind.into(),
            });
        }
        if kinds.len() > SECRETS {
            return Err(Error::invalid(format!(
                "a workspace has {SECRETS} secrets at most"
            )));
        }
        kinds.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((Secrets(values), kinds))
    }
}

fn read_file(name: &str, path: &str, context: &Context) -> Result<String, Error> {
    use std::io::Read as _;
    let file = context.permissions.open_file("secret_file", path)?;
    let mut bytes = Vec::new();
    let read = file
        .take(VALUE_LIMIT_BYTES as u64 + 1)
        .read_to_end(&mut bytes);
    read.map_err(|error| {
        Error::unreadable_source("secret_file", &crate::request::host_path(path), error)
    })?;
    String::from_utf8(bytes)
        .map_err(|_| Error::invalid(format!("the value of secret {name} must be text in UTF-8")))
}

/// Checks a name by the rule of the public contract, which is that of environment variables.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let is_fine = (1..=64).contains(&name.len())
        && name.chars().all(plain)
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_fine {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the name of a secret has 1 to 64 letters, digits and underscores, and does not begin with a \
         digit; '{}' does not fit",
        pyro_text::line(name)
    )))
}

impl Args for SecretsGiven {
    fn augment_args(command: Command) -> Command {
        command
            .arg(
                Arg::new(SECRET)
                    .long(SECRET)
                    .value_name("NAME=VALUE")
                    .help("Give the workspace a secret; with only a NAME, the value is taken from the environment variable of this name, so that it is not on the command line")
                    .action(ArgAction::Append)
                    .value_parser(octets_parser()),
            )
            .arg(
                Arg::new(SECRET_FILE)
                    .long("secret-file")
                    .value_name("NAME=PATH")
                    .value_hint(ValueHint::FilePath)
                    .help("Give the workspace a secret from a file")
                    .action(ArgAction::Append)
                    .value_parser(octets_parser()),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SecretsGiven {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let words = |name: &str| matches.get_many::<String>(name).into_iter().flatten();
        let mut all = Vec::new();
        for word in words(SECRET) {
            // The command line has inserted the value of its own variable.
            let Some((name, value)) = word.split_once('=') else {
                let name = pyro_text::line(word);
                return Err(usage(&format!(
                    "--secret {name}: there is no environment variable of this name"
                )));
            };
            all.push(SecretGiven {
                name: name.to_owned(),
                value: Some(value.to_owned()),
                file_path: None,
            });
        }
        for word in words(SECRET_FILE) {
            let Some((name, path)) = word.split_once('=') else {
                return Err(usage("--secret-file must be NAME=PATH"));
            };
            all.push(SecretGiven {
                name: name.to_owned(),
                value: None,
                file_path: Some(path.to_owned()),
            });
        }
        self.0 = (!all.is_empty()).then_some(all);
        Ok(())
    }
}

fn usage(message: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{message}\n"))
}

/// The secrets to pass to a command as environment variables, with the names of the variables. On
/// the command line: `--secret-env SECRET[=VARIABLE]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(transparent)]
pub struct SecretVariables(pub Option<BTreeMap<String, String>>);

impl SecretVariables {
    /// Checks the names.
    pub(crate) fn checked(self) -> Result<BTreeMap<String, String>, Error> {
        let all = self.0.unwrap_or_default();
        for (secret, variable) in &all {
            check_name(secret)?;
            check_name(variable)?;
        }
        Ok(all)
    }
}

impl Args for SecretVariables {
    fn augment_args(command: Command) -> Command {
        command.arg(
            Arg::new(SECRET_ENV)
                .long("secret-env")
                .value_name("SECRET[=VARIABLE]")
                .help("Pass a secret of the workspace to the command as an environment variable, named like the secret or VARIABLE")
                .action(ArgAction::Append),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SecretVariables {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut variables = Self::default();
        variables.update_from_arg_matches(matches)?;
        Ok(variables)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let words = matches.get_many::<String>(SECRET_ENV).into_iter().flatten();
        let all: BTreeMap<_, _> = words
            .map(|word| word.split_once('=').unwrap_or((word, word)))
            .map(|(secret, variable)| (secret.to_owned(), variable.to_owned()))
            .collect();
        self.0 = (!all.is_empty()).then_some(all);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_variables() {
        for fine in ["A", "_x1", &"a".repeat(64)] {
            assert!(check_name(fine).is_ok(), "{fine}");
        }
        for wrong in ["", "1a", "a-b", "a b", "\u{e4}", &"a".repeat(65)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_not_shown() {
        let given = SecretGiven {
            name: "TOKEN".into(),
            value: Some("hunter2".into()),
            file_path: None,
        };
        let (secrets, _) = SecretsGiven(Some(vec![given.clone()]))
            .read(&Context::default())
            .unwrap();
        let shown = format!("{given:?} {secrets:?}");
        assert!(
            shown.contains("TOKEN") && !shown.contains("hunter2"),
            "{shown}"
        );
        let twice = SecretsGiven(Some(vec![given.clone(), given]));
        let error = twice.read(&Context::default()).unwrap_err();
        assert_eq!(error.message, "secret TOKEN is given twice");
    }
}
