//! A *plan* is what a pull does about each path.

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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
    pub(crate) reason: Option<String>,
    pub(super) base: Node,
    pub(super) workspace: Node,
    /// What is there on the host.
    pub(super) old: Node,
    /// What it becomes, if it is changed.
    pub(super) new: Option<Node>,
    /// The number of the new content.
    pub(super) content: Option<usize>,
}
