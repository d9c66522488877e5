//! The *merged* tree: the files and directories that the layers so far describe together.

use std::ops::Range;

use super::entry::{Entry, Layer, Removed, What};
use super::walk::Walk;
use crate::error::{Error, Refusal};
use crate::member::{IMPLIED_MODE, MemberPath};
use crate::node::{Body, Node, NodeId};
use crate::time::Time;

#[derive(Debug)]
pub(crate) struct Merged {
    /// The first is the root.
    nodes: Vec<Node>,
    most_nodes: u64,
    /// Symbolic links from this node on are followed: those of the layer that is being added,
    /// because a layer's nodes come after those of lower layers.
    first_followed: usize,
    /// How many bytes the targets of links may still add to the paths of entries. Without this
    /// limit each path could lead through 40 links with targets of 4095 bytes, which takes much
    /// time.
    may_add: u64,
}

/// The result of following one part of a path.
enum Step {
    Directory(NodeId),
    /// A link: its target is next, relative to this directory.
    Link(NodeId),
    /// Something that cannot be followed.
    Other(NodeId),
    Nothing,
    TooManyLinks,
}

impl Merged {
    /// Makes a tree with an empty root.
    pub(crate) fn new(most_nodes: u64, may_add: u64) -> Self {
        let mut root = implied(NodeId::ROOT);
        root.names = 1;
        Self {
            nodes: vec![root],
            most_nodes,
            first_followed: 1,
            may_add,
        }
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Applies a layer to the tree.
    pub(crate) fn apply(&mut self, layer: Layer) -> Result<(), Error> {
        self.first_followed = self.nodes.len();
        for removed in layer.removed {
            self.remove(&removed);
        }
        layer
            .entries
            .into_iter()
            .try_for_each(|entry| self.add(entry))
    }

    /// Makes all later look-ups follow the links of all layers, as a guest does.
    pub(crate) fn follow_all_links(&mut self) {
        self.first_followed = 0;
    }

    /// Applies a whiteout. Makes no directories and follows no links.
    fn remove(&mut self, removed: &Removed) {
        match removed {
            Removed::Name(path) => self.remove_at(path),
            Removed::Children(path) => {
                let Some(directory) = self.plain(path) else {
                    return;
                };
                if let Body::Directory { children, .. } = &mut self.nodes[directory.index()].body {
                    let children = std::mem::take(children);
                    for child in children.into_values() {
                        self.unname(child);
                    }
                }
            }
        }
    }

    /// Removes the name at a path, if there is one.
    pub(crate) fn remove_at(&mut self, path: &MemberPath) {
        let Some((_, name)) = path.split() else {
            return;
        };
        let Some(parent) = self.plain(&path.parent()) else {
            return;
        };
        if let Body::Directory { children, .. } = &mut self.nodes[parent.index()].body
            && let Some(child) = children.remove(name)
        {
            self.unname(child);
        }
    }

    fn add(&mut self, entry: Entry) -> Result<(), Error> {
        let Some((parents, name)) = entry.path.split() else {
            self.describe(NodeId::ROOT, &entry);
            return Ok(());
        };
        // The link may replace its own target, or a directory that contains it; so it is resolved
        // first.
        let linked = match &entry.what {
            What::HardLink { target } => Some(self.link(&entry.path, target)?),
            _ => None,
        };
        let directory = self.directory(&entry.path, parents)?;
        let name: Box<[u8]> = name.into();
        let node = match (&entry.what, linked) {
            (_, Some(linked)) => linked,
            (What::Directory, _) => {
                let there = self.child(directory, &name);
                let there = there.filter(|there| self.node(*there).is_directory());
                if let Some(there) = there {
                    self.describe(there, &entry);
                    return Ok(());
                }
                self.insert(implied(directory))?
            }
            _ => self.insert(implied(directory))?,
        };
        if linked.is_none() {
            self.describe(node, &entry);
            if let What::Other(body) = entry.what {
                self.nodes[node.index()].body = body;
            }
            self.nodes[node.index()].names = 1;
        }
        self.name(directory, name, node);
        Ok(())
    }

    /// Returns the target of a hard link, and counts the new name.
    fn link(&mut self, path: &MemberPath, target: &MemberPath) -> Result<NodeId, Error> {
        let mut walk = Walk::new(target.parent().as_bytes());
        let parent = self.find(&mut walk);
        self.count(path, &walk)?;
        let name = target.split().map_or(&b""[..], |(_, name)| name);
        let node = parent.and_then(|parent| self.child(parent, name));
        let node = node.filter(|node| !self.node(*node).is_directory());
        let node = node.ok_or_else(|| refused(path, Refusal::StrayHardLink))?;
        self.nodes[node.index()].names += 1;
        Ok(node)
    }

    /// Returns the parent directory of an entry. Links of the same layer are followed; anything
    /// else that is not a directory is replaced by one.
    fn directory(&mut self, path: &MemberPath, parents: &[u8]) -> Result<NodeId, Error> {
        let mut walk = Walk::new(parents);
        let mut here = NodeId::ROOT;
        while let Some(part) = walk.next() {
            here = match self.step(here, &mut walk, part.clone()) {
                Step::Directory(there) | Step::Link(there) => there,
                Step::Other(_) | Step::Nothing => self.make(here, walk.part(part))?,
                Step::TooManyLinks => return Err(refused(path, Refusal::TooManyLinks)),
            };
        }
        self.count(path, &walk)?;
        Ok(here)
    }

    /// Returns the directory at a path, and makes what is missing. None if something else is in the
    /// way, or if there are too many links.
    pub(crate) fn directory_unless_taken(
        &mut self,
        path: &MemberPath,
    ) -> Result<Option<NodeId>, Error> {
        let mut walk = Walk::new(path.as_bytes());
        let mut here = NodeId::ROOT;
        while let Some(part) = walk.next() {
            here = match self.step(here, &mut walk, part.clone()) {
                Step::Directory(there) | Step::Link(there) => there,
                Step::Nothing => self.make(here, walk.part(part))?,
                Step::Other(_) | Step::TooManyLinks => return Ok(None),
            };
        }
        Ok(Some(here))
    }

    /// Returns the directory with this name in the root. Anything else with this name is replaced.
    pub(crate) fn directory_in_root(&mut self, name: &[u8]) -> Result<NodeId, Error> {
        let there = self.child(NodeId::ROOT, name);
        match there.filter(|there| self.node(*there).is_directory()) {
            Some(there) => Ok(there),
            None => self.make(NodeId::ROOT, name),
        }
    }

    pub(crate) fn set_mode(&mut self, node: NodeId, mode: u32) {
        self.nodes[node.index()].mode = mode;
    }

    /// Returns the node at the end of a walk.
    pub(crate) fn find(&self, walk: &mut Walk) -> Option<NodeId> {
        let mut here = NodeId::ROOT;
        while let Some(part) = walk.next() {
            here = match self.step(here, walk, part) {
                Step::Directory(there) | Step::Link(there) => there,
                Step::Other(there) if walk.is_at_end() => return Some(there),
                Step::Other(_) | Step::Nothing | Step::TooManyLinks => return None,
            };
        }
        Some(here)
    }

    /// Follows one part of a path from a directory.
    fn step(&self, here: NodeId, walk: &mut Walk, part: Range<usize>) -> Step {
        let part = walk.part(part);
        if part == b".." {
            return match &self.node(here).body {
                Body::Directory { parent, .. } => Step::Directory(*parent),
                _ => Step::Nothing,
            };
        }
        let Some(child) = self.child(here, part) else {
            return Step::Nothing;
        };
        match &self.node(child).body {
            Body::Directory { .. } => Step::Directory(child),
            Body::Symlink { target } if child.index() >= self.first_followed => {
                match (walk.follow(target), target.first()) {
                    (None, _) => Step::TooManyLinks,
                    (Some(()), Some(b'/')) => Step::Link(NodeId::ROOT),
                    (Some(()), _) => Step::Link(here),
                }
            }
            _ => Step::Other(child),
        }
    }

    /// Returns the node at a path without following links.
    pub(crate) fn plain(&self, path: &MemberPath) -> Option<NodeId> {
        let mut parts = path.parts();
        parts.try_fold(NodeId::ROOT, |here, part| self.child(here, part))
    }

    fn child(&self, directory: NodeId, name: &[u8]) -> Option<NodeId> {
        match &self.node(directory).body {
            Body::Directory { children, .. } => children.get(name).copied(),
            _ => None,
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Makes an empty directory, which replaces anything with this name.
    fn make(&mut self, parent: NodeId, name: &[u8]) -> Result<NodeId, Error> {
        let id = self.insert(implied(parent))?;
        self.nodes[id.index()].names = 1;
        self.name(parent, name.into(), id);
        Ok(id)
    }

    fn insert(&mut self, node: Node) -> Result<NodeId, Error> {
        let limit = self.most_nodes;
        if self.nodes.len() as u64 > limit {
            return Err(Error::TooManyEntries { limit });
        }
        self.nodes.push(node);
        Ok(NodeId::new(self.nodes.len() - 1))
    }

    fn describe(&mut self, id: NodeId, entry: &Entry) {
        let node = &mut self.nodes[id.index()];
        node.mode = entry.mode;
        node.owner = entry.owner;
        node.modified = entry.modified;
        node.attributes.clone_from(&entry.attributes);
    }

    /// Sets the node that a name refers to. The node counts the name already.
    fn name(&mut self, directory: NodeId, name: Box<[u8]>, node: NodeId) {
        if let Body::Directory { children, .. } = &mut self.nodes[directory.index()].body
            && let Some(replaced) = children.insert(name, node)
        {
            self.unname(replaced);
        }
    }

    /// Removes a name from a node. If it was the last one, the node is freed with everything in it.
    fn unname(&mut self, id: NodeId) {
        let mut ahead = vec![id];
        while let Some(id) = ahead.pop() {
            let node = &mut self.nodes[id.index()];
            node.names -= 1;
            if node.names > 0 {
                continue;
            }
            node.attributes = Box::default();
            // Nothing refers to this node any more; this frees the memory of its body.
            if let Body::Directory { children, .. } = std::mem::replace(&mut node.body, Body::Fifo)
            {
                ahead.extend(children.into_values());
            }
        }
    }

    /// Counts the bytes that links have added to a path.
    fn count(&mut self, path: &MemberPath, walk: &Walk) -> Result<(), Error> {
        let left = self.may_add.checked_sub(walk.added);
        self.may_add = left.ok_or_else(|| refused(path, Refusal::TooManyLinks))?;
        Ok(())
    }
}

/// A directory of which only the name is known.
fn implied(parent: NodeId) -> Node {
    Node::new(IMPLIED_MODE, Time::EPOCH, Body::directory(parent))
}

fn refused(path: &MemberPath, refusal: Refusal) -> Error {
    Error::refused(path.as_bytes(), refusal)
}
