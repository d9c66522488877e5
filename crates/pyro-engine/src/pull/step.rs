//! A *step* of a transaction: what a path was, and what it becomes.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::node::Node;
use super::packed::{Packed, Packer, Record, Unpacker};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Step {
    /// The path below the target.
    pub(super) path: String,
    pub(super) old: Node,
    pub(super) new: Node,
    /// The number of the new content, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<usize>,
}

/// Steps in their order. There may be many, so that each is made when it is needed.
pub(super) trait Steps {
    fn count(&self) -> usize;

    /// Returns the step with a number, which is less than their count.
    fn step(&self, number: usize) -> Step;
}

impl Step {
    /// Whether only the permissions differ.
    pub(super) fn is_only_mode(&self) -> bool {
        match (&self.old, &self.new) {
            (Node::File { sha256: old, .. }, Node::File { sha256: new, .. }) => old == new,
            (Node::Directory { .. }, Node::Directory { .. }) => true,
            _ => false,
        }
    }
}

impl Record for Step {
    fn path(&self) -> &str {
        &self.path
    }

    fn pack(&self, to: &mut Packer<'_>) {
        to.nodes(&[&self.old, &self.new]);
        to.number(self.content);
    }

    fn unpack(path: String, from: &mut Unpacker<'_>) -> Self {
        let [old, new] = from.nodes();
        Self {
            path,
            old,
            new,
            content: from.number(),
        }
    }
}

impl Steps for Packed<Step> {
    fn count(&self) -> usize {
        self.len()
    }

    fn step(&self, number: usize) -> Step {
        self.get(number)
    }
}

/// Writes steps as a list, one after the other.
pub(super) fn serialize<S: Serializer>(
    steps: &&dyn Steps,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(steps.count()))?;
    for number in 0..steps.count() {
        list.serialize_element(&steps.step(number))?;
    }
    list.end()
}

/// Reads a list of steps, one after the other.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Packed<Step>, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Packed<Step>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of steps")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Packed<Step>, A::Error> {
            let mut steps = Packed::default();
            while let Some(step) = list.next_element()? {
                steps.push(&step);
            }
            Ok(steps)
        }
    }

    deserializer.deserialize_seq(List)
}
