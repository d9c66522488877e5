//! The *tree* has the names of an archive so far, and what they refer to. It decides whether a
//! member may be added.

use std::collections::btree_map::Entry;

use crate::MAX_ENTRIES;
use crate::error::{Error, Refusal};
use crate::member::{IMPLIED_MODE, MODE_BITS, Member, MemberPath, What, check_target, parts};
use crate::node::{Body, Node, NodeId, Stored};
use crate::time::Time;

/// The result of adding a member.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) node: NodeId,
    /// How many of the member's parent directories were made for it: the last ones of its path.
    pub(crate) implied: usize,
    /// It was already there, with the same name.
    pub(crate) is_known: bool,
}

#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// The directory that members are below.
    base: NodeId,
    members: u64,
    now: Time,
}

impl Tree {
    /// An empty tree.
    pub(crate) fn new(now: Time) -> Self {
        let root = NodeId::ROOT;
        let mut tree = Self {
            nodes: Vec::new(),
            base: root,
            members: 0,
            now,
        };
        tree.insert(IMPLIED_MODE, now, Body::directory(root));
        tree.nodes[0].names = 1;
        tree
    }

    /// A tree whose members are all in one directory.
    pub(crate) fn below(prefix: &MemberPath, now: Time) -> Self {
        let mut tree = Self::new(now);
        for part in prefix.parts() {
            tree.base = tree.imply(tree.base, part);
        }
        tree
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Says where an image has the content of a file.
    pub(crate) fn set_stored(&mut self, id: NodeId, place: Stored) {
        if let Body::File { stored, .. } = &mut self.nodes[id.index()].body {
            *stored = place;
        }
    }

    /// Adds a member if it may be there.
    pub(crate) fn add(&mut self, member: &Member) -> Result<Added, Error> {
        self.members += 1;
        // Both, because a member may bring its parents along, and a hard link no node.
        if self.members.max(self.nodes.len() as u64) > MAX_ENTRIES {
            return Err(Error::TooManyEntries { limit: MAX_ENTRIES });
        }
        let Some((_, name)) = member.path.split() else {
            return Err(Error::refused(b".", Refusal::Conflict));
        };
        let added = |node, implied| Added {
            node,
            implied,
            is_known: false,
        };
        let body = match &member.what {
            What::HardLink { target } => {
                let node = self.linkable(target);
                let node = node.ok_or_else(|| refused(member, Refusal::StrayHardLink))?;
                if *target == member.path {
                    return Ok(Added {
                        is_known: true,
                        ..added(node, 0)
                    });
                }
                let (directory, implied) = self.make_parents(member)?;
                self.name(member, directory, name, node)?;
                return Ok(added(node, implied));
            }
            What::Directory => {
                let (parent, implied) = self.make_parents(member)?;
                let node = self.add_directory(member, parent, name)?;
                return Ok(added(node, implied));
            }
            What::Symlink { target } => {
                check_target(&member.path, target)?;
                let target = target.clone().into_boxed_slice();
                Body::Symlink { target }
            }
            What::Fifo => Body::Fifo,
            What::File { size, .. } => Body::File {
                size: *size,
                stored: Stored::Plain(0),
            },
        };
        let mode = match body {
            Body::Symlink { .. } => 0o777,
            _ => member.mode & MODE_BITS,
        };
        let (directory, implied) = self.make_parents(member)?;
        let node = self.insert(mode, member.modified, body);
        self.name(member, directory, name, node)?;
        Ok(added(node, implied))
    }

    fn add_directory(
        &mut self,
        member: &Member,
        parent: NodeId,
        name: &[u8],
    ) -> Result<NodeId, Error> {
        let id = match self.child(parent, name) {
            None => self.imply(parent, name),
            Some(id) => id,
        };
        let node = &mut self.nodes[id.index()];
        if !node.is_directory() {
            return Err(refused(member, Refusal::Conflict));
        }
        node.mode = member.mode & MODE_BITS;
        node.modified = member.modified;
        Ok(id)
    }

    /// Gives a node one more name, in place of what had it.
    fn name(
        &mut self,
        member: &Member,
        directory: NodeId,
        name: &[u8],
        node: NodeId,
    ) -> Result<(), Error> {
        let Body::Directory { children, .. } = &mut self.nodes[directory.index()].body else {
            unreachable!("make_parents returns directories");
        };
        let replaced = match children.entry(name.into()) {
            Entry::Vacant(entry) => {
                entry.insert(node);
                None
            }
            Entry::Occupied(mut entry) => Some(entry.insert(node)),
        };
        if let Some(replaced) = replaced {
            let replaced = &mut self.nodes[replaced.index()];
            if replaced.is_directory() {
                return Err(refused(member, Refusal::Conflict));
            }
            replaced.names -= 1;
        }
        self.nodes[node.index()].names += 1;
        Ok(())
    }

    /// Returns the parent directory of a member, and how many directories had to be made for it.
    fn make_parents(&mut self, member: &Member) -> Result<(NodeId, usize), Error> {
        let (parents, _) = member.path.split().unwrap_or_default();
        let mut here = self.base;
        let mut implied = 0;
        for part in parts(parents) {
            match self.child(here, part) {
                None => {
                    here = self.imply(here, part);
                    implied += 1;
                }
                Some(child) => {
                    match self.node(child).body {
                        Body::Directory { .. } => {}
                        Body::File { .. } | Body::Fifo | Body::Device(_) => {
                            return Err(refused(member, Refusal::ThroughFile));
                        }
                        Body::Symlink { .. } => {
                            return Err(refused(member, Refusal::ThroughSymlink));
                        }
                    }
                    here = child;
                }
            }
        }
        Ok((here, implied))
    }

    /// Adds a directory of which only the name is known.
    fn imply(&mut self, parent: NodeId, name: &[u8]) -> NodeId {
        let id = self.insert(IMPLIED_MODE, self.now, Body::directory(parent));
        self.nodes[id.index()].names = 1;
        if let Body::Directory { children, .. } = &mut self.nodes[parent.index()].body {
            children.insert(name.into(), id);
        }
        id
    }

    fn insert(&mut self, mode: u32, modified: Time, body: Body) -> NodeId {
        let id = NodeId::new(self.nodes.len());
        self.nodes.push(Node::new(mode, modified, body));
        id
    }

    fn child(&self, directory: NodeId, name: &[u8]) -> Option<NodeId> {
        match &self.node(directory).body {
            Body::Directory { children, .. } => children.get(name).copied(),
            _ => None,
        }
    }

    /// Returns the node at a path.
    pub(crate) fn find(&self, path: &MemberPath) -> Option<NodeId> {
        let mut parts = path.parts();
        parts.try_fold(self.base, |here, part| self.child(here, part))
    }

    /// Returns the node at a path if a hard link to it is allowed.
    fn linkable(&self, path: &MemberPath) -> Option<NodeId> {
        let here = self.find(path)?;
        (!self.node(here).is_directory()).then_some(here)
    }
}

fn refused(member: &Member, refusal: Refusal) -> Error {
    Error::refused(member.path.as_bytes(), refusal)
}
