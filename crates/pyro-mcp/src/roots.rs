//! *Roots* are the directories that a client works in. Newer versions of the protocol do not have
//! them; today's hosts use versions that do.

#![expect(deprecated, reason = "clients of older protocol versions have roots")]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use rmcp::{Peer, RoleServer};

/// How long a client may take to return its roots.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks a client for its roots; those on other machines are left out.
pub(crate) async fn of(client: &Peer<RoleServer>) -> Vec<PathBuf> {
    let listed = match tokio::time::timeout(LIMIT, client.list_roots()).await {
        Ok(Ok(listed)) => listed.roots,
        Ok(Err(error)) => {
            tracing::debug!(%error, "the client does not say what its roots are");
            Vec::new()
        }
        Err(_) => Vec::new(),
    };
    let paths = listed.iter().filter_map(|root| local_path(&root.uri));
    paths.collect()
}

/// The path in a `file:` URI of this machine.
fn local_path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    let mut bytes = Vec::new();
    let mut left = rest.as_bytes();
    while let [first, after @ ..] = left {
        left = after;
        bytes.push(match (first, after) {
            (b'%', [high, low, rest @ ..]) => {
                left = rest;
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                u8::from_str_radix(digits, 16).ok()?
            }
            _ => *first,
        });
    }
    Some(PathBuf::from(OsString::from_vec(bytes))).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_paths_of_this_machine() {
        let path = |uri| local_path(uri).map(|path| path.to_string_lossy().into_owned());
        assert_eq!(
            path("file:///a/b%20c%C3%A4").as_deref(),
            Some("/a/b c\u{e4}")
        );
        assert_eq!(path("file://localhost/a").as_deref(), Some("/a"));
        for foreign in [
            "file://elsewhere/a",
            "https://a/b",
            "file:///a%zz",
            "a",
            "file://",
        ] {
            assert_eq!(path(foreign), None, "{foreign}");
        }
    }
}
