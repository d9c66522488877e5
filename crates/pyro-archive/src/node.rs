//! A *node* of a tree becomes an inode of an image. One or more names refer to it.

use std::collections::BTreeMap;

use crate::chunks::Chunks;
use crate::numbers::{Device, Owner};
use crate::time::Time;

/// An index into the nodes of a tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NodeId(u32);

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
    pub(crate) modified: Time,
    /// The number of names that refer to it. Zero if later members have taken them all.
    pub(crate) names: u32,
    /// Its extended attributes in the encoding of EROFS. Empty if there are none.
    pub(crate) attributes: Box<[u8]>,
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
        stored: Stored,
    },
    Symlink {
        target: Box<[u8]>,
    },
    Fifo,
    Device(Device),
}

/// The position of a file's content in an image.
#[derive(Debug)]
pub(crate) enum Stored {
    /// The number of its first block.
    Plain(u32),
    Chunks(Chunks),
}

impl Node {
    /// A node that belongs to root, without names and extended attributes.
    pub(crate) fn new(mode: u32, modified: Time, body: Body) -> Self {
        Self {
            mode,
            owner: Owner::default(),
            modified,
            names: 0,
            attributes: Box::default(),
            body,
        }
    }

    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory { .. })
    }

    pub(crate) fn has_chunks(&self) -> bool {
        let Body::File { stored, .. } = &self.body else {
            return false;
        };
        self.names > 0 && matches!(stored, Stored::Chunks(_))
    }
}

impl Body {
    /// A directory without children.
    pub(crate) fn directory(parent: NodeId) -> Self {
        Self::Directory {
            parent,
            children: BTreeMap::new(),
        }
    }
}

impl NodeId {
    pub(crate) const ROOT: Self = Self(0);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("MAX_ENTRIES is far less than 2^32"))
    }
}
