//! The *steps* of a plan, in an order in which each finds what it needs.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;

use pyro_machine::octets;

use super::node::Node;
use super::plan::Planned;
use super::transaction::Step;

/// The permissions of a directory that must be there for something in it.
const DIRECTORY_MODE: u32 = 0o755;
/// What its user needs to work in a directory.
const USABLE: u32 = 0o700;

/// Returns the steps that carry out a plan.
pub(super) fn of(plan: &[Planned], target: BorrowedFd<'_>) -> io::Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut parents = BTreeSet::new();
    for planned in plan {
        let Some(change) = &planned.change else {
            continue;
        };
        let new = &change.new;
        let step = |old: &Node, new: &Node| Step {
            path: planned.path.clone(),
            old: old.clone(),
            new: new.clone(),
            content: change.content.filter(|_| matches!(new, Node::File { .. })),
        };
        let is_directory = |node: &Node| matches!(node, Node::Directory { .. });
        let mut old = &change.old;
        if *old != Node::Absent && *new != Node::Absent && is_directory(old) != is_directory(new) {
            steps.push(step(old, &Node::Absent));
            old = &Node::Absent;
        }
        match new {
            Node::Directory { mode } if *old == Node::Absent && mode & USABLE != USABLE => {
                let usable = Node::Directory {
                    mode: mode | USABLE,
                };
                steps.push(step(old, &usable));
                steps.push(step(&usable, new));
            }
            new => steps.push(step(old, new)),
        }
        if *new != Node::Absent {
            for (end, _) in planned.path.match_indices('/') {
                let parent = &planned.path[..end];
                if !parents.contains(parent) {
                    parents.insert(parent.to_owned());
                }
            }
        }
    }
    // Directories that are gone on the host, and needed.
    for step in &steps {
        if matches!(step.new, Node::Directory { .. }) {
            parents.remove(&step.path);
        }
    }
    for path in parents {
        if Node::at(target, &octets::decode(&path))? == Node::Absent {
            steps.push(Step {
                path,
                old: Node::Absent,
                new: Node::Directory {
                    mode: DIRECTORY_MODE,
                },
                content: None,
            });
        }
    }
    steps.sort_unstable_by(|one, other| {
        let key = |step: &Step| (class(step), octets::decode(&step.path).into_owned());
        let ((class, one), (other_class, other)) = (key(one), key(other));
        let by_path = match class {
            // What is in a directory comes before it.
            Class::RemoveDirectory | Class::DirectoryMode => other.cmp(&one),
            _ => one.cmp(&other),
        };
        class.cmp(&other_class).then(by_path)
    });
    Ok(steps)
}

/// The kinds of steps, in their order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Class {
    RemoveFile,
    RemoveDirectory,
    MakeDirectory,
    MakeFile,
    DirectoryMode,
}

fn class(step: &Step) -> Class {
    match (&step.old, &step.new) {
        (Node::Directory { .. }, Node::Directory { .. }) => Class::DirectoryMode,
        (Node::Directory { .. }, _) => Class::RemoveDirectory,
        (_, Node::Absent) => Class::RemoveFile,
        (_, Node::Directory { .. }) => Class::MakeDirectory,
        _ => Class::MakeFile,
    }
}
