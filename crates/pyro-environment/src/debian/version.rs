//! The *version* of a package: which of two is newer.

use std::cmp::Ordering;

/// Compares versions without an epoch as dpkg does: text and numbers in turns, where letters come
/// before other characters, and `~` before everything, even the end.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    // Without a revision it is as if it were 0.
    let halves = |version| match str::rsplit_once(version, '-') {
        Some((upstream, revision)) => (upstream, revision),
        None => (version, "0"),
    };
    let ((a, a_revision), (b, b_revision)) = (halves(a), halves(b));
    compare_part(a, b).then_with(|| compare_part(a_revision, b_revision))
}

fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !(a.is_empty() && b.is_empty()) {
        let (a_text, a_rest) = split(a, |byte| !byte.is_ascii_digit());
        let (b_text, b_rest) = split(b, |byte| !byte.is_ascii_digit());
        let (a_number, a_rest) = split(a_rest, u8::is_ascii_digit);
        let (b_number, b_rest) = split(b_rest, u8::is_ascii_digit);
        let order = compare_text(a_text, b_text).then_with(|| compare_numbers(a_number, b_number));
        if order.is_ne() {
            return order;
        }
        (a, b) = (a_rest, b_rest);
    }
    Ordering::Equal
}

/// Splits what begins with bytes of a kind behind them.
fn split(text: &str, of_a_kind: impl Fn(&u8) -> bool) -> (&str, &str) {
    let length = text.bytes().take_while(|byte| of_a_kind(byte)).count();
    text.split_at(length)
}

fn compare_text(a: &str, b: &str) -> Ordering {
    let weight = |byte: Option<u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(letter),
        Some(other) => i32::from(other) + 256,
    };
    let length = a.len().max(b.len());
    let weights = |text: &str| -> Vec<i32> {
        (0..length)
            .map(|index| weight(text.as_bytes().get(index).copied()))
            .collect()
    };
    weights(a).cmp(&weights(b))
}

/// Compares numbers of any length.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        let ordered = [
            "6.1.99-1",
            "6.1.192-1",
            "6.1.192-2",
            "6.1.192-10",
            "6.12~rc1-1~exp1",
            "6.12.48-1~bpo12+1",
            "6.12.48-1",
            "6.12.48-1+b1",
            "6.12.48a-1",
            "6.12.48+deb13-1",
            "6.12.118-1",
        ];
        for (index, a) in ordered.iter().enumerate() {
            for (other, b) in ordered.iter().enumerate() {
                assert_eq!(compare(a, b), index.cmp(&other), "{a} and {b}");
            }
        }
        assert_eq!(compare("6.01-0", "6.1"), Ordering::Equal);
        assert_eq!(compare("", "1"), Ordering::Less);
        // What is no version is no reason to panic.
        assert_eq!(compare("\u{fc}", "\u{fc}"), Ordering::Equal);
    }
}
