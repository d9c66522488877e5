//! A *challenge* is how a registry says which credentials it wants: the header `WWW-Authenticate`
//! (RFC 9110, section 11.6.1).

/// What a registry asks for.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token, which another server hands out.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// Finds the challenge that is best followed in the values of the headers: one for a token, or
    /// else one for a password.
    pub(crate) fn find<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let all: Vec<_> = headers.flat_map(parse).collect();
        let bearer = all.iter().find_map(|(scheme, parameters)| {
            let find = |name: &str| {
                let found = parameters
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.clone())
            };
            scheme.eq_ignore_ascii_case("bearer").then_some(())?;
            Some(Self::Bearer {
                realm: find("realm")?,
                service: find("service"),
                scope: find("scope"),
            })
        });
        let is_basic = |(scheme, _): &Parsed| scheme.eq_ignore_ascii_case("basic");
        bearer.or_else(|| all.iter().any(is_basic).then_some(Self::Basic))
    }
}

/// A scheme and its parameters.
type Parsed = (String, Vec<(String, String)>);

/// Reads one header, which may have several challenges.
fn parse(header: &str) -> Vec<Parsed> {
    let mut found: Vec<Parsed> = Vec::new();
    let mut rest = header.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let after = after.trim_start_matches([' ', '\t']);
        match (after.strip_prefix('='), found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, next) = read_value(value.trim_start_matches([' ', '\t']));
                parameters.push((word.to_owned(), value));
                rest = next;
            }
            // A parameter of nothing.
            (Some(value), None) => rest = read_value(value).1,
            (None, _) => {
                if !word.is_empty() {
                    found.push((word.to_owned(), Vec::new()));
                }
                rest = after;
            }
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    found
}

/// A value, with or without quotes, and what follows it.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: service.map(Into::into),
            scope: scope.map(Into::into),
        }
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        for (headers, challenge) in [
            (vec!["Basic realm=\"Registry\""], Some(Challenge::Basic)),
            (vec!["basic"], Some(Challenge::Basic)),
            (
                vec![
                    "Bearer realm=\"https://a/token\",service=\"a\",scope=\"repository:x:pull,push\"",
                ],
                Some(bearer(
                    "https://a/token",
                    Some("a"),
                    Some("repository:x:pull,push"),
                )),
            ),
            (
                vec!["Basic realm=\"x\", Bearer realm=\"https://a/\\\"t\", service=b"],
                Some(bearer("https://a/\"t", Some("b"), None)),
            ),
            (
                vec!["Basic", "BEARER Realm = \"r\""],
                Some(bearer("r", None, None)),
            ),
            (vec!["Bearer service=\"no realm\""], None),
            (vec!["Negotiate"], None),
            (vec!["=\"", "a=b", ""], None),
        ] {
            assert_eq!(
                Challenge::find(headers.clone().into_iter()),
                challenge,
                "{headers:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_text_is_read_to_its_end(text in "[ -~]{0,60}") {
            let _ = Challenge::find([text.as_str()].into_iter());
        }
    }
}
