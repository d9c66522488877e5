//! A *command line* as the words of a program. The guest's shell makes them of it; for an image that
//! has no shell, they are split here by the same rules, and what only a shell can do is refused.

use pyro_environment::Process;

use crate::Error;
use crate::request::{ShellCommand, join_words};

/// Unquoted characters that make a shell do more than split words (POSIX.1-2017, XCU 2.2). `#` and
/// `~` do so only at the beginning of a word.
const SPECIAL: &str = "|&;<>()$`*?[";

/// Returns the words that run a command line in an image, with its shell if it has one.
///
/// # Errors
/// When the image has no shell, and the line needs one.
pub(crate) fn argv(line: String, has_shell: bool) -> Result<Vec<String>, Error> {
    if has_shell {
        return Ok(vec!["/bin/sh".into(), "-c".into(), line]);
    }
    split(&line).map_err(|reason| Error::command_needs_shell(&line, &reason))
}

/// Returns the line of a run: the requested one, behind the image's entry point if that is wanted; or,
/// if none was requested, what the image is made to run.
///
/// # Errors
/// When there is nothing to run, or no entry point.
pub(crate) fn line_to_run(
    line: Option<String>,
    with_entrypoint: bool,
    image: Option<&Process>,
) -> Result<String, Error> {
    let join = |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        join_words(&words)
    };
    let entrypoint = image.map_or_else(String::new, |image| join(&image.entrypoint));
    if with_entrypoint && entrypoint.is_empty() {
        let message = "with_entrypoint is given, and the environment has no entry point";
        return Err(Error::invalid(message).remedy("leave it out"));
    }
    let line = match line {
        Some(line) if with_entrypoint => format!("{entrypoint} {line}"),
        Some(line) => line,
        None => {
            let image = image.ok_or_else(Error::command_required)?;
            if image.entrypoint.is_empty() && image.cmd.is_empty() {
                let message = "the image does not say what to run, so a command is required";
                return Err(Error::no_command(message).remedy("give one after `--`"));
            }
            format!("{entrypoint} {}", join(&image.cmd))
                .trim()
                .to_owned()
        }
    };
    ShellCommand::from(line.as_str()).line()
}

/// Splits a line as a shell does, or returns why that takes a shell.
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    // The word that is being read; a quoted one may be empty.
    let mut word: Option<String> = None;
    let mut characters = line.trim_end_matches('\n').chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\\' => match characters.next() {
                Some('\n') => {}
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("a backslash is at its end".into()),
            },
            '\'' => single_quoted(&mut characters, word.get_or_insert_default())?,
            '"' => double_quoted(&mut characters, word.get_or_insert_default())?,
            '\n' => return Err("it has several lines".into()),
            '#' | '~' if word.is_none() => return Err(means_something(character)),
            '=' if words.is_empty() && word.as_deref().is_some_and(is_name) => {
                return Err("it begins with the value of a variable".into());
            }
            _ if SPECIAL.contains(character) => return Err(means_something(character)),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if words.is_empty() {
        return Err("it has no words".into());
    }
    Ok(words)
}

fn single_quoted(rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    for character in rest {
        if character == '\'' {
            return Ok(());
        }
        word.push(character);
    }
    Err("a quotation in it does not end".into())
}

fn double_quoted(rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    while let Some(character) = rest.next() {
        match character {
            '"' => return Ok(()),
            '$' | '`' => return Err(means_something(character)),
            '\\' => match rest.next() {
                Some('\n') => {}
                Some(next @ ('$' | '`' | '"' | '\\')) => word.push(next),
                Some(next) => word.extend(['\\', next]),
                None => break,
            },
            _ => word.push(character),
        }
    }
    Err("a quotation in it does not end".into())
}

fn means_something(character: char) -> String {
    format!("'{character}' has a meaning for a shell; in single quotes it has none")
}

/// Whether a text is the name of a variable.
fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_needs_a_shell_is_refused() {
        for line in [
            "a | b", "a; b", "a & b", "a > b", "$HOME", "a `b`", "\"$x\"", "*.c", "a?", "[a]",
            "# a", "~/a", "A=1 b", "a\nb", "'a", "\"a", "a\\", "", " ", "(a)",
        ] {
            assert!(split(line).is_err(), "{line}");
        }
        for (line, words) in [
            ("a  b\tc\n", vec!["a", "b", "c"]),
            ("a '' \"\"", vec!["a", "", ""]),
            (r#"a\ b "c\"d\e" 'f\'"#, vec!["a b", "c\"d\\e", "f\\"]),
            ("a x=1 b#c", vec!["a", "x=1", "b#c"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
    }

    proptest! {
        #[test]
        fn words_that_were_joined_are_the_same_again(words in prop::collection::vec(".*", 1..5)) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let line = join_words(&words);
            // Such a first word is a value for the shell, too.
            prop_assume!(!words[0].contains('='));
            // Their end is what a shell removes from a line.
            prop_assume!(!line.ends_with('\n'));
            prop_assert_eq!(split(&line).unwrap(), words);
        }

        #[test]
        fn a_line_that_is_accepted_has_the_words_that_a_shell_finds(line in "[a-c'\"\\\\ =#~$|\t]{0,12}") {
            let Ok(words) = split(&line) else { return Ok(()) };
            let script = format!("printf '%s\\0' {line}");
            let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
            let found = String::from_utf8(output.stdout).unwrap();
            let found: Vec<&str> = found.split_terminator('\0').collect();
            prop_assert_eq!(words, found);
        }
    }
}
