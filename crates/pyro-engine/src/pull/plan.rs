//! A *plan* is what a pull does about each path.

use std::collections::BTreeMap;

use super::node::Node;
use super::packed::{Packed, Packer, Record, Unpacker};

/// What is done where both sides have changed a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OnConflict {
    /// Nothing at all is changed.
    Fail,
    /// The workspace's is taken.
    Workspace,
    /// The host's stays.
    Host,
    /// Texts are merged with marks around what differs; what is no text is as with [`Self::Fail`].
    Markers,
}

/// What is done about a path.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Action {
    Add,
    Modify,
    Delete,
    /// Texts were merged without a conflict.
    Merge,
    /// Texts were merged, with marks around conflicts.
    Mark,
    /// The host's stays.
    Keep,
    /// It cannot be taken over, or must be named for it.
    Skip,
    Conflict,
}

/// Why something is done about a path, if it is not obvious.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    BothMade,
    BothModes,
    ChangedAfterPull,
    ChangedByBoth,
    DeletedHere,
    DeletedThere,
    Device,
    DeviceHere,
    Git,
    TakenBack,
    Unfinished,
}

/// A path of the plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    pub(crate) path: String,
    pub(crate) action: Action,
    pub(crate) reason: Option<Reason>,
    /// What becomes of it, if it is changed.
    pub(super) change: Option<Change>,
}

/// What a path becomes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(super) base: Node,
    pub(super) workspace: Node,
    /// What is there on the host.
    pub(super) old: Node,
    pub(super) new: Node,
    /// The number of the new content.
    pub(super) content: Option<usize>,
}

impl Action {
    const ALL: [Self; 8] = [
        Self::Add,
        Self::Modify,
        Self::Delete,
        Self::Merge,
        Self::Mark,
        Self::Keep,
        Self::Skip,
        Self::Conflict,
    ];
}

impl Reason {
    const ALL: [Self; 11] = [
        Self::BothMade,
        Self::BothModes,
        Self::ChangedAfterPull,
        Self::ChangedByBoth,
        Self::DeletedHere,
        Self::DeletedThere,
        Self::Device,
        Self::DeviceHere,
        Self::Git,
        Self::TakenBack,
        Self::Unfinished,
    ];

    /// As people are told.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::BothMade => "both have made it, differently",
            Self::BothModes => "both have changed its permissions",
            Self::ChangedAfterPull => "it was changed after the pull",
            Self::ChangedByBoth => "both have changed it",
            Self::DeletedHere => "it was deleted on the host and changed in the workspace",
            Self::DeletedThere => "it was deleted in the workspace and changed on the host",
            Self::Device => "it is a device, a pipe or a socket",
            Self::DeviceHere => "the host has a device there, or a link on the way",
            Self::Git => "git runs or obeys it on the host; it is taken over only if it is named",
            Self::TakenBack => "the workspace has what it began with again",
            Self::Unfinished => "its name is one that pyro uses for unfinished files",
        }
    }
}

impl Record for Planned {
    fn path(&self) -> &str {
        &self.path
    }

    fn pack(&self, to: &mut Packer<'_>) {
        to.byte(self.action as u8);
        to.small(self.reason.map(|reason| reason as u8));
        to.byte(u8::from(self.change.is_some()));
        if let Some(change) = &self.change {
            let Change {
                base,
                workspace,
                old,
                new,
                content,
            } = change;
            to.nodes(&[base, workspace, old, new]);
            to.number(*content);
        }
    }

    fn unpack(path: String, from: &mut Unpacker<'_>) -> Self {
        let action = Action::ALL[usize::from(from.byte())];
        let reason = from.small();
        let reason = reason.map(|reason| Reason::ALL[usize::from(reason)]);
        let change = (from.byte() != 0).then(|| {
            let [base, workspace, old, new] = from.nodes();
            Change {
                base,
                workspace,
                old,
                new,
                content: from.number(),
            }
        });
        Self {
            path,
            action,
            reason,
            change,
        }
    }
}

/// How many paths are listed of a pull; all are counted. As a result, each takes a kilobyte of memory.
const MOST_LISTED: usize = 5_000;

/// A path that is listed, with what is done about it.
type Listed = (String, Action, Option<Reason>);

/// What a pull has done, or would do.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Paths with what is done about them, but for those that stay as they are for no reason.
    /// What people must look at comes first, so that it is the last to be left out.
    listed: [Vec<Listed>; 3],
    /// How many paths would be listed if there was no limit.
    found: usize,
    /// How many paths there are of each kind.
    pub(crate) counts: BTreeMap<Action, u64>,
    /// Files that grew or shrank while they were read.
    pub(crate) changed: u64,
}

impl Outcome {
    /// `kept` is how many paths stay as they are and are not in the plan.
    pub(super) fn of(plan: &Packed<Planned>, kept: usize, changed: u64) -> Self {
        let mut outcome = Self {
            changed,
            ..Self::default()
        };
        outcome.counts.insert(Action::Keep, kept as u64);
        for planned in plan.iter() {
            outcome.add(planned.path, planned.action, planned.reason);
        }
        outcome
    }

    pub(super) fn add(&mut self, path: String, action: Action, reason: Option<Reason>) {
        *self.counts.entry(action).or_default() += 1;
        self.found += 1;
        let urgency = match (action, reason) {
            (Action::Conflict, _) => 0,
            (Action::Mark, _) | (_, Some(_)) => 1,
            (_, None) => 2,
        };
        let listed = &mut self.listed[urgency];
        if listed.len() < MOST_LISTED {
            listed.push((path, action, reason));
        }
    }

    pub(crate) fn count(&self, action: Action) -> u64 {
        self.counts.get(&action).copied().unwrap_or_default()
    }

    /// The conflicts that are listed, with the reasons for people.
    pub(super) fn conflicts(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.listed[0]
            .iter()
            .map(|(path, _, reason)| (&**path, reason.map_or("", Reason::text)))
    }

    /// Whether there are more paths than are listed.
    pub(crate) fn is_cut(&self) -> bool {
        self.found > MOST_LISTED
    }

    /// Returns the paths that are listed, sorted.
    pub(crate) fn into_listed(self) -> Vec<Listed> {
        let mut listed: Vec<_> = self
            .listed
            .into_iter()
            .flatten()
            .take(MOST_LISTED)
            .collect();
        listed.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::Sum;
    use super::*;

    fn added(path: String) -> Planned {
        let file = Node::File {
            sha256: Sum([7; 32]),
            mode: 0o644,
        };
        Planned {
            path,
            action: Action::Add,
            reason: None,
            change: Some(Change {
                base: Node::Absent,
                workspace: file.clone(),
                old: Node::Absent,
                new: file,
                content: Some(80_000),
            }),
        }
    }

    #[test]
    fn every_kind_of_path_is_packed() {
        for action in Action::ALL {
            for reason in [None].into_iter().chain(Reason::ALL.map(Some)) {
                for change in [None, added(String::new()).change] {
                    let planned = Planned {
                        path: "a/b".into(),
                        action,
                        reason,
                        change,
                    };
                    let mut packed = Packed::default();
                    packed.push(&planned);
                    assert_eq!(packed.get(0), planned);
                }
            }
        }
    }

    #[test]
    fn conflicts_are_the_last_to_be_left_out() {
        let mut outcome = Outcome::default();
        for number in 0..MOST_LISTED {
            outcome.add(format!("a{number:05}"), Action::Add, None);
        }
        assert!(!outcome.is_cut());
        for number in 0..MOST_LISTED - 1 {
            let reason = Some(Reason::Git);
            outcome.add(format!("b{number:05}"), Action::Skip, reason);
        }
        for number in 0..5 {
            let reason = Some(Reason::ChangedByBoth);
            outcome.add(format!("c{number}"), Action::Conflict, reason);
        }
        assert!(outcome.is_cut());
        assert_eq!(outcome.conflicts().count(), 5);
        let of = |action| outcome.count(action);
        let counts = [Action::Add, Action::Skip, Action::Conflict].map(of);
        assert_eq!(counts, [5_000, 4_999, 5]);
        let listed = outcome.into_listed();
        assert_eq!(listed.len(), MOST_LISTED);
        assert!(listed.is_sorted_by_key(|(path, ..)| path.clone()));
        let of = |action| listed.iter().filter(|listed| listed.1 == action).count();
        assert_eq!((of(Action::Conflict), of(Action::Skip)), (5, 4_995));
    }
}
