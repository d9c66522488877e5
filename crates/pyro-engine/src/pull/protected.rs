//! Paths that a pull touches only if they are named: what git runs or obeys on the host.

use super::node::Node;
use super::plan::Reason;
use super::transaction::PARTIAL;

/// What git keeps in `.git` that neither runs nor says what runs.
const HARMLESS: [&[u8]; 12] = [
    b"HEAD",
    b"COMMIT_EDITMSG",
    b"FETCH_HEAD",
    b"MERGE_HEAD",
    b"MERGE_MSG",
    b"ORIG_HEAD",
    b"index",
    b"logs",
    b"objects",
    b"packed-refs",
    b"refs",
    b"shallow",
];

/// The paths that a caller names.
#[derive(Clone, Debug, Default)]
pub(super) struct Named(pub(super) Vec<Vec<u8>>);

impl Named {
    /// Whether a path is to be pulled.
    pub(super) fn wants(&self, path: &[u8]) -> bool {
        self.0.is_empty() || self.0.iter().any(|named| is_at_or_below(path, named))
    }

    /// Whether a path, or a directory of git's that it is in, was named.
    fn has(&self, path: &[u8]) -> bool {
        let mut named = self.0.iter();
        named.any(|named| git_part(named).is_some() && is_at_or_below(path, named))
    }
}

fn is_at_or_below(path: &[u8], top: &[u8]) -> bool {
    let rest = path.strip_prefix(top);
    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// Returns why a path is not touched, if it is not.
pub(super) fn reason(path: &[u8], workspace: &Node, named: &Named) -> Option<Reason> {
    if path
        .split(|byte| *byte == b'/')
        .any(|part| part.starts_with(PARTIAL.as_bytes()))
    {
        return Some(Reason::Unfinished);
    }
    let rest = git_part(path)?;
    let is_link = matches!(workspace, Node::Symlink { .. });
    let is_harmless = match rest.split(|byte| *byte == b'/').next() {
        // The directory itself.
        None | Some(b"") => matches!(workspace, Node::Directory { .. }),
        Some(first) => HARMLESS.contains(&first) && !is_link,
    };
    (!is_harmless && !named.has(path)).then_some(Reason::Git)
}

/// Returns the part of a path below a directory of git's, if it is in one.
fn git_part(path: &[u8]) -> Option<&[u8]> {
    let mut rest = path;
    loop {
        let (part, after) = match rest.iter().position(|byte| *byte == b'/') {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        if part.eq_ignore_ascii_case(b".git") {
            return Some(after);
        }
        if after.is_empty() {
            return None;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::Sum;
    use super::*;

    #[test]
    fn what_git_obeys_must_be_named() {
        let file = Node::File {
            sha256: Sum::default(),
            mode: 0o644,
        };
        let link = Node::Symlink { target: "x".into() };
        let directory = Node::Directory { mode: 0o755 };
        let named = Named(vec![b"src".to_vec(), b"sub/.git/hooks".to_vec()]);
        let is_touched = |path: &str, node: &Node| reason(path.as_bytes(), node, &named).is_none();
        for path in [
            "a",
            "src/b",
            ".gitignore",
            ".github/c",
            "x.git/d",
            ".git/HEAD",
            ".git/refs/heads/main",
        ] {
            assert!(is_touched(path, &file), "{path}");
        }
        assert!(is_touched(".git", &directory) && is_touched("sub/.git/hooks/x", &file));
        for path in [
            ".git",
            ".git/config",
            ".git/hooks/post-checkout",
            ".git/commondir",
            ".git/info/attributes",
            ".GIT/config",
            "deep/.git/config",
            ".git/modules/x/config",
            "sub/.git/config",
            "src/.git/hooks/x",
            "a/.pyro-partial-1/b",
        ] {
            assert!(!is_touched(path, &file), "{path}");
        }
        assert!(!is_touched(".git/refs", &link) && !is_touched(".git", &link));
    }
}
