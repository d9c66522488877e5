//! The *metadata* of an image are written after all contents: first large directories, then all
//! inodes, each followed by its attributes and by small contents. The superblock is written last,
//! so that an unfinished image cannot be mounted.

use std::io::{Seek, Write};

use crate::blocks::Blocks;
use crate::chunks::{self, Budget};
use crate::content::Content;
use crate::erofs::{self, BLOCK, Dirent, FileType, INODE, Inode, Layout, Superblock};
use crate::error::Error;
use crate::node::{Body, Node, NodeId, Stored};
use crate::sparse::Extents;
use crate::time::Time;

/// The first inode is not at the beginning: its number would be 0, which programs take for a
/// deleted entry.
const FIRST_INODE: u64 = INODE as u64;

/// What distinguishes an image from others.
pub(crate) struct Identity {
    pub(crate) built: Time,
    /// An overlay identifies its layers by their UUIDs.
    pub(crate) uuid: [u8; 16],
}

/// Turns 16 bytes into a UUID of version 4.
pub(crate) fn as_uuid(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

/// Writes the content of a file.
pub(crate) fn store<W: Write + Seek>(
    blocks: &mut Blocks<W>,
    content: &mut dyn Content,
    size: u64,
    extents: Option<&Extents>,
    budget: &mut Budget,
) -> Result<Stored, Error> {
    if chunks::are_worth_it(size, extents) {
        let chunks = chunks::write(blocks, content, size, budget)?;
        return Ok(Stored::Chunks(chunks));
    }
    let first = blocks.next()?;
    // An empty content is read too: the end of a broken archive shows only then.
    blocks.copy(content)?;
    Ok(Stored::Plain(first))
}

/// The position of an inode and of its content.
#[derive(Clone, Copy)]
struct Place {
    /// From the beginning of the metadata.
    offset: u64,
    size: u64,
    layout: Layout,
}

/// Writes the metadata of a tree, the first of whose nodes is its root, and returns the output with
/// the number of inodes.
pub(crate) fn write<W: Write + Seek>(
    nodes: &[Node],
    mut blocks: Blocks<W>,
    identity: &Identity,
) -> Result<(W, u32), Error> {
    let mut places = place_all(nodes);
    for (index, node) in used(nodes) {
        // The contents of files are already written.
        let has_content = matches!(node.body, Body::Directory { .. } | Body::Symlink { .. });
        if has_content && matches!(places[index].layout, Layout::Plain(_)) {
            places[index].layout = Layout::Plain(blocks.next()?);
            blocks.write(&content(nodes, &places, node, index))?;
            blocks.pad_block()?;
        }
    }

    let first_metadata_block = blocks.next()?;
    let start = blocks.position();
    let mut inodes = 0;
    for (index, node) in used(nodes) {
        let place = places[index];
        inodes += 1;
        let inode = Inode {
            file_type: file_type(node),
            mode: node.mode,
            owner: node.owner,
            attribute_bytes: node.attributes.len(),
            modified: node.modified,
            links: links(nodes, node),
            size: place.size,
            layout: place.layout,
            short_number: inodes,
        };
        blocks.pad_to(start + place.offset)?;
        blocks.write(&inode.encode())?;
        blocks.write(&node.attributes)?;
        match &node.body {
            Body::File {
                stored: Stored::Chunks(chunks),
                ..
            } => blocks.write(&chunks.encode())?,
            _ if place.layout == Layout::Inline => {
                blocks.write(&content(nodes, &places, node, index))?;
            }
            _ => {}
        }
    }
    blocks.pad_block()?;

    let root = erofs::inode_number(places[0].offset);
    let superblock = Superblock {
        root: root.try_into().expect("the first inode's number is small"),
        inodes: inodes.into(),
        built: identity.built,
        blocks: blocks.next()?,
        first_metadata_block,
        has_chunks: nodes.iter().any(Node::has_chunks),
        uuid: identity.uuid,
    };
    Ok((blocks.finish(&superblock)?, inodes))
}

/// Finds a place for each inode that is used.
fn place_all(nodes: &[Node]) -> Vec<Place> {
    let nowhere = Place {
        offset: 0,
        size: 0,
        layout: Layout::Plain(0),
    };
    let mut places = vec![nowhere; nodes.len()];
    let mut end = FIRST_INODE;
    for (index, node) in used(nodes) {
        // The length of the inode with its attributes.
        let inode = (INODE + node.attributes.len()) as u64;
        let by_size = |size: u64| {
            if inode + size <= BLOCK as u64 {
                (size, Layout::Inline, size)
            } else {
                (size, Layout::Plain(0), 0)
            }
        };
        // Only the map of chunks may continue in the next blocks.
        let (size, layout, behind) = match &node.body {
            Body::File { size, stored } => match stored {
                Stored::Plain(block) => (*size, Layout::Plain(*block), 0),
                Stored::Chunks(chunks) => {
                    (*size, Layout::Chunks(chunks.bits), chunks.encoded_size())
                }
            },
            Body::Symlink { target } => by_size(target.len() as u64),
            Body::Directory { .. } => {
                let entries = dirents(nodes, &places, node, index);
                by_size(erofs::directory_size(&entries) as u64)
            }
            Body::Fifo => (0, Layout::Plain(0), 0),
            Body::Device(device) => (0, Layout::Device(*device), 0),
        };
        let whole = match layout {
            Layout::Chunks(_) => inode,
            _ => inode + behind,
        };
        let left_in_block = BLOCK as u64 - end % BLOCK as u64;
        if whole > left_in_block {
            end += left_in_block;
        }
        places[index] = Place {
            offset: end,
            size,
            layout,
        };
        end = (end + inode + behind).next_multiple_of(INODE as u64);
    }
    places
}

/// Returns the nodes that have names, with their indexes.
fn used(nodes: &[Node]) -> impl Iterator<Item = (usize, &Node)> {
    let nodes = nodes.iter().enumerate();
    nodes.filter(|(_, node)| node.names > 0)
}

fn content(nodes: &[Node], places: &[Place], node: &Node, index: usize) -> Vec<u8> {
    match &node.body {
        Body::Symlink { target } => target.to_vec(),
        Body::Directory { .. } => erofs::directory(&dirents(nodes, places, node, index)),
        Body::File { .. } | Body::Fifo | Body::Device(_) => Vec::new(),
    }
}

/// Returns the names in a directory, sorted.
fn dirents<'a>(
    nodes: &'a [Node],
    places: &[Place],
    node: &'a Node,
    index: usize,
) -> Vec<Dirent<'a>> {
    let Body::Directory { parent, children } = &node.body else {
        return Vec::new();
    };
    let number = |index: usize| erofs::inode_number(places[index].offset);
    let of_directory = |name, index| Dirent {
        name,
        inode: number(index),
        file_type: FileType::Directory,
    };
    let mut entries = vec![
        of_directory(b".", index),
        of_directory(b"..", parent.index()),
    ];
    entries.extend(children.iter().map(|(name, child)| Dirent {
        name,
        inode: number(child.index()),
        file_type: file_type(&nodes[child.index()]),
    }));
    // Some names are before the dots.
    entries.sort_unstable_by_key(|entry| entry.name);
    entries
}

fn file_type(node: &Node) -> FileType {
    match node.body {
        Body::File { .. } => FileType::Regular,
        Body::Directory { .. } => FileType::Directory,
        Body::Symlink { .. } => FileType::Symlink,
        Body::Fifo => FileType::Fifo,
        Body::Device(device) if device.has_blocks => FileType::BlockDevice,
        Body::Device(_) => FileType::CharacterDevice,
    }
}

/// Returns how many names an inode has: a directory's are its own, `.`, and `..` in each
/// directory in it.
fn links(nodes: &[Node], node: &Node) -> u32 {
    let Body::Directory { children, .. } = &node.body else {
        return node.names;
    };
    let is_directory = |child: &&NodeId| nodes[child.index()].is_directory();
    let below = children.values().filter(is_directory).count();
    u32::try_from(below).unwrap_or(u32::MAX).saturating_add(2)
}
