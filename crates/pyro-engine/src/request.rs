//! The parts that several requests have in common, and their limits.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use pyro_machine::octets;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The directory of a workspace's files in the guest.
pub(crate) const WORKSPACE: &str = "/workspace";

pub(crate) const VCPU_COUNT: std::ops::RangeInclusive<i64> = 1..=8;
pub(crate) const MEM_MIB: std::ops::RangeInclusive<i64> = 256..=32_768;
pub(crate) const TTL_SECONDS: std::ops::RangeInclusive<i64> = 60..=3600;

pub(crate) const DEFAULT_VCPU_COUNT: u32 = 1;
pub(crate) const DEFAULT_MEM_MIB: u32 = 1024;

pub(crate) fn one_vcpu() -> i64 {
    DEFAULT_VCPU_COUNT.into()
}

pub(crate) fn one_gibibyte() -> i64 {
    DEFAULT_MEM_MIB.into()
}

pub(crate) fn half_a_minute() -> i64 {
    30
}

pub(crate) fn ten_minutes() -> i64 {
    600
}

/// Checks that a value is in its range, and converts it to the engine's type.
pub(crate) fn within<T: TryFrom<i64>>(
    name: &str,
    value: i64,
    range: &std::ops::RangeInclusive<i64>,
) -> Result<T, Error> {
    let error = || {
        Error::invalid(format!(
            "{name} must be between {} and {}",
            range.start(),
            range.end()
        ))
    };
    if !range.contains(&value) {
        return Err(error());
    }
    T::try_from(value).map_err(|_| error())
}

/// The lifetime of a workspace: 0 is unlimited.
pub(crate) fn workspace_ttl(value: i64) -> Result<u64, Error> {
    match u64::try_from(value) {
        Ok(seconds) if seconds == 0 || value >= *TTL_SECONDS.start() => Ok(seconds),
        _ => Err(Error::invalid(format!(
            "ttl_seconds must be 0 or at least {}",
            TTL_SECONDS.start()
        ))),
    }
}

/// Makes a path in a workspace absolute and normal.
pub(crate) fn workspace_path(what: &str, path: &str) -> Result<String, Error> {
    let outside = || Error::invalid(format!("{what} must stay inside {WORKSPACE}"));
    let parts = parts(what, path, outside)?;
    if parts.first() != Some(&&WORKSPACE[1..]) {
        return Err(outside());
    }
    Ok(format!("/{}", parts.join("/")))
}

/// Returns a path anywhere in a guest without `.` and `..`; a relative one is below `/workspace`.
pub(crate) fn guest_path(what: &str, path: &str) -> Result<String, Error> {
    let outside = || Error::invalid(format!("{what} must be a path in the guest"));
    Ok(format!("/{}", parts(what, path, outside)?.join("/")))
}

/// The components of a path in a guest.
fn parts<'a>(
    what: &str,
    path: &'a str,
    outside: impl Fn() -> Error + Copy,
) -> Result<Vec<&'a str>, Error> {
    if path.trim().is_empty() {
        return Err(Error::invalid(format!("{what} must not be empty")));
    }
    let mut parts: Vec<&str> = Vec::new();
    if !path.starts_with('/') {
        parts.push(&WORKSPACE[1..]);
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(outside)?;
            }
            part if part.contains('\0') => return Err(outside()),
            part => parts.push(part),
        }
    }
    Ok(parts)
}

/// Checks the name of a snapshot, or the key of a label. `what` is the beginning of the error message.
pub(crate) fn check_plain_name(what: &str, name: &str) -> Result<(), Error> {
    let is_fine = (1..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || "._-".contains(one));
    if is_fine {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what} has 1 to 64 letters, digits, '.', '_' and '-', and begins with a letter or a digit; \
         '{}' does not",
        pyro_text::line(name)
    )))
}

/// Checks that a number of seconds is above zero.
pub(crate) fn positive_seconds(name: &str, value: i64) -> Result<std::time::Duration, Error> {
    match u64::try_from(value) {
        Ok(seconds @ 1..) => Ok(std::time::Duration::from_secs(seconds)),
        _ => Err(Error::invalid(format!("{name} must be positive"))),
    }
}

/// A command for a shell: one line of text. On the command line it is given as words, which are
/// quoted and joined.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct ShellCommand {
    /// The line; `None` if no word was given, which is different from an empty word.
    #[schemars(with = "String")]
    line: Option<String>,
}

/// The maximum length of a line: Linux's limit on a single argument (`MAX_ARG_STRLEN`, 32 pages).
const LINE_LIMIT_BYTES: usize = 128 * 1024 - 1;

impl ShellCommand {
    /// Checks that there is a line and that the kernel would accept it.
    pub(crate) fn line(self) -> Result<String, Error> {
        self.line_if_any()?.ok_or_else(Error::command_required)
    }

    /// Checks that the kernel would accept the line, if there is one.
    pub(crate) fn line_if_any(self) -> Result<Option<String>, Error> {
        let Some(line) = self.line else {
            return Ok(None);
        };
        let length = octets::decode(&line).len();
        if length > LINE_LIMIT_BYTES {
            return Err(Error::invalid(format!(
                "command is {length} bytes long; at most {LINE_LIMIT_BYTES} are possible"
            ))
            .remedy("write long text to a file in the guest, and let the command read it"));
        }
        if line.contains('\0') {
            return Err(Error::invalid("command contains a NUL byte"));
        }
        Ok(Some(line))
    }
}

impl From<&str> for ShellCommand {
    fn from(line: &str) -> Self {
        Self {
            line: Some(line.to_owned()),
        }
    }
}

/// The property of requests that is a command line, and the argument name of its words.
pub(crate) const COMMAND: &str = "command";

impl Args for ShellCommand {
    fn augment_args(command: Command) -> Command {
        command.arg(
            Arg::new(COMMAND)
                .value_name("COMMAND")
                .help("Command to run and its arguments, best after `--`")
                .action(ArgAction::Append)
                .value_parser(octets_parser())
                .num_args(0..)
                .trailing_var_arg(true),
        )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ShellCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut command = Self::default();
        command.update_from_arg_matches(matches)?;
        Ok(command)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let words: Vec<&str> = matches
            .get_many::<String>(COMMAND)
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        self.line = (!words.is_empty()).then(|| join_words(&words));
        Ok(())
    }
}

/// Joins words into a line for a shell.
pub(crate) fn join_words(words: &[&str]) -> String {
    let words = words.iter().copied().map(quote);
    words.collect::<Vec<_>>().join(" ")
}

/// Parses a word of the command line that is a path: its bytes need not be UTF-8.
pub(crate) fn octets_parser() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|word| octets::encode(word.as_bytes()).into_owned())
}

/// A path as text for results, from which [`host_path`] gets the same path.
pub(crate) fn path_text(path: &Path) -> String {
    octets::encode(path.as_os_str().as_bytes()).into_owned()
}

/// The path that a property's text represents.
pub(crate) fn host_path(text: &str) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&octets::decode(text)))
}

/// Quotes a word for a POSIX shell, in the form of Python's `shlex.quote`: results show the joined
/// line, and callers compare it.
fn quote(word: &str) -> Cow<'_, str> {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "@%+=:,./-_".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r#"'"'"'"#)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Option<String> {
        let command = ShellCommand::augment_args(Command::new("x"));
        let matches = command.try_get_matches_from(arguments).unwrap();
        ShellCommand::from_arg_matches(&matches).unwrap().line
    }

    #[test]
    fn words_are_quoted_and_joined() {
        assert_eq!(
            parse(&["x", "--", "echo", "a b", "$HOME"]).unwrap(),
            "echo 'a b' '$HOME'"
        );
        assert_eq!(parse(&["x", "--", "echo", "--", "a"]).unwrap(), "echo -- a");
        assert_eq!(parse(&["x", "git", "--version"]).unwrap(), "git --version");
        assert_eq!(parse(&["x", "--", "echo hi"]).unwrap(), "'echo hi'");
        assert_eq!(parse(&["x", "--", ""]).unwrap(), "''");
        assert_eq!(
            parse(&["x", "--", "it's \"\\"]).unwrap(),
            r#"'it'"'"'s "\'"#
        );
        assert_eq!(parse(&["x", "--"]), None);
        assert_eq!(parse(&["x"]), None);
    }

    #[test]
    fn limits_are_the_promised_ones() {
        let message = |value| {
            within::<u32>("vcpu_count", value, &VCPU_COUNT)
                .unwrap_err()
                .message
        };
        assert_eq!(message(0), "vcpu_count must be between 1 and 8");
        assert_eq!(message(-1), message(9));
        assert_eq!(within::<u32>("vcpu_count", 8, &VCPU_COUNT).unwrap(), 8);
        let message = positive_seconds("timeout_seconds", 0).unwrap_err().message;
        assert_eq!(message, "timeout_seconds must be positive");
    }

    #[test]
    fn paths_stay_in_the_workspace() {
        let path = |path| workspace_path("workspace destination", path);
        for (given, meant) in [
            ("/workspace", "/workspace"),
            ("/workspace/", "/workspace"),
            ("a/b", "/workspace/a/b"),
            (".", "/workspace"),
            ("/workspace/a/../b/./c", "/workspace/b/c"),
            ("a b/\u{fc}", "/workspace/a b/\u{fc}"),
        ] {
            assert_eq!(path(given).unwrap(), meant, "{given}");
        }
        for given in [
            "/",
            "/etc",
            "..",
            "/workspace/..",
            "a/../..",
            "/workspaces",
            "/workspace/../etc",
        ] {
            let error = path(given).unwrap_err();
            let wanted = "workspace destination must stay inside /workspace";
            assert_eq!(error.message, wanted, "{given}");
        }
        let anywhere = |path| guest_path("path", path);
        for (given, meant) in [
            ("/", "/"),
            ("a/../b", "/workspace/b"),
            ("..", "/"),
            ("/etc//./x/../hosts", "/etc/hosts"),
        ] {
            assert_eq!(anywhere(given).unwrap(), meant, "{given}");
        }
        for given in ["/..", "../..", "a\0b"] {
            let message = anywhere(given).unwrap_err().message;
            assert_eq!(message, "path must be a path in the guest", "{given}");
        }
        let empty = path(" ").unwrap_err().message;
        assert_eq!(empty, "workspace destination must not be empty");
    }

    #[test]
    fn a_plain_name_is_a_word_of_up_to_64_characters() {
        let check = |name: &str| check_plain_name("the name", name);
        for fine in ["a", "0", "A.b_c-1", &"x".repeat(64)] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
        for wrong in [
            "",
            ".a",
            "-a",
            "_a",
            "a b",
            "a/b",
            "\u{e4}",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        let message = check("a\x1b\"").unwrap_err().message;
        assert_eq!(
            message,
            "the name has 1 to 64 letters, digits, '.', '_' and '-', and begins with a letter or a \
             digit; 'a\\u{1b}\"' does not"
        );
    }

    #[test]
    fn a_workspace_may_live_for_ever() {
        assert_eq!(workspace_ttl(0).unwrap(), 0);
        assert_eq!(workspace_ttl(60).unwrap(), 60);
        assert_eq!(workspace_ttl(1_000_000).unwrap(), 1_000_000);
        for wrong in [-1, 1, 59] {
            let error = workspace_ttl(wrong).unwrap_err();
            assert_eq!(error.message, "ttl_seconds must be 0 or at least 60");
        }
    }

    #[test]
    fn a_command_must_fit_into_an_argument() {
        assert!(ShellCommand::from("true").line().is_ok());
        assert!(ShellCommand::from("").line().is_ok());
        assert!(
            ShellCommand::from("x".repeat(200_000).as_str())
                .line()
                .is_err()
        );
        assert!(ShellCommand::from("a\0b").line().is_err());
        assert_eq!(
            ShellCommand::default().line().unwrap_err().code,
            "command_required"
        );
    }
}
