//! An *image* is a file system in a file: what an archive becomes when it is mounted and not
//! unpacked.
//!
//! Written in one pass: a block left free for the superblock, then the files' contents as they
//! come, then what is known only at the end: large directories, then all inodes, with what is
//! small right behind them. The superblock comes last, so that nothing unfinished can be mounted.

use std::io::{self, Seek, SeekFrom, Write};

use crate::Counts;
use crate::erofs::{
    self, BLOCK, Dirent, FileType, INODE, Inode, Layout, SUPERBLOCK_OFFSET, Superblock,
};
use crate::error::{Error, Refusal};
use crate::member::{Content, MemberPath, What};
use crate::progress::Progress;
use crate::source::Source;
use crate::time::Time;
use crate::tree::{Body, Node, NodeId, Tree};

/// How much is written at a time. A multiple of a block.
const BUFFER: usize = 1 << 20;

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
) -> Result<Counts, Error> {
    let prefix = MemberPath::parse(prefix.as_bytes())?;
    if prefix.parts().count() != 1 {
        return Err(Error::refused(prefix.as_bytes(), Refusal::UnsafePath));
    }
    let now = Time::now();
    let mut tree = Tree::below(&prefix, now);
    let mut counts = Counts::default();
    let mut blocks = Blocks::after_superblock(output)?;
    source.each(progress, &mut |member, content| {
        let added = tree.add(&member)?;
        counts.entry_count += 1;
        if let What::File { size } = member.what {
            counts.bytes_written += size;
            if size > 0 {
                tree.set_block(added.node, blocks.next()?);
                blocks.copy(content)?;
            }
        }
        Ok(())
    })?;
    tree.finish()?;
    write_metadata(&tree, blocks, now)?;
    Ok(counts)
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
        let is_file = matches!(node.body, Body::File { .. });
        if !is_file && matches!(places[index].layout, Layout::Plain(_)) {
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
        if place.layout == Layout::Inline {
            blocks.write(&content(tree, &places, node, index))?;
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
        let (size, block) = match &node.body {
            Body::File { size, block } => (*size, Some(*block)),
            Body::Symlink { target } => (target.len() as u64, None),
            Body::Directory { .. } => {
                let entries = dirents(tree, &places, node, index);
                (erofs::directory_size(&entries) as u64, None)
            }
        };
        let room_in_block = (BLOCK - INODE) as u64;
        let (layout, length) = match block {
            Some(block) => (Layout::Plain(block), INODE as u64),
            None if size <= room_in_block => (Layout::Inline, INODE as u64 + size),
            None => (Layout::Plain(0), INODE as u64),
        };
        let left_in_block = BLOCK as u64 - end % BLOCK as u64;
        if length > left_in_block {
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
        Body::File { .. } => Vec::new(),
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

/// Writes blocks one after the other, many at a time.
struct Blocks<W> {
    output: W,
    buffer: Vec<u8>,
    /// How much of the buffer is used.
    filled: usize,
    /// Bytes of the output before the buffer.
    flushed: u64,
}

impl<W: Write + Seek> Blocks<W> {
    fn after_superblock(mut output: W) -> Result<Self, Error> {
        let flushed = BLOCK as u64;
        output.seek(SeekFrom::Start(flushed)).map_err(fault)?;
        Ok(Self {
            output,
            buffer: vec![0; BUFFER],
            filled: 0,
            flushed,
        })
    }

    fn position(&self) -> u64 {
        self.flushed + self.filled as u64
    }

    /// Returns the number of the block that comes next. The one before has to be full.
    fn next(&self) -> Result<u32, Error> {
        u32::try_from(self.position() / BLOCK as u64).map_err(|_| Error::TooLarge)
    }

    /// Writes a file's content and fills its last block.
    fn copy(&mut self, content: &mut dyn Content) -> Result<(), Error> {
        loop {
            if self.filled == BUFFER {
                self.flush()?;
            }
            match content.read(&mut self.buffer[self.filled..])? {
                0 => break,
                read => self.filled += read,
            }
        }
        self.pad_block()
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.filled == BUFFER {
                self.flush()?;
            }
            let fitting = bytes.len().min(BUFFER - self.filled);
            self.buffer[self.filled..self.filled + fitting].copy_from_slice(&bytes[..fitting]);
            self.filled += fitting;
            bytes = &bytes[fitting..];
        }
        Ok(())
    }

    fn pad_block(&mut self) -> Result<(), Error> {
        self.pad_to(self.position().next_multiple_of(BLOCK as u64))
    }

    /// Writes zeros up to a position that is at most a block away.
    fn pad_to(&mut self, position: u64) -> Result<(), Error> {
        let missing = usize::try_from(position - self.position()).expect("it is less than a block");
        self.write(&[0; BLOCK][..missing])
    }

    fn flush(&mut self) -> Result<(), Error> {
        // Also keeps what was announced as a 16 TiB file of zeros from being too much.
        self.next()?;
        let bytes = &self.buffer[..self.filled];
        let zeros = [0; BLOCK];
        if bytes
            .chunks(BLOCK)
            .all(|chunk| *chunk == zeros[..chunk.len()])
        {
            let skipped = i64::try_from(self.filled).expect("a buffer is small");
            self.output
                .seek(SeekFrom::Current(skipped))
                .map_err(fault)?;
        } else {
            self.output.write_all(bytes).map_err(fault)?;
        }
        self.flushed += self.filled as u64;
        self.filled = 0;
        Ok(())
    }

    /// Writes the rest, even if it is zeros, so that the output is as long as it says; then the
    /// superblock.
    fn finish(mut self, superblock: &Superblock) -> Result<(), Error> {
        let rest = &self.buffer[..self.filled];
        self.output.write_all(rest).map_err(fault)?;
        let start = SeekFrom::Start(SUPERBLOCK_OFFSET);
        self.output.seek(start).map_err(fault)?;
        self.output.write_all(&superblock.encode()).map_err(fault)?;
        self.output.flush().map_err(fault)
    }
}

fn fault(source: io::Error) -> Error {
    Error::Write {
        output: "image",
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn blocks_are_counted_up_to_16_tib() {
        let mut blocks = Blocks::after_superblock(Cursor::new(Vec::new())).unwrap();
        assert_eq!(blocks.next().unwrap(), 1);
        blocks.flushed = 5 << 30;
        assert_eq!(blocks.next().unwrap(), 5 << 18);
        blocks.flushed = (1 << 44) - BLOCK as u64;
        assert_eq!(blocks.next().unwrap(), u32::MAX);
        blocks.flushed = 1 << 44;
        assert!(matches!(blocks.next(), Err(Error::TooLarge)));
        blocks.write(&vec![1; BUFFER]).unwrap();
        assert!(matches!(blocks.flush(), Err(Error::TooLarge)));
    }
}
