//! What earlier pulls have *made* of a path, as it is recorded.

use serde::{Deserialize, Serialize};

use super::node::Node;
use super::packed::{Packer, Record, Unpacker};

/// A path that a pull has changed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Made {
    /// What it was when the workspace began.
    pub(super) base: Node,
    /// What it was made.
    pub(super) node: Node,
    /// What the workspace had then. It is something else if it was merged.
    pub(super) workspace: Node,
    /// What is known of an earlier pull, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Box<Self>>,
}

/// A path with what it was made. Of earlier pulls it knows nothing: that is in the record.
#[derive(Clone, Debug)]
pub(super) struct MadePath {
    pub(super) path: String,
    pub(super) made: Made,
}

impl Record for MadePath {
    fn path(&self) -> &str {
        &self.path
    }

    fn pack(&self, to: &mut Packer<'_>) {
        let Made {
            base,
            node,
            workspace,
            ..
        } = &self.made;
        to.nodes(&[base, node, workspace]);
    }

    fn unpack(path: String, from: &mut Unpacker<'_>) -> Self {
        let [base, node, workspace] = from.nodes();
        let made = Made {
            base,
            node,
            workspace,
            before: None,
        };
        Self { path, made }
    }
}
