//! The *steps* of a plan, in an order in which each finds what it needs.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::BorrowedFd;

use pyro_machine::octets;

use super::node::Node;
use super::packed::Packed;
use super::plan::{Change, Planned};
use super::step::{Step, Steps};

/// The permissions of a directory that must be there for something in it.
const DIRECTORY_MODE: u32 = 0o755;
/// What its user needs to work in a directory.
const USABLE: u32 = 0o700;

/// The steps that carry out a plan. They are made of it when they are needed, and not kept beside it.
pub(super) struct PlannedSteps<'a> {
    plan: &'a Packed<Planned>,
    /// Directories that are gone on the host, and needed.
    parents: Vec<String>,
    order: Vec<Place>,
}

/// Where a step comes from.
#[derive(Clone, Copy, Debug)]
struct Place {
    class: Class,
    part: Part,
    /// The number of the path in the plan, or of the parent.
    number: usize,
}

/// What a step does of that which is planned for its path.
#[derive(Clone, Copy, Debug)]
enum Part {
    All,
    /// What is in the way is removed.
    Removal,
    /// What is there in place of that.
    Making,
    /// The directory is made so that something can be made in it.
    MakingUsable,
    /// It has the permissions that it is to have.
    LastMode,
    /// A directory is made that nothing is planned for.
    Parent,
}

impl<'a> PlannedSteps<'a> {
    /// Orders the steps of a plan.
    pub(super) fn of(plan: &'a Packed<Planned>, target: BorrowedFd<'_>) -> io::Result<Self> {
        let mut steps = Self {
            plan,
            parents: Vec::new(),
            order: Vec::new(),
        };
        let mut parents = BTreeSet::new();
        let mut made = BTreeSet::new();
        for number in 0..plan.len() {
            let planned = plan.get(number);
            let Some(change) = &planned.change else {
                continue;
            };
            for part in parts(change) {
                let class = class(&step(&planned, change, *part));
                steps.order.push(Place {
                    class,
                    part: *part,
                    number,
                });
            }
            if matches!(change.new, Node::Directory { .. }) {
                made.insert(plan.path(number));
            }
            if change.new != Node::Absent {
                let path = plan.path(number);
                parents.extend(path.match_indices('/').map(|(end, _)| &path[..end]));
            }
        }
        for path in parents.difference(&made) {
            if Node::at(target, &octets::decode(path))? == Node::Absent {
                steps.order.push(Place {
                    class: Class::MakeDirectory,
                    part: Part::Parent,
                    number: steps.parents.len(),
                });
                steps.parents.push((*path).to_owned());
            }
        }
        let mut order = std::mem::take(&mut steps.order);
        order.sort_by(|one, other| steps.compare(*one, *other));
        steps.order = order;
        Ok(steps)
    }

    fn compare(&self, one: Place, other: Place) -> Ordering {
        let path = |place: Place| octets::decode(self.path(place));
        one.class.cmp(&other.class).then_with(|| match one.class {
            // What is in a directory comes before it.
            Class::RemoveDirectory | Class::DirectoryMode => path(other).cmp(&path(one)),
            _ => path(one).cmp(&path(other)),
        })
    }

    fn path(&self, place: Place) -> &str {
        match place.part {
            Part::Parent => &self.parents[place.number],
            _ => self.plan.path(place.number),
        }
    }
}

impl Steps for PlannedSteps<'_> {
    fn count(&self) -> usize {
        self.order.len()
    }

    fn step(&self, number: usize) -> Step {
        let Place { part, number, .. } = self.order[number];
        if matches!(part, Part::Parent) {
            return Step {
                path: self.parents[number].clone(),
                old: Node::Absent,
                new: Node::Directory {
                    mode: DIRECTORY_MODE,
                },
                content: None,
            };
        }
        let planned = self.plan.get(number);
        let change = planned.change.as_ref();
        step(&planned, change.expect("only changes have steps"), part)
    }
}

/// The parts in which a change is carried out.
fn parts(change: &Change) -> &'static [Part] {
    let is_directory = |node: &Node| matches!(node, Node::Directory { .. });
    let Change { old, new, .. } = change;
    let replaces = *old != Node::Absent && *new != Node::Absent;
    let is_in_the_way = replaces && is_directory(old) != is_directory(new);
    let is_new = *old == Node::Absent || is_in_the_way;
    let is_usable = !matches!(new, Node::Directory { mode } if mode & USABLE != USABLE);
    match (is_in_the_way, is_new && !is_usable) {
        (false, false) => &[Part::All],
        (false, true) => &[Part::MakingUsable, Part::LastMode],
        (true, false) => &[Part::Removal, Part::Making],
        (true, true) => &[Part::Removal, Part::MakingUsable, Part::LastMode],
    }
}

fn step(planned: &Planned, change: &Change, part: Part) -> Step {
    let Change { old, new, .. } = change;
    let usable = || match new {
        Node::Directory { mode } => Node::Directory {
            mode: mode | USABLE,
        },
        node => node.clone(),
    };
    let (old, new) = match part {
        Part::All | Part::Parent => (old.clone(), new.clone()),
        Part::Removal => (old.clone(), Node::Absent),
        Part::Making => (Node::Absent, new.clone()),
        Part::MakingUsable => (Node::Absent, usable()),
        Part::LastMode => (usable(), new.clone()),
    };
    Step {
        path: planned.path.clone(),
        content: change.content.filter(|_| matches!(new, Node::File { .. })),
        old,
        new,
    }
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

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::super::node::Sum;
    use super::super::plan::Action;
    use super::*;

    #[test]
    fn each_step_finds_what_it_needs() {
        let file = Node::File {
            sha256: Sum([1; 32]),
            mode: 0o644,
        };
        let directory = |mode| Node::Directory { mode };
        let absent = Node::Absent;
        let table = [
            ("a/b/new", &absent, &file),
            ("closed", &absent, &directory(0o500)),
            ("closed/in", &absent, &file),
            ("gone", &directory(0o755), &absent),
            ("gone/in", &file, &absent),
            ("here/new", &absent, &file),
            ("mode", &directory(0o755), &directory(0o700)),
            ("turned", &directory(0o755), &file),
            ("turned/in", &file, &absent),
            ("was", &file, &directory(0o555)),
            ("was/in", &absent, &file),
        ];
        let mut plan = Packed::default();
        for (path, old, new) in table {
            let change = Change {
                base: old.clone(),
                workspace: new.clone(),
                old: old.clone(),
                new: new.clone(),
                content: Some(plan.len()),
            };
            plan.push(&Planned {
                path: path.into(),
                action: Action::Modify,
                reason: None,
                change: Some(change),
            });
        }
        plan.push(&Planned {
            path: "kept/x".into(),
            action: Action::Keep,
            reason: None,
            change: None,
        });
        let target = tempfile::tempdir().unwrap();
        std::fs::create_dir(target.path().join("here")).unwrap();
        let open = std::fs::File::open(target.path()).unwrap();
        let steps = PlannedSteps::of(&plan, open.as_fd()).unwrap();
        let shown = |node: &Node| match node {
            Node::Absent => "-".to_owned(),
            Node::Directory { mode } => format!("{mode:o}"),
            _ => "f".to_owned(),
        };
        let steps: Vec<_> = (0..steps.count())
            .map(|number| {
                let Step {
                    path,
                    old,
                    new,
                    content,
                } = steps.step(number);
                let content = content.map_or(String::new(), |content| format!(" {content}"));
                format!("{path} {}>{}{content}", shown(&old), shown(&new))
            })
            .collect();
        let expected = [
            "gone/in f>-",
            "turned/in f>-",
            "was f>-",
            "turned 755>-",
            "gone 755>-",
            "a ->755",
            "a/b ->755",
            "closed ->700",
            "was ->755",
            "a/b/new ->f 0",
            "closed/in ->f 2",
            "here/new ->f 5",
            "turned ->f 7",
            "was/in ->f 10",
            "was 755>555",
            "mode 755>700",
            "closed 700>500",
        ];
        assert_eq!(steps, expected);
    }
}
