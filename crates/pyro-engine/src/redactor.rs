//! A *redactor* removes secrets from output, even if a secret is split between two pieces of output.
//! It finds the plain value and its common encodings: Base64, percent-encoding, JSON escapes.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The replacement for a secret.
const REDACTED: &[u8] = b"[REDACTED]";
/// Encoded forms with fewer characters are not removed: they would be found in unrelated text.
const SHORTEST_ENCODED: usize = 6;
/// How many characters of a secret may be shown before it is known to be one, and what part of it at
/// most: too little to tell anything of a secret that deserves the name.
const MOST_PREVIEWED: usize = 2;
const PREVIEWED_SHARE: usize = 4;

/// All forms of all secrets of a VM.
#[derive(Clone, Default)]
pub(crate) struct Forms {
    /// The longest first.
    forms: Vec<Vec<u8>>,
    /// Whether a form begins with this byte.
    begins: Vec<bool>,
}

impl Forms {
    /// Returns all forms of the secrets with these values.
    pub(crate) fn of(secrets: &BTreeMap<String, String>) -> Self {
        let mut forms: Vec<Vec<u8>> = Vec::new();
        for value in secrets.values().filter(|value| !value.is_empty()) {
            // A file's final newline is often not printed, and is not secret.
            let line = match value.trim_end_matches(['\r', '\n']) {
                "" => value,
                line => line,
            };
            forms.push(line.as_bytes().to_vec());
            let encoded = encodings(value).into_iter().chain(encodings(line));
            forms.extend(encoded.filter(|form| form.len() >= SHORTEST_ENCODED));
        }
        forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        forms.dedup();
        let mut begins = vec![false; 256];
        for form in &forms {
            begins[usize::from(form[0])] = true;
        }
        Self { forms, begins }
    }

    fn are_none(&self) -> bool {
        self.forms.is_empty()
    }

    /// What the text begins with.
    fn look(&self, text: &[u8]) -> Found {
        if !self.begins[usize::from(text[0])] {
            return Found::Nothing;
        }
        for form in &self.forms {
            if text.starts_with(form) {
                return Found::Whole(form.len());
            }
            if form.starts_with(text) {
                return Found::Part;
            }
        }
        Found::Nothing
    }

    /// Removes all secrets from a whole text.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.are_none() {
            return text.to_owned();
        }
        let mut redactor = Redactor::new(Arc::new(self.clone()));
        let mut redacted = redactor.pass(text.as_bytes());
        redacted.extend(redactor.finish());
        String::from_utf8_lossy(&redacted).into_owned()
    }
}

enum Found {
    Nothing,
    /// A form of this length.
    Whole(usize),
    /// The text is an incomplete form.
    Part,
}

/// The other forms of a value.
fn encodings(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let mut forms = Vec::new();
    // Base64 has one character for every 6 bits: the encoding of a value depends on the number of
    // bytes before it. Characters that also depend on neighbouring bytes are left out.
    for before in 0..3 {
        let shifted = [vec![0; before], bytes.to_vec()].concat();
        let first = (before * 8).div_ceil(6);
        let last = shifted.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&shifted);
            forms.extend(encoded.as_bytes().get(first..last).map(<[u8]>::to_vec));
        }
    }
    for (upper, form) in [(true, true), (true, false), (false, true), (false, false)] {
        forms.push(percent_encoded(bytes, upper, form).into_bytes());
    }
    if let Ok(json) = serde_json::to_string(value) {
        forms.push(json.as_bytes()[1..json.len() - 1].to_vec());
    }
    forms.retain(|form| form != bytes);
    forms
}

/// Percent-encodes a value, with upper-case or lower-case digits, and with `+` or `%20` for a
/// space.
fn percent_encoded(bytes: &[u8], upper: bool, form: bool) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            b' ' if form => text.push('+'),
            _ if upper => {
                let _ = write!(text, "%{byte:02X}");
            }
            _ => {
                let _ = write!(text, "%{byte:02x}");
            }
        }
    }
    text
}

/// Removes secrets from one output.
#[derive(Debug)]
pub(crate) struct Redactor {
    forms: Arc<Forms>,
    /// Held-back bytes that may be the beginning of a secret.
    held: Vec<u8>,
    /// How much of that was passed on all the same.
    previewed: usize,
}

impl Redactor {
    pub(crate) fn new(forms: Arc<Forms>) -> Self {
        Self {
            forms,
            held: Vec::new(),
            previewed: 0,
        }
    }

    /// Takes the next piece of output and returns what can be passed on. Bytes that may be the
    /// beginning of a secret are held back until more output arrives.
    pub(crate) fn pass(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.forms.are_none() {
            return piece.to_vec();
        }
        let mut text = std::mem::take(&mut self.held);
        let previewed = std::mem::take(&mut self.previewed);
        text.extend_from_slice(piece);
        let mut passed = Vec::with_capacity(text.len());
        let mut place = 0;
        while place < text.len() {
            match self.forms.look(&text[place..]) {
                Found::Nothing => {
                    passed.extend(text.get(place).filter(|_| place >= previewed));
                    place += 1;
                }
                Found::Whole(length) => {
                    passed.extend_from_slice(REDACTED);
                    place += length;
                }
                Found::Part => {
                    self.held = text.split_off(place);
                    self.previewed = previewed.saturating_sub(place);
                    break;
                }
            }
        }
        passed
    }

    /// Whether something is kept back.
    pub(crate) fn keeps_back(&self) -> bool {
        self.held.len() > self.previewed
    }

    /// Returns what is kept back, if that is only a little of a secret; the rest of it is removed all the
    /// same.
    pub(crate) fn preview(&mut self) -> Vec<u8> {
        let forms = self.forms.forms.iter();
        let possible = forms.filter(|form| form.starts_with(&self.held));
        let shortest = possible.map(Vec::len).min().unwrap_or(0);
        if self.held.len() > MOST_PREVIEWED.min(shortest / PREVIEWED_SHARE) {
            return Vec::new();
        }
        let little = self.held[self.previewed..].to_vec();
        self.previewed = self.held.len();
        little
    }

    /// Returns what was kept back: no more comes.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let previewed = std::mem::take(&mut self.previewed);
        let mut passed = Vec::new();
        let mut place = 0;
        while place < held.len() {
            // A shorter secret may stand where a longer one seemed to begin.
            let mut forms = self.forms.forms.iter();
            if let Some(form) = forms.find(|form| held[place..].starts_with(form)) {
                passed.extend_from_slice(REDACTED);
                place += form.len();
            } else {
                passed.extend(held.get(place).filter(|_| place >= previewed));
                place += 1;
            }
        }
        passed
    }
}

impl fmt::Debug for Forms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Forms").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn forms(values: &[&str]) -> Arc<Forms> {
        let named = values.iter().enumerate();
        let named = named.map(|(index, value)| (index.to_string(), (*value).to_owned()));
        Arc::new(Forms::of(&named.collect()))
    }

    fn redacted(forms: &Arc<Forms>, pieces: &[&[u8]]) -> String {
        let mut redactor = Redactor::new(Arc::clone(forms));
        let mut all: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| redactor.pass(piece))
            .collect();
        all.extend(redactor.finish());
        String::from_utf8_lossy(&all).into_owned()
    }

    #[test]
    fn secrets_are_removed_wherever_the_output_was_cut() {
        let forms = forms(&["hunter2", "hunter22-long"]);
        for (text, expected) in [
            ("a hunter2 b", "a [REDACTED] b"),
            ("hunter2hunter2", "[REDACTED][REDACTED]"),
            ("hunter22-long", "[REDACTED]"),
            ("hunter22-lon", "[REDACTED]2-lon"),
            ("hunterhunter2", "hunter[REDACTED]"),
            ("hunter", "hunter"),
            ("", ""),
        ] {
            let bytes = text.as_bytes();
            assert_eq!(redacted(&forms, &[bytes]), expected, "{text}");
            for cut in 0..=bytes.len() {
                let (one, other) = bytes.split_at(cut);
                assert_eq!(redacted(&forms, &[one, other]), expected, "{text} at {cut}");
            }
            let each: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(redacted(&forms, &each), expected, "{text} byte by byte");
        }
    }

    #[test]
    fn encoded_forms_are_removed() {
        let value = "p\u{e4}ss w\"rd/+?1234";
        let forms = forms(&[value]);
        let leaks = |text: &str| {
            let redacted = redacted(&forms, &[text.as_bytes()]);
            assert!(redacted.contains("[REDACTED]"), "{text} -> {redacted}");
        };
        for before in ["", "u", "us", "user:", "four"] {
            for after in ["", "x", "xy", "\n"] {
                let text = format!("{before}{value}{after}");
                leaks(&base64::engine::general_purpose::STANDARD.encode(&text));
                leaks(&base64::engine::general_purpose::URL_SAFE.encode(&text));
            }
        }
        leaks("q=p%C3%A4ss%20w%22rd%2F%2B%3F1234&x");
        leaks("q=p%c3%a4ss+w%22rd%2f%2b%3f1234&x");
        leaks("{\"a\":\"p\u{e4}ss w\\\"rd/+?1234\"}");
    }

    #[test]
    fn a_line_break_at_the_end_is_no_part_of_the_secret() {
        let forms = forms(&["token-1\n"]);
        assert_eq!(redacted(&forms, &[b"x token-1 y"]), "x [REDACTED] y");
        assert_eq!(
            redacted(&forms, &[b"token-1\nmore\n"]),
            "[REDACTED]\nmore\n"
        );
    }

    #[test]
    fn without_secrets_nothing_is_changed() {
        assert_eq!(redacted(&forms(&[]), &[b"any", b"thing"]), "anything");
        assert_eq!(forms(&["x1"]).redact("ax1b"), "a[REDACTED]b");
    }

    #[test]
    fn little_of_a_secret_is_shown_before_it_is_known_to_be_one() {
        for (value, shown) in [
            ("abc", 0),
            ("abcd", 1),
            ("abcdefg", 1),
            ("abcdefgh", 2),
            ("abcdefghijklmnop", 2),
        ] {
            let mut redactor = Redactor::new(forms(&[value]));
            let mut all = Vec::new();
            for byte in value.as_bytes() {
                all.extend(redactor.pass(&[*byte]));
                all.extend(redactor.preview());
            }
            let expected = [&value.as_bytes()[..shown], REDACTED].concat();
            assert_eq!(all, expected, "{value}");
            assert!(!redactor.keeps_back());
        }
        // What is none is shown once.
        let mut redactor = Redactor::new(forms(&["abcdefgh"]));
        let mut all = redactor.pass(b"xa");
        all.extend(redactor.preview());
        all.extend(redactor.preview());
        all.extend(redactor.pass(b"bab"));
        all.extend(redactor.preview());
        all.extend(redactor.finish());
        assert_eq!(all, b"xabab");
    }

    proptest! {
        #[test]
        fn no_preview_tells_a_secret_or_shows_anything_twice(
            text in "[ab]{0,60}",
            values in proptest::collection::vec("[ab]{2,12}", 1..4),
            cuts in proptest::collection::vec(1usize..6, 0..20),
        ) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let forms = forms(&values);
            let mut redactor = Redactor::new(Arc::clone(&forms));
            let mut rest = text.as_bytes();
            let mut all = Vec::new();
            for cut in cuts.into_iter().chain([text.len()]) {
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                all.extend(redactor.pass(piece));
                all.extend(redactor.preview());
                rest = more;
            }
            all.extend(redactor.finish());
            let all = String::from_utf8(all).unwrap();
            for value in &values {
                prop_assert!(!all.replace("[REDACTED]", "\n").contains(value));
            }
            // Beside the previews, it is what is kept without any.
            let mut previewed = all.split("[REDACTED]");
            let without = redacted(&forms, &[text.as_bytes()]);
            let parts: Vec<&str> = without.split("[REDACTED]").collect();
            for part in &parts {
                let shown = previewed.next().unwrap();
                let more = shown.strip_prefix(part).map(str::len);
                prop_assert!(more.is_some_and(|more| more <= MOST_PREVIEWED), "{} {}", shown, part);
            }
            prop_assert_eq!(previewed.next(), None);
        }

        #[test]
        fn the_cuts_do_not_matter(
            text in "[ab]{0,40}",
            values in proptest::collection::vec("[ab]{2,5}", 1..4),
            cuts in proptest::collection::vec(1usize..6, 0..20),
        ) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let forms = forms(&values);
            let whole = redacted(&forms, &[text.as_bytes()]);
            for value in &values {
                prop_assert!(!whole.replace("[REDACTED]", "\n").contains(value));
            }
            let mut rest = text.as_bytes();
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = more;
            }
            pieces.push(rest);
            prop_assert_eq!(redacted(&forms, &pieces), whole);
        }
    }
}
