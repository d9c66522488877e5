//! A *plan* is what a pull does about each path.

use std::collections::BTreeMap;

use super::node::Node;

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

/// A path of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) path: String,
    pub(crate) action: Action,
    /// Why, if it is not obvious.
    pub(crate) reason: Option<&'static str>,
    /// What becomes of it, if it is changed.
    pub(super) change: Option<Change>,
}

/// What a path becomes.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(super) base: Node,
    pub(super) workspace: Node,
    /// What is there on the host.
    pub(super) old: Node,
    pub(super) new: Node,
    /// The number of the new content.
    pub(super) content: Option<usize>,
}

/// How many paths are listed of a pull; all are counted.
const MOST_LISTED: usize = 10_000;

/// What a pull has done, or would do.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Paths with what is done about them, but for those that stay as they are for no reason.
    pub(crate) listed: Vec<(String, Action, Option<&'static str>)>,
    /// Whether there are more than are listed.
    pub(crate) is_cut: bool,
    /// How many paths there are of each kind.
    pub(crate) counts: BTreeMap<Action, u64>,
    /// Files that grew or shrank while they were read.
    pub(crate) changed: u64,
}

impl Outcome {
    /// `kept` is how many paths stay as they are and are not in the plan.
    pub(super) fn of(plan: &[Planned], kept: usize, changed: u64) -> Self {
        let mut outcome = Self {
            changed,
            ..Self::default()
        };
        outcome.counts.insert(Action::Keep, kept as u64);
        for planned in plan {
            outcome.add(&planned.path, planned.action, planned.reason);
        }
        outcome
    }

    pub(super) fn add(&mut self, path: &str, action: Action, reason: Option<&'static str>) {
        *self.counts.entry(action).or_default() += 1;
        if self.listed.len() == MOST_LISTED {
            self.is_cut = true;
            return;
        }
        self.listed.push((path.to_owned(), action, reason));
    }
}
