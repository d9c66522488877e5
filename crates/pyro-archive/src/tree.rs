//! The *tree* is what an archive amounts to so far: which names there are, and what they name. It
//! decides what else may be added.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::MAX_ENTRIES;
use crate::error::{Error, Refusal};
use crate::member::{MODE_BITS, Member, MemberPath, What, check_target, parts};
use crate::time::Time;

/// Steps that one symbolic link may take. Linux gives up after 40 links.
const MOST_STEPS: usize = 4096;

pub(crate) const IMPLIED_MODE: u32 = 0o755;

/// An index into the nodes of a tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NodeId(u32);

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) mode: u32,
    pub(crate) modified: Time,
    /// Names that lead here. None if other members took them all.
    pub(crate) names: u32,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) enum Body {
    Directory {
        parent: NodeId,
        children: BTreeMap<Box<[u8]>, NodeId>,
    },
    File {
        size: u64,
        /// Where an image has the content: the number of its first block.
        block: u32,
    },
    Symlink {
        target: Box<[u8]>,
    },
}

/// What became of a member.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) node: NodeId,
    /// How many of the member's parents are there only because of it: the last ones of its path.
    pub(crate) implied: usize,
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
        let root = NodeId(0);
        let mut tree = Self {
            nodes: Vec::new(),
            base: root,
            members: 0,
            now,
        };
        tree.insert(IMPLIED_MODE, now, directory(root));
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
    pub(crate) fn set_block(&mut self, id: NodeId, first: u32) {
        if let Body::File { block, .. } = &mut self.nodes[id.index()].body {
            *block = first;
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
        let (node, directory, implied) = match &member.what {
            What::HardLink { target } => {
                let node = self.file(target).filter(|_| *target != member.path);
                let node = node.ok_or_else(|| refused(member, Refusal::StrayHardLink))?;
                let (directory, implied) = self.make_parents(member)?;
                (node, directory, implied)
            }
            What::Directory => {
                let (parent, implied) = self.make_parents(member)?;
                let node = self.add_directory(member, parent, name)?;
                return Ok(Added { node, implied });
            }
            What::Symlink { target } => {
                check_target(&member.path, target)?;
                let (directory, implied) = self.make_parents(member)?;
                let target = target.clone().into_boxed_slice();
                let node = self.insert(0o777, member.modified, Body::Symlink { target });
                (node, directory, implied)
            }
            What::File { size } => {
                let (directory, implied) = self.make_parents(member)?;
                let body = Body::File {
                    size: *size,
                    block: 0,
                };
                let node = self.insert(member.mode & MODE_BITS, member.modified, body);
                (node, directory, implied)
            }
        };
        self.name(member, directory, name, node)?;
        Ok(Added { node, implied })
    }

    /// Checks what can be checked only when everything is there: that symbolic links which go up
    /// after they went down stay inside.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        for (index, node) in self.nodes.iter().enumerate() {
            let Body::Directory { children, .. } = &node.body else {
                continue;
            };
            for (name, child) in children {
                if let Body::Symlink { target } = &self.node(*child).body
                    && goes_down_then_up(target)
                    && !self.stays_inside(NodeId::new(index), target)
                {
                    let mut path = self.path(NodeId::new(index));
                    path.extend_from_slice(name);
                    return Err(Error::refused(&path, Refusal::EscapingSymlink));
                }
            }
        }
        Ok(())
    }

    /// Follows a target as a kernel would. What does not exist counts as a directory, since it may
    /// be one when the archive is in its place.
    fn stays_inside(&self, directory: NodeId, target: &[u8]) -> bool {
        let mut ahead: Vec<&[u8]> = Vec::new();
        let push = |ahead: &mut Vec<_>, target| {
            let from = ahead.len();
            ahead.extend(parts(target));
            ahead[from..].reverse();
        };
        push(&mut ahead, target);
        let mut here = directory;
        let mut unknown = 0;
        for _ in 0..MOST_STEPS {
            let Some(part) = ahead.pop() else {
                return true;
            };
            if part == b".." && unknown > 0 {
                unknown -= 1;
            } else if part == b".." {
                if here == self.base {
                    return false;
                }
                here = self.parent(here);
            } else if unknown > 0 {
                unknown += 1;
            } else {
                match self.child(here, part) {
                    None => unknown = 1,
                    Some(child) => match &self.node(child).body {
                        Body::Directory { .. } => here = child,
                        // Nothing is below a file; in its place may be a directory later.
                        Body::File { .. } => unknown = 1,
                        Body::Symlink { target } => push(&mut ahead, target),
                    },
                }
            }
        }
        false
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
        if !matches!(node.body, Body::Directory { .. }) {
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
            if matches!(replaced.body, Body::Directory { .. }) {
                return Err(refused(member, Refusal::Conflict));
            }
            replaced.names -= 1;
        }
        self.nodes[node.index()].names += 1;
        Ok(())
    }

    /// Returns the directory that a member belongs into, and how many had to be made for it.
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
                        Body::File { .. } => return Err(refused(member, Refusal::ThroughFile)),
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

    /// Adds a directory of which nothing but the name is known.
    fn imply(&mut self, parent: NodeId, name: &[u8]) -> NodeId {
        let id = self.insert(IMPLIED_MODE, self.now, directory(parent));
        self.nodes[id.index()].names = 1;
        if let Body::Directory { children, .. } = &mut self.nodes[parent.index()].body {
            children.insert(name.into(), id);
        }
        id
    }

    fn insert(&mut self, mode: u32, modified: Time, body: Body) -> NodeId {
        let id = NodeId::new(self.nodes.len());
        self.nodes.push(Node {
            mode,
            modified,
            names: 0,
            body,
        });
        id
    }

    fn child(&self, directory: NodeId, name: &[u8]) -> Option<NodeId> {
        match &self.node(directory).body {
            Body::Directory { children, .. } => children.get(name).copied(),
            _ => None,
        }
    }

    fn parent(&self, directory: NodeId) -> NodeId {
        match self.node(directory).body {
            Body::Directory { parent, .. } => parent,
            _ => directory,
        }
    }

    /// Returns the regular file at a path.
    fn file(&self, path: &MemberPath) -> Option<NodeId> {
        let mut here = self.base;
        for part in path.parts() {
            here = self.child(here, part)?;
        }
        matches!(self.node(here).body, Body::File { .. }).then_some(here)
    }

    /// Returns the path of a directory, with a slash at its end unless it is the root's.
    fn path(&self, mut directory: NodeId) -> Vec<u8> {
        let mut names = Vec::new();
        while directory != self.base {
            let parent = self.parent(directory);
            if let Body::Directory { children, .. } = &self.node(parent).body {
                let child = children.iter().find(|(_, child)| **child == directory);
                names.extend(child.map(|(name, _)| [name, &b"/"[..]].concat()));
            }
            directory = parent;
        }
        names.reverse();
        names.concat()
    }
}

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("MAX_ENTRIES is far less than 2^32"))
    }
}

fn directory(parent: NodeId) -> Body {
    Body::Directory {
        parent,
        children: BTreeMap::new(),
    }
}

fn goes_down_then_up(target: &[u8]) -> bool {
    parts(target)
        .skip_while(|part| *part == b"..")
        .any(|part| part == b"..")
}

fn refused(member: &Member, refusal: Refusal) -> Error {
    Error::refused(member.path.as_bytes(), refusal)
}
