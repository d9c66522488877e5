//! *Holes* replace the contents of an image that no file refers to any more.

use std::fs::File;
use std::io;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::erofs::BLOCK;
use crate::node::{Body, Node, Stored};

/// Punches holes for all blocks between the superblock and the metadata that no file of the tree
/// uses. Does nothing if the file system does not support holes.
pub(crate) fn punch(file: &File, nodes: &[Node], metadata_begin: u32) -> io::Result<()> {
    let mut used = Vec::new();
    for node in nodes.iter().filter(|node| node.names > 0) {
        match &node.body {
            Body::File {
                size,
                stored: Stored::Plain(first),
            } => used.push((u64::from(*first), size.div_ceil(BLOCK as u64))),
            Body::File {
                stored: Stored::Chunks(chunks),
                ..
            } => used.extend(chunks.used()),
            _ => {}
        }
    }
    used.sort_unstable();
    used.push((u64::from(metadata_begin), 0));
    let mut end = 1;
    for (first, count) in used {
        if first > end && !punch_one(file, end, first - end)? {
            return Ok(());
        }
        end = end.max(first + count);
    }
    Ok(())
}

/// Returns whether the file system supports it.
fn punch_one(file: &File, first: u64, count: u64) -> io::Result<bool> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let block = BLOCK as u64;
    loop {
        match rustix::fs::fallocate(file, flags, first * block, count * block) {
            Ok(()) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}
