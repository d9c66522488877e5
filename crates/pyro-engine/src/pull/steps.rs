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
    let mut directories = BTreeSet::new();
    for planned in plan {
        let Some(new) = &planned.new else {
            continue;
        };
        let step = |old: &Node, new: &Node| Step {
            path: planned.path.clone(),
            old: old.clone(),
            new: new.clone(),
            content: planned.content.filter(|_| matches!(new, Node::File { .. })),
        };
        let is_directory = |node: &Node| matches!(node, Node::Directory { .. });
        let mut old = &planned.old;
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
            directories.insert(octets::decode(&planned.path).into_owned());
        }
    }
    // Directories that are gone on the host, and needed.
    let made: BTreeSet<_> = steps
        .iter()
        .map(|step| octets::decode(&step.path).into_owned())
        .collect();
    let mut missing = BTreeSet::new();
    for path in &directories {
        for (end, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let parent = &path[..end];
            if !made.contains(parent) && Node::at(target, parent)? == Node::Absent {
                missing.insert(parent.to_vec());
            }
        }
    }
    steps.extend(missing.iter().map(|path| Step {
        path: octets::encode(path).into_owned(),
        old: Node::Absent,
        new: Node::Directory {
            mode: DIRECTORY_MODE,
        },
        content: None,
    }));
    steps.sort_by(|one, other| {
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
