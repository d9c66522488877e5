//! The finished image, *flattened*: files in it can be looked up and read.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::holes;
use super::merged::Merged;
use super::walk::Walk;
use crate::erofs::BLOCK;
use crate::error::Error;
use crate::node::{Body, Node, Stored};

/// The unit of `st_blocks`, whatever the file system's is.
const STAT_BLOCK: u64 = 512;

/// A finished image of the root file system that layers describe.
#[derive(Debug)]
pub struct Flattened {
    file: File,
    merged: Merged,
    inodes: u32,
}

impl Flattened {
    pub(crate) fn new(
        file: File,
        merged: Merged,
        inodes: u32,
        metadata_begin: u32,
    ) -> Result<Self, Error> {
        holes::punch(&file, merged.nodes(), metadata_begin).map_err(fault)?;
        Ok(Self {
            file,
            merged,
            inodes,
        })
    }

    /// How many files, directories, links and devices there are.
    pub fn inodes(&self) -> u64 {
        self.inodes.into()
    }

    /// The length of the file in bytes.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn size(&self) -> Result<u64, Error> {
        Ok(self.file.metadata().map_err(fault)?.len())
    }

    /// The space that the file takes on the disk, in bytes. Some file systems know it only after
    /// the file was flushed.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn disk_bytes(&self) -> Result<u64, Error> {
        Ok(self.file.metadata().map_err(fault)?.blocks() * STAT_BLOCK)
    }

    /// Whether there is an executable file at a path of the image. Symbolic links are followed
    /// inside the image.
    pub fn is_program(&self, path: &str) -> bool {
        let node = self.find(path);
        node.is_some_and(|node| matches!(node.body, Body::File { .. }) && node.mode & 0o111 != 0)
    }

    /// Returns the content of the file at a path of the image. None if there is no file, or if it
    /// is longer than `most` bytes or has large holes. Symbolic links are followed inside the
    /// image.
    ///
    /// # Errors
    /// [`Error::Write`] if the image cannot be read.
    pub fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(Node {
            body:
                Body::File {
                    size,
                    stored: Stored::Plain(first),
                },
            ..
        }) = self.find(path)
        else {
            return Ok(None);
        };
        let Some(size) = usize::try_from(*size).ok().filter(|_| *size <= most) else {
            return Ok(None);
        };
        let mut content = vec![0; size];
        let place = u64::from(*first) * BLOCK as u64;
        self.file
            .read_exact_at(&mut content, place)
            .map_err(fault)?;
        Ok(Some(content))
    }

    /// Returns the file of the image.
    pub fn into_file(self) -> File {
        self.file
    }

    fn find(&self, path: &str) -> Option<&Node> {
        let node = self.merged.find(&mut Walk::new(path.as_bytes()))?;
        Some(self.merged.node(node))
    }
}

fn fault(source: io::Error) -> Error {
    Error::Write {
        output: "image",
        source,
    }
}
