//! *Text* that somebody else chose (a guest, an archive, QEMU) is made fit to be shown here, before
//! it becomes part of an error, a record or a line on a terminal: a terminal obeys control
//! characters, and direction marks have a reader see another order than there is.
//!
//! The words are in `docs/glossary.md`.

use std::borrow::Cow;

/// Characters of a text that are shown where there is no reason for more.
pub const SHOWN_CHARACTERS: usize = 400;

/// Makes a text fit for a single line: escapes what a terminal would obey, line ends included, and
/// keeps [`SHOWN_CHARACTERS`] of it.
pub fn line(text: &str) -> String {
    shown(text, SHOWN_CHARACTERS, |_| false)
}

/// Makes a text of many lines fit to be shown: escapes what a terminal would obey but line ends
/// and tabs, and keeps `limit` characters of it.
pub fn lines(text: &str, limit: usize) -> String {
    shown(text, limit, |character| matches!(character, '\n' | '\t'))
}

/// Makes a name fit for a single line, whole.
pub fn name(bytes: &[u8]) -> String {
    shown(&String::from_utf8_lossy(bytes), usize::MAX, |_| false)
}

/// Escapes in a text what a terminal would obey, but line ends and tabs; it stays as long as it
/// is.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text
        .chars()
        .all(|c| matches!(c, '\n' | '\t') || !is_obeyed(c))
    {
        return text.into();
    }
    lines(text, usize::MAX).into()
}

fn shown(text: &str, limit: usize, keep: impl Fn(char) -> bool) -> String {
    let mut shown = String::new();
    for character in text.chars().take(limit) {
        if is_obeyed(character) && !keep(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    let more = text.chars().skip(limit).count();
    if more > 0 {
        shown.extend(["… (", &more.to_string(), " characters more)"]);
    }
    shown
}

/// Whether a terminal does not show the character, but does something because of it: controls
/// (C0, DEL and C1), marks and overrides of the writing direction, line and paragraph separators,
/// and characters of no width.
pub fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(line("a\x1b[2J\nb\u{202e}c"), "a\\u{1b}[2J\\nb\\u{202e}c");
        assert_eq!(lines("a\x07\nb\tc\r", 100), "a\\u{7}\nb\tc\\r");
        assert_eq!(name(b"\xff\x9b"), "\u{fffd}\u{fffd}");
        assert_eq!(escaped("plain\ntext\t\u{e4}"), "plain\ntext\t\u{e4}");
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        let cut = line(&"x".repeat(170_000));
        assert!(cut.ends_with("xx… (169600 characters more)"), "{cut}");
        assert!(cut.len() < 450);
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_a_terminal_obeys(text in ".{0,50}|\\PC{0,50}|[\\x00-\\u{2070}]{0,50}") {
            prop_assert!(!line(&text).chars().any(is_obeyed));
            let many = lines(&text, 30);
            prop_assert!(!many.chars().any(|c| is_obeyed(c) && c != '\n' && c != '\t'));
            // An escape is ten characters at most.
            prop_assert!(many.chars().count() <= 30 * 10 + 40);
            if !text.chars().any(is_obeyed) {
                prop_assert_eq!(&line(&text), &text);
            }
            prop_assert_eq!(escaped(&text), lines(&text, usize::MAX));
        }
    }
}
