//! The *options* of a command: its variables, its directory and its user.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint};
use pyro_environment::Image;
use pyro_machine::octets;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::command_line;
use crate::output::is_false;
use crate::request::{guest_path, octets_parser};
use crate::secrets::SecretVariables;

/// The search path of a guest's commands, which most images have, too.
pub(crate) const GUEST_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const ENV: &str = "env";
const ENV_FILE: &str = "env_file";
/// The maximum size of a file of variables: that of all arguments and variables of a program.
const ENV_FILE_LIMIT_BYTES: u64 = 2 * 1024 * 1024;
/// The maximum length of `USER:GROUP`.
const USER_CHARACTERS: usize = 256;

/// The checked options of a command.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct CommandOptions {
    /// Variables in addition to the guest's own.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// An absolute path in the guest; the default is the VM's.
    #[serde(default)]
    pub(crate) cwd: Option<String>,
    /// `USER` or `USER:GROUP`, names or numbers.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// The secrets to pass as variables, and the names of the variables.
    #[serde(default)]
    pub(crate) secret_env: BTreeMap<String, String>,
    /// Whether the machine's image has no shell that could run a line.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) without_shell: bool,
}

impl CommandOptions {
    /// Checks the options of a request.
    pub(crate) fn checked(
        env: Variables,
        cwd: Option<&str>,
        user: Option<String>,
    ) -> Result<Self, Error> {
        for (name, value) in &env.0 {
            check_variable(name, value)?;
        }
        if let Some(user) = &user {
            check_user(user)?;
        }
        Ok(Self {
            env: env.0,
            cwd: cwd.map(|path| guest_path("cwd", path)).transpose()?,
            user,
            ..Self::default()
        })
    }

    /// Adds secrets as variables.
    pub(crate) fn with_secrets(self, variables: SecretVariables) -> Result<Self, Error> {
        Ok(Self {
            secret_env: variables.checked()?,
            ..self
        })
    }

    /// Returns what an image says of how its programs run. Its directory is for those that have no
    /// other: in a workspace they have.
    pub(crate) fn of_image(image: &Image, has_directory: bool) -> Self {
        let process = &image.process;
        let variables = process.env.iter().filter_map(|word| word.split_once('='));
        let env = variables
            // What the guest has by itself costs nothing if nobody asks for it.
            .filter(|(name, value)| (*name, *value) != ("PATH", GUEST_PATH))
            .filter(|(name, value)| check_variable(name, value).is_ok())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            env,
            cwd: some(&process.working_dir).filter(|path| !has_directory && path.starts_with('/')),
            user: some(&process.user).filter(|user| !is_root(user)),
            secret_env: BTreeMap::new(),
            without_shell: !image.has_shell,
        }
    }

    /// Completes what was asked for with defaults.
    pub(crate) fn or(self, defaults: &Self) -> Self {
        let mut env = defaults.env.clone();
        env.extend(self.env);
        Self {
            env,
            cwd: self.cwd.or_else(|| defaults.cwd.clone()),
            user: self.user.or_else(|| defaults.user.clone()),
            secret_env: self.secret_env,
            without_shell: self.without_shell || defaults.without_shell,
        }
    }

    /// Returns the words that run a line.
    pub(crate) fn argv(&self, line: String) -> Result<Vec<String>, Error> {
        command_line::argv(line, !self.without_shell)
    }

    /// Whether no option is set.
    pub(crate) fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

fn is_root(user: &str) -> bool {
    matches!(
        user,
        "root" | "0" | "root:root" | "0:0" | "root:0" | "0:root"
    )
}

fn check_variable(name: &str, value: &str) -> Result<(), Error> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(Error::invalid(format!(
            "the name of a variable in env must not be empty, and has no '=': '{}'",
            pyro_text::line(name)
        )));
    }
    if value.contains('\0') {
        let name = pyro_text::line(name);
        return Err(Error::invalid(format!(
            "the value of {name} in env contains a NUL byte"
        )));
    }
    Ok(())
}

fn check_user(user: &str) -> Result<(), Error> {
    let parts: Vec<&str> = user.split(':').collect();
    let is_sound = parts.len() <= 2
        && parts.iter().all(|part| !part.is_empty())
        && user.chars().count() <= USER_CHARACTERS
        && !user.contains(char::is_control);
    if is_sound {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "user must be USER or USER:GROUP, names or numbers, not '{}'",
        pyro_text::line(user)
    )))
}

/// Environment variables, by name.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Variables(pub BTreeMap<String, String>);

impl Args for Variables {
    fn augment_args(command: Command) -> Command {
        command
            .arg(
                Arg::new(ENV)
                    .long(ENV)
                    .short('e')
                    .value_name("NAME=VALUE")
                    .help("Set an environment variable; with only a NAME, to its value in this environment, if set")
                    .action(ArgAction::Append)
                    .value_parser(octets_parser()),
            )
            .arg(
                Arg::new(ENV_FILE)
                    .long("env-file")
                    .value_name("FILE")
                    .value_hint(ValueHint::FilePath)
                    .help("Set variables from a file with one NAME=VALUE on each line; `#` begins a comment line")
                    .action(ArgAction::Append)
                    .value_parser(octets_parser()),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Variables {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut variables = Self::default();
        variables.update_from_arg_matches(matches)?;
        Ok(variables)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let words = |name: &str| matches.get_many::<String>(name).into_iter().flatten();
        for file in words(ENV_FILE) {
            let path = octets::decode(file);
            let lines = read_lines(Path::new(OsStr::from_bytes(&path)));
            let lines = lines.map_err(|error| {
                let file = pyro_text::name(&path);
                usage(&format!("cannot read --env-file {file}: {error}"))
            })?;
            for line in lines {
                self.set(&line)?;
            }
        }
        // Variables on the command line take precedence.
        for word in words(ENV) {
            // The command line has inserted the value of its own variable, if that is set.
            if word.contains('=') {
                self.set(word)?;
            }
        }
        Ok(())
    }
}

impl Variables {
    /// Sets one variable, `NAME=VALUE`.
    fn set(&mut self, word: &str) -> Result<(), clap::Error> {
        let Some((name, value)) = word.split_once('=') else {
            let word = pyro_text::line(word);
            return Err(usage(&format!("'{word}' must be NAME=VALUE")));
        };
        check_variable(name, value).map_err(|error| usage(&error.message))?;
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}

fn usage(message: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{message}\n"))
}

/// The lines of a file of variables, without empty ones and comments.
fn read_lines(path: &Path) -> std::io::Result<Vec<String>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(ENV_FILE_LIMIT_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > ENV_FILE_LIMIT_BYTES {
        let limit = ENV_FILE_LIMIT_BYTES / 1024 / 1024;
        return Err(std::io::Error::other(format!(
            "it has more than {limit} MiB"
        )));
    }
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.filter(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#"));
    Ok(lines
        .map(|line| octets::encode(line).into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<BTreeMap<String, String>, String> {
        let command = Variables::augment_args(Command::new("test").no_binary_name(true));
        let matches = command.try_get_matches_from(words).unwrap();
        let variables = Variables::from_arg_matches(&matches);
        variables
            .map(|variables| variables.0)
            .map_err(|error| error.to_string())
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn variables_come_from_files_and_words_and_words_take_precedence() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "# comment\n\nA=1\r\nB=two words=x\nC=\n").unwrap();
        let path = file.path().to_str().unwrap();
        let parsed = parse(&["-e", "A=9", "--env-file", path, "--env", "NOT_SET"]);
        let expected = map(&[("A", "9"), ("B", "two words=x"), ("C", "")]);
        assert_eq!(parsed, Ok(expected));
        std::fs::write(&file, "A\n").unwrap();
        let refused = parse(&["--env-file", path]).unwrap_err();
        assert!(refused.contains("'A' must be NAME=VALUE"), "{refused}");
    }

    #[test]
    fn what_cannot_be_a_variable_is_refused() {
        assert!(
            parse(&["-e", "=x"])
                .unwrap_err()
                .contains("must not be empty")
        );
        let missing = parse(&["--env-file", "/nowhere/at/all"]).unwrap_err();
        assert!(
            missing.contains("cannot read --env-file /nowhere/at/all"),
            "{missing}"
        );
    }

    #[test]
    fn users_are_names_or_numbers() {
        for fine in ["root", "0", "www-data:adm", "1000:1000"] {
            assert!(check_user(fine).is_ok(), "{fine}");
        }
        for wrong in ["", ":", "a:", ":b", "a:b:c", "a\nb", &"x".repeat(300)] {
            assert!(check_user(wrong).is_err(), "{wrong:?}");
        }
    }
}
