//! The *labels* of a workspace, keys with values, and its name. Users choose both; pyro does not
//! interpret them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;
use crate::request::check_plain_name;

/// Labels in a request. The command line takes a list, other frontends an object.
pub(super) type Given = Option<Vec<(String, String)>>;

/// The schema of [`Given`].
pub(super) type Schema = Option<BTreeMap<String, String>>;

/// The maximum length of a name, and of a label's value.
const CHARACTERS: usize = 120;
/// The maximum number of labels of a workspace: every change rewrites the whole record.
const LABELS: usize = 64;

/// Parses a word of the command line, `KEY=VALUE`.
pub(super) fn parse(word: &str) -> Result<(String, String), String> {
    match word.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err("it must be KEY=VALUE".into()),
    }
}

/// Checks a name.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    if name.trim().is_empty() {
        return Err(Error::invalid("name must not be empty"));
    }
    check_line("name", name)
}

/// Checks labels. If two have the same key, the last counts.
pub(super) fn checked(given: Given) -> Result<BTreeMap<String, String>, Error> {
    let labels: BTreeMap<String, String> = given.unwrap_or_default().into_iter().collect();
    for (key, value) in &labels {
        check_key(key)?;
        check_line(&format!("the value of label '{key}'"), value)?;
    }
    check_count(&labels)?;
    Ok(labels)
}

/// Checks the key of a label.
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    check_plain_name("the key of a label", key)
}

/// Checks the number of labels.
pub(super) fn check_count(labels: &BTreeMap<String, String>) -> Result<(), Error> {
    if labels.len() > LABELS {
        let count = labels.len();
        return Err(Error::invalid(format!(
            "a workspace has {LABELS} labels at most; these are {count}"
        )));
    }
    Ok(())
}

fn check_line(what: &str, text: &str) -> Result<(), Error> {
    if text.contains(['\n', '\r']) {
        return Err(Error::invalid(format!("{what} must not have a line break")));
    }
    let length = text.chars().count();
    if length > CHARACTERS {
        return Err(Error::invalid(format!(
            "{what} has {length} characters; at most {CHARACTERS} are possible"
        )));
    }
    Ok(())
}

pub(super) fn serialize<S: Serializer>(given: &Given, serializer: S) -> Result<S::Ok, S::Error> {
    let pairs = given.as_ref().map(|given| given.iter().cloned());
    let labels: Schema = pairs.map(Iterator::collect);
    labels.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
    let labels = Schema::deserialize(deserializer)?;
    Ok(labels.map(|labels| labels.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, value: &str) -> Result<BTreeMap<String, String>, String> {
        checked(Some(vec![(key.into(), value.into())])).map_err(|error| error.message)
    }

    #[test]
    fn a_label_is_a_key_and_a_value_after_the_first_equals_sign() {
        assert_eq!(parse("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(parse("a="), Ok(("a".into(), String::new())));
        assert!(parse("a").is_err());
    }

    #[test]
    fn a_name_is_one_line_of_up_to_120_characters() {
        for fine in ["a", "Fix issue #7 \u{2713}", &"\u{e4}".repeat(120)] {
            assert_eq!(check_name(fine), Ok(()), "{fine}");
        }
        let message = |name: &str| check_name(name).unwrap_err().message;
        assert_eq!(message(""), "name must not be empty");
        assert_eq!(message(" "), "name must not be empty");
        assert_eq!(message("a\nb"), "name must not have a line break");
        assert_eq!(message("a\r"), "name must not have a line break");
        let long = message(&"x".repeat(121));
        assert_eq!(long, "name has 121 characters; at most 120 are possible");
    }

    #[test]
    fn keys_are_plain_and_values_are_lines() {
        assert!(check("issue.1_a-b", "").is_ok());
        assert!(check("a", &"\u{e4}".repeat(120)).is_ok());
        assert!(check("a", &"x".repeat(121)).is_err());
        let broken = check("a", "b\nc").unwrap_err();
        assert_eq!(broken, "the value of label 'a' must not have a line break");
        for key in ["", "-a", "a b", "a\x1b[2J", &"x".repeat(65)] {
            assert!(check(key, "").unwrap_err().contains("the key of a label"));
        }
    }

    #[test]
    fn the_last_of_one_key_counts_and_there_are_64_at_most() {
        let pair = |key: String| (key, String::from("v"));
        let many = |count: usize| Some((0..count).map(|key| pair(key.to_string())).collect());
        assert_eq!(checked(many(64)).unwrap().len(), 64);
        let message = checked(many(65)).unwrap_err().message;
        assert_eq!(message, "a workspace has 64 labels at most; these are 65");
        let twice = vec![("a".into(), "1".into()), ("a".into(), "2".into())];
        assert_eq!(checked(Some(twice)).unwrap()["a"], "2");
    }
}
