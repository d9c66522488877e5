//! What a pull does about one path, by what is there on its three sides.

use super::node::Node;
use super::plan::Reason;

/// What to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    /// Nothing: the host has it, or only the host has changed it.
    Keep,
    /// Make the host's what this is, with the workspace's content if it is a file.
    Take(Node),
    /// Give the host's file or directory these permissions.
    SetMode(u32),
    /// Both have changed the content of a file: merge it, and give it these permissions.
    Merge(u32),
    /// Both have changed it, or it cannot be changed on the host.
    Conflict(Reason),
}

/// Decides by what the path was at first, and what it is in the workspace and on the host.
pub(crate) fn decide(base: &Node, workspace: &Node, host: &Node) -> Decision {
    use Decision::{Conflict, Keep, Merge, SetMode, Take};
    if workspace == host {
        return Keep;
    }
    match (base, workspace, host) {
        (_, _, Node::Other) => Conflict(Reason::DeviceHere),
        (_, Node::Other, _) => Keep,
        _ if host == base => Take(workspace.clone()),
        (
            base,
            Node::File {
                sha256: theirs,
                mode: their_mode,
            },
            Node::File {
                sha256: ours,
                mode: our_mode,
            },
        ) => {
            let (first, first_mode) = match base {
                Node::File { sha256, mode } => (Some(sha256), Some(*mode)),
                _ => (None, None),
            };
            let Some(mode) = one_of(first_mode.as_ref(), their_mode, our_mode) else {
                return Conflict(Reason::BothModes);
            };
            match one_of(first, theirs, ours) {
                None => Merge(*mode),
                Some(content) if content == ours && mode == our_mode => Keep,
                Some(content) if content == ours => SetMode(*mode),
                Some(content) => Take(Node::File {
                    sha256: *content,
                    mode: *mode,
                }),
            }
        }
        (base, Node::Directory { mode: theirs }, Node::Directory { mode: ours }) => {
            let first = match base {
                Node::Directory { mode } => Some(mode),
                // Both have made it: what is in it counts.
                _ => Some(theirs),
            };
            match one_of(first, theirs, ours) {
                None => Conflict(Reason::BothModes),
                Some(mode) if mode == ours => Keep,
                Some(mode) => SetMode(*mode),
            }
        }
        // What is in it was deleted, or is a conflict of its own.
        (Node::Directory { .. }, Node::Absent, Node::Directory { .. }) => Take(Node::Absent),
        (Node::Directory { .. }, Node::Directory { .. }, Node::Absent) => Keep,
        (_, Node::Absent, _) => Conflict(Reason::DeletedThere),
        (_, _, Node::Absent) => Conflict(Reason::DeletedHere),
        (Node::Absent, ..) => Conflict(Reason::BothMade),
        _ => Conflict(Reason::ChangedByBoth),
    }
}

/// Returns the only change, or what both have changed it to.
fn one_of<'a, T: PartialEq>(base: Option<&T>, theirs: &'a T, ours: &'a T) -> Option<&'a T> {
    if theirs == ours || base == Some(theirs) {
        return Some(ours);
    }
    (base == Some(ours)).then_some(theirs)
}

#[cfg(test)]
mod tests {
    use super::super::node::Sum;
    use super::Decision::{Conflict, Keep, Merge, SetMode, Take};
    use super::*;

    fn file(content: &str, mode: u32) -> Node {
        let mut sha256 = Sum::default();
        sha256.0[0] = content.as_bytes()[0];
        Node::File { sha256, mode }
    }

    #[test]
    fn one_sided_changes_are_taken_and_others_are_conflicts() {
        let link = |target: &str| Node::Symlink {
            target: target.into(),
        };
        let directory = |mode| Node::Directory { mode };
        let absent = Node::Absent;
        let [a, b, c] = ["a", "b", "c"].map(|content| file(content, 0o644));
        let executable = |content| file(content, 0o755);
        let conflict = Conflict(Reason::ChangedByBoth);
        let table = [
            // The base, the workspace, the host, and what is done.
            (&a, &b, &a, Take(b.clone())),
            (&a, &b, &b, Keep),
            (&a, &b, &c, Merge(0o644)),
            (&a, &absent, &a, Take(absent.clone())),
            (&a, &absent, &absent, Keep),
            (&a, &absent, &b, conflict.clone()),
            (&a, &b, &absent, conflict.clone()),
            (&absent, &a, &absent, Take(a.clone())),
            (&absent, &a, &a, Keep),
            (&absent, &a, &b, Merge(0o644)),
            (&a, &executable("a"), &a, Take(executable("a"))),
            (&a, &executable("a"), &b, SetMode(0o755)),
            (&a, &b, &executable("a"), Take(executable("b"))),
            (&a, &executable("b"), &c, Merge(0o755)),
            (&a, &executable("b"), &file("a", 0o600), conflict.clone()),
            (&a, &link("x"), &a, Take(link("x"))),
            (&a, &link("x"), &b, conflict.clone()),
            (&link("x"), &link("y"), &link("x"), Take(link("y"))),
            (&link("x"), &link("y"), &link("z"), conflict.clone()),
            (&absent, &directory(0o755), &absent, Take(directory(0o755))),
            (&absent, &directory(0o755), &directory(0o700), Keep),
            (
                &directory(0o755),
                &directory(0o700),
                &directory(0o755),
                Take(directory(0o700)),
            ),
            (
                &directory(0o755),
                &directory(0o700),
                &directory(0o711),
                conflict.clone(),
            ),
            (
                &directory(0o755),
                &absent,
                &directory(0o700),
                Take(absent.clone()),
            ),
            (&directory(0o755), &directory(0o700), &absent, Keep),
            (&directory(0o755), &a, &directory(0o755), Take(a.clone())),
            (&a, &directory(0o755), &b, conflict.clone()),
            (&absent, &directory(0o755), &a, conflict.clone()),
            (&absent, &Node::Other, &absent, Keep),
            (&absent, &a, &Node::Other, conflict),
        ];
        for (base, workspace, host, expected) in table {
            let found = decide(base, workspace, host);
            let is_right = match (&found, &expected) {
                (Conflict(_), Conflict(_)) => true,
                _ => found == expected,
            };
            assert!(is_right, "{base:?} {workspace:?} {host:?}: {found:?}");
        }
    }
}
