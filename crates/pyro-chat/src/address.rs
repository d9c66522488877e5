//! The *address* of a model's server, as its user writes it.

use http::Uri;

use crate::Error;

/// The address of a server's chat completions.
pub(crate) fn completions(base_url: &str) -> Result<Uri, Error> {
    let wrong = |why| Error::Address {
        url: pyro_text::line(base_url),
        why,
    };
    // The part before an @ may be a password.
    if base_url.contains('@') {
        return Err(Error::Address {
            url: "…@…".into(),
            why: "it has a user name, which is not sent; a key is given otherwise",
        });
    }
    let url: Uri = base_url
        .trim()
        .parse()
        .map_err(|_| wrong("it cannot be read"))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it begins with neither http:// nor https://"));
    }
    if url.host().is_none_or(str::is_empty) {
        return Err(wrong("it names no host"));
    }
    let path = url.path().trim_end_matches('/');
    let query = url.query().map(|query| format!("?{query}"));
    let whole = format!("{path}/chat/completions{}", query.unwrap_or_default());
    let mut parts = url.into_parts();
    let whole = whole.parse().map_err(|_| wrong("it cannot be read"))?;
    parts.path_and_query = Some(whole);
    Uri::from_parts(parts).map_err(|_| wrong("it cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_added_to_whatever_there_is() {
        for (given, meant) in [
            (
                "http://localhost:11434/v1",
                "http://localhost:11434/v1/chat/completions",
            ),
            ("https://h", "https://h/chat/completions"),
            ("https://h/a/?b=c", "https://h/a/chat/completions?b=c"),
            ("http://[::1]:8/v1//", "http://[::1]:8/v1/chat/completions"),
        ] {
            assert_eq!(completions(given).unwrap().to_string(), meant);
        }
        for wrong in [
            "",
            "localhost:11434/v1",
            "ftp://h",
            "http://",
            "http:///v1",
            "a b",
        ] {
            let error = completions(wrong).unwrap_err();
            assert_eq!(error.code(), "model_address_invalid", "{wrong}");
        }
        let secret = completions("http://me:secret@h/v1").unwrap_err();
        assert!(!secret.to_string().contains("secret"), "{secret}");
    }
}
