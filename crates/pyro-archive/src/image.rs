//! An *image* is a file system in a file: what an archive becomes when it is mounted and not
//! unpacked.
//!
//! Written in one pass: a block left free for the superblock, then the files' contents as they
//! come, then what is known only at the end: large directories, then all inodes, with what is
//! small right behind them. The superblock comes last, so that nothing unfinished can be mounted.

use std::io::{Seek, Write};

use crate::Report;
use crate::blocks::Blocks;
use crate::chunks::{self, Budget};
use crate::erofs::{self, BLOCK, Dirent, FileType, INODE, Inode, Layout, Superblock};
use crate::error::{Error, Refusal};
use crate::member::{MemberPath, What};
use crate::progress::Progress;
use crate::source::Source;
use crate::time::Time;
use crate::tree::{Body, Node, NodeId, Stored, Tree};

/// The first inode is not at the beginning: its number would be 0, which programs take for an
/// entry that was deleted.
const FIRST_INODE: u64 = INODE as u64;

/// Writes an EROFS image that has all of a source below one directory, `prefix`, of its root.
/// Both belong to root, have mode 0755 and the current time.
///
/// The output has to be empty and at its beginning; blocks of zeros are not written but left out,
/// so that a file stays as sparse as it can. It is not flushed to the disk. After an error it is
/// not a file system, and has no other use.
///
/// Fails with [`Error::Refused`] if the prefix is not one plain name.
pub fn write_image(
    source: &Source,
    output: impl Write + Seek,
    prefix: &str,
    progress: &dyn Fn(Progress),
) -> Result<Report, Error> {
    let prefix = MemberPath::parse(prefix.as_bytes())?;
    if prefix.parts().count() != 1 {
        return Err(Error::refused(prefix.as_bytes(), Refusal::UnsafePath));
    }
    let now = Time::now();
    let mut tree = Tree::below(&prefix, now);
    let mut budget = Budget::default();
    let mut blocks = Blocks::after_superblock(output)?;
    let report = source.each(progress, &mut |member, content| {
        let added = tree.add(&member)?;
        let What::File { size, extents } = member.what else {
            return Ok(());
        };
        let stored = if chunks::are_worth_it(size, extents.as_ref()) {
            Stored::Chunks(chunks::write(&mut blocks, content, size, &mut budget)?)
        } else {
            let first = blocks.next()?;
            // Also what is empty has an end, and that may be of a broken archive.
            blocks.copy(content)?;
            Stored::Plain(first)
        };
        tree.set_stored(added.node, stored);
        Ok(())
    })?;
    write_metadata(&tree, blocks, now)?;
    Ok(report)
}

/// Where an inode and its content are.
#[derive(Clone, Copy)]
struct Place {
    /// From the beginning of the metadata.
    offset: u64,
    size: u64,
    layout: Layout,
}

fn write_metadata<W: Write + Seek>(
    tree: &Tree,
    mut blocks: Blocks<W>,
    now: Time,
) -> Result<(), Error> {
    let mut places = place_all(tree);
    for (index, node) in used(tree) {
        // The content of files is there already.
        let has_content = matches!(node.body, Body::Directory { .. } | Body::Symlink { .. });
        if has_content && matches!(places[index].layout, Layout::Plain(_)) {
            places[index].layout = Layout::Plain(blocks.next()?);
            blocks.write(&content(tree, &places, node, index))?;
            blocks.pad_block()?;
        }
    }

    let first_metadata_block = blocks.next()?;
    let start = blocks.position();
    let mut inodes = 0;
    for (index, node) in used(tree) {
        let place = places[index];
        inodes += 1;
        let inode = Inode {
            file_type: file_type(node),
            mode: node.mode,
            modified: node.modified,
            links: links(tree, node),
            size: place.size,
            layout: place.layout,
            short_number: inodes,
        };
        blocks.pad_to(start + place.offset)?;
        blocks.write(&inode.encode())?;
        match &node.body {
            Body::File {
                stored: Stored::Chunks(chunks),
                ..
            } => blocks.write(&chunks.encode())?,
            _ if place.layout == Layout::Inline => {
                blocks.write(&content(tree, &places, node, index))?;
            }
            _ => {}
        }
    }
    blocks.pad_block()?;

    let root = erofs::inode_number(places[0].offset);
    let superblock = Superblock {
        root: root.try_into().expect("the first inode's number is small"),
        inodes: inodes.into(),
        built: now,
        blocks: blocks.next()?,
        first_metadata_block,
        has_chunks: tree.nodes().iter().any(Node::has_chunks),
        uuid: uuid(),
    };
    blocks.finish(&superblock)
}

/// Finds a place for each inode that is used.
fn place_all(tree: &Tree) -> Vec<Place> {
    let nowhere = Place {
        offset: 0,
        size: 0,
        layout: Layout::Plain(0),
    };
    let mut places = vec![nowhere; tree.nodes().len()];
    let mut end = FIRST_INODE;
    for (index, node) in used(tree) {
        let room_in_block = (BLOCK - INODE) as u64;
        let by_size = |size: u64| {
            if size <= room_in_block {
                (size, Layout::Inline, INODE as u64 + size)
            } else {
                (size, Layout::Plain(0), INODE as u64)
            }
        };
        let (size, layout, length) = match &node.body {
            Body::File { size, stored } => match stored {
                Stored::Plain(block) => (*size, Layout::Plain(*block), INODE as u64),
                // Its map may go on in the next blocks.
                Stored::Chunks(chunks) => {
                    let length = INODE as u64 + chunks.encoded_size();
                    (*size, Layout::Chunks(chunks.bits), length)
                }
            },
            Body::Symlink { target } => by_size(target.len() as u64),
            Body::Directory { .. } => {
                let entries = dirents(tree, &places, node, index);
                by_size(erofs::directory_size(&entries) as u64)
            }
            Body::Fifo => (0, Layout::Plain(0), INODE as u64),
        };
        let left_in_block = BLOCK as u64 - end % BLOCK as u64;
        if length > left_in_block && !matches!(layout, Layout::Chunks(_)) {
            end += left_in_block;
        }
        places[index] = Place {
            offset: end,
            size,
            layout,
        };
        end = (end + length).next_multiple_of(INODE as u64);
    }
    places
}

fn used(tree: &Tree) -> impl Iterator<Item = (usize, &Node)> {
    let nodes = tree.nodes().iter().enumerate();
    nodes.filter(|(_, node)| node.names > 0)
}

fn content(tree: &Tree, places: &[Place], node: &Node, index: usize) -> Vec<u8> {
    match &node.body {
        Body::Symlink { target } => target.to_vec(),
        Body::Directory { .. } => erofs::directory(&dirents(tree, places, node, index)),
        Body::File { .. } | Body::Fifo => Vec::new(),
    }
}

/// Returns the names in a directory, sorted.
fn dirents<'a>(tree: &'a Tree, places: &[Place], node: &'a Node, index: usize) -> Vec<Dirent<'a>> {
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
        file_type: file_type(tree.node(*child)),
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
    }
}

/// Returns how many names an inode has: a directory's are its own, `.`, and `..` in each
/// directory in it.
fn links(tree: &Tree, node: &Node) -> u32 {
    let Body::Directory { children, .. } = &node.body else {
        return node.names;
    };
    let is_directory = |child: &&NodeId| file_type(tree.node(**child)) == FileType::Directory;
    let below = children.values().filter(is_directory).count();
    u32::try_from(below).unwrap_or(u32::MAX).saturating_add(2)
}

/// A random one, of version 4: an overlay tells its layers apart by them.
fn uuid() -> [u8; 16] {
    let mut uuid = [0; 16];
    let _filled = rustix::rand::getrandom(&mut uuid, rustix::rand::GetRandomFlags::empty());
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}
