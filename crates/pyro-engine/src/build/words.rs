//! The *words* of a Dockerfile: variables are put in and quotes taken away, as its reference
//! describes under "Environment replacement".

use std::iter::Peekable;
use std::str::Chars;

/// What variables stand for.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Puts variables into a text, and takes quotes and backslashes away.
///
/// # Errors
/// What is wrong with the text, in a few words.
pub(super) fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let mut chars = text.chars().peekable();
    part(&mut chars, None, true, lookup)
}

/// Puts variables into a here-document, where quotes are ordinary characters.
pub(super) fn expand_document(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let mut chars = text.chars().peekable();
    part(&mut chars, None, false, lookup)
}

/// Reads to the end of the text, or past `end`.
fn part(
    chars: &mut Peekable<Chars<'_>>,
    end: Option<char>,
    quotes: bool,
    lookup: Lookup<'_>,
) -> Result<String, String> {
    let mut output = String::new();
    let mut is_quoted = false;
    while let Some(next) = chars.next() {
        match next {
            _ if Some(next) == end && !is_quoted => return Ok(output),
            '\'' if quotes && !is_quoted => loop {
                match chars.next() {
                    Some('\'') => break,
                    Some(inner) => output.push(inner),
                    None => return Err("a single quote has no end".into()),
                }
            },
            '"' if quotes => is_quoted = !is_quoted,
            '\\' => match chars.next() {
                Some(escaped @ ('$' | '\\')) => output.push(escaped),
                Some('"') if quotes => output.push('"'),
                // Outside of quotes a backslash stands for the character after it.
                Some(escaped) if quotes && !is_quoted => output.push(escaped),
                Some(other) => output.extend(['\\', other]),
                None => output.push('\\'),
            },
            '$' => variable(chars, &mut output, lookup)?,
            _ => output.push(next),
        }
    }
    match (is_quoted, end) {
        (true, _) => Err("a double quote has no end".into()),
        (false, Some(end)) => Err(format!("a '{end}' is missing")),
        (false, None) => Ok(output),
    }
}

/// Reads what follows a `$`.
fn variable(
    chars: &mut Peekable<Chars<'_>>,
    output: &mut String,
    lookup: Lookup<'_>,
) -> Result<(), String> {
    if chars.next_if_eq(&'{').is_none() {
        let name = name(chars);
        if name.is_empty() {
            output.push('$');
        } else {
            output.push_str(&lookup(&name).unwrap_or_default());
        }
        return Ok(());
    }
    let name = name(chars);
    if name.is_empty() {
        return Err("a name is missing after '${'".into());
    }
    let value = lookup(&name);
    // With a colon, an empty value is none.
    let (value, operator) = match chars.next() {
        Some('}') => {
            output.push_str(&value.unwrap_or_default());
            return Ok(());
        }
        Some(':') => (value.filter(|value| !value.is_empty()), chars.next()),
        operator => (value, operator),
    };
    let word = |chars: &mut _| part(chars, Some('}'), true, lookup);
    match operator {
        Some('-') => {
            let default = word(chars)?;
            output.push_str(&value.unwrap_or(default));
        }
        Some('+') => {
            let alternative = word(chars)?;
            if value.is_some() {
                output.push_str(&alternative);
            }
        }
        Some('?') => {
            let message = word(chars)?;
            let missing = || format!("the variable {name} is not set: {message}");
            output.push_str(&value.ok_or_else(missing)?);
        }
        _ => return Err(format!("'${{{name}…' has an operator that is not known")),
    }
    Ok(())
}

fn name(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(next) = chars.next_if(|next| {
        next.is_ascii_alphabetic() || *next == '_' || (!name.is_empty() && next.is_ascii_digit())
    }) {
        name.push(next);
    }
    name
}

/// Splits `NAME=VALUE` words, which may have quotes. The old form `NAME VALUE` has one pair, whose
/// value is all that follows. Values still have their quotes and variables.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let words = split(text)?;
    match words.first() {
        Some(first) if !first.contains('=') => {
            let rest = text.trim_start().strip_prefix(first.as_str());
            let rest = rest.unwrap_or_default().trim();
            if rest.is_empty() {
                return Err(format!("'{first}' has no value"));
            }
            Ok(vec![(first.clone(), rest.to_owned())])
        }
        _ => words
            .iter()
            .map(|word| {
                let pair = word.split_once('=').filter(|(name, _)| !name.is_empty());
                let pair = pair.ok_or_else(|| format!("'{word}' must be NAME=VALUE"))?;
                Ok((pair.0.to_owned(), pair.1.to_owned()))
            })
            .collect(),
    }
}

/// Splits a text at spaces that are not quoted. Quotes stay.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match (next, quote) {
            ('\\', None | Some('"')) => {
                word.push(next);
                word.extend(chars.next());
                continue;
            }
            ('"' | '\'', None) => quote = Some(next),
            (_, Some(open)) if open == next => quote = None,
            (space, None) if space.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(next);
    }
    if let Some(quote) = quote {
        return Err(format!("a {quote} has no end"));
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "A" => Some("one".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_put_in_as_the_reference_says() {
        for (text, expected) in [
            ("$A/${A}x", "one/onex"),
            ("${NONE:-$A}", "one"),
            ("${EMPTY:-default}|${EMPTY-default}", "default|"),
            ("${A:+yes}${NONE:+no}", "yes"),
            (r"\$A '$A' \'", "$A $A '"),
            (r#""$A \"x\" \n""#, r#"one "x" \n"#),
            ("a$ $1 $", "a$ $1 $"),
            (r"c\ d", "c d"),
            ("${A?needed}", "one"),
            ("\"}\"${A:-\"}\"}", "}one"),
        ] {
            assert_eq!(expand(text, &lookup).as_deref(), Ok(expected), "{text}");
        }
        for text in ["'open", "\"open", "${A", "${}", "${A#x}", "${NONE?gone}"] {
            assert!(expand(text, &lookup).is_err(), "{text}");
        }
        let document = expand_document("\"$A\" 'x' \\$A \\n", &lookup);
        assert_eq!(document.as_deref(), Ok("\"one\" 'x' $A \\n"));
    }

    #[test]
    fn pairs_have_quotes_or_are_of_the_old_form() {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(pair).collect()
        };
        for (text, expected) in [
            (
                r#"A=1 B="x y"  C=c\ d"#,
                own(&[("A", "1"), ("B", r#""x y""#), ("C", r"c\ d")]),
            ),
            ("OLD some value", own(&[("OLD", "some value")])),
            ("E=", own(&[("E", "")])),
        ] {
            assert_eq!(pairs(text), Ok(expected), "{text}");
        }
        for text in ["OLD", "A=1 B", "=x", "A='"] {
            assert!(pairs(text).is_err(), "{text}");
        }
    }
}
