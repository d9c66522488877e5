//! An OCI image consists of *layers*: tar files, each of which adds, changes and deletes files of
//! the layers below it. This module flattens them into one image, starting with the lowest layer.
//!
//! Each layer is read once. The contents of its files are written into the image immediately. Its
//! names are kept until the layer ends, because its deletions have to be applied before its
//! additions, wherever they are in the file. After the last layer the metadata are written, and
//! holes are punched for contents that no file refers to any more.

mod attributes;
mod entry;
mod flattened;
mod holes;
mod merged;
mod normal;
mod walk;

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::blocks::Blocks;
use crate::chunks::Budget;
use crate::compressed;
use crate::content::{Content, Piece};
use crate::error::{Error, fault};
use crate::metadata::{self, Identity};
use crate::node::Stored;
use crate::sparse::Sparse;
use crate::tar_member::Described;
use crate::tar_members::TarMembers;
use crate::tar_reader::{TarContent, TarReader};
use crate::time::Time;
use entry::{Entry, Layer, Place, Shape};
pub use flattened::Flattened;
use merged::Merged;
pub use normal::Wanted;

const BUFFER: usize = 256 * 1024;
/// The bytes that links may add to paths are the limit of descriptions divided by this.
const LINKED: u64 = 8;
/// An image without its metadata may be longer than twice the limit of contents by this much: each
/// file is padded to a whole block.
const MOST_OVERHEAD: u64 = crate::MAX_ENTRIES * 4096;

/// The limits for all layers of an image together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LayerLimits {
    /// The number of entries, and of files and directories made from them: at most
    /// [`MAX_ENTRIES`](crate::MAX_ENTRIES).
    pub entries: u64,
    /// The size of paths, targets of links and extended attributes, in bytes. They are kept in
    /// memory; those of the current layer twice.
    pub description_bytes: u64,
    /// The size of the contents of files, in bytes, including files that a later layer replaces.
    pub content_bytes: u64,
}

/// What was read from a layer.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LayerReport {
    /// The digest of the uncompressed tar file: `sha256:` and 64 hexadecimal digits, as in
    /// `rootfs.diff_ids` of the image's configuration.
    pub diff_id: String,
    /// The number of entries, without whiteouts and ignored entries.
    pub entries: u64,
    /// The number of entries that remove something from lower layers.
    pub whiteouts: u64,
    /// The size of the contents of its files in bytes, without holes.
    pub content_bytes: u64,
}

/// An image that layers are added to.
pub struct LayerImage {
    blocks: Blocks<File>,
    limits: LayerLimits,
    left: Left,
    budget: Budget,
    merged: Merged,
    diff_ids: Sha256,
    /// The layer at which an error occurred.
    broken: Option<String>,
}

/// The remaining part of the limits.
#[derive(Debug)]
struct Left {
    entries: u64,
    description_bytes: u64,
    content_bytes: u64,
}

impl Default for LayerLimits {
    /// As many entries as an archive may have, 256 MiB of descriptions, 32 GiB of contents.
    fn default() -> Self {
        Self {
            entries: crate::MAX_ENTRIES,
            description_bytes: 256 << 20,
            content_bytes: 32 << 30,
        }
    }
}

impl LayerImage {
    /// Begins an image in a file that is open for reading and writing. The file is truncated.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn create(file: File, limits: LayerLimits) -> Result<Self, Error> {
        let limits = LayerLimits {
            entries: limits.entries.min(crate::MAX_ENTRIES),
            ..limits
        };
        let source = file.set_len(0);
        source.map_err(|source| Error::Write {
            output: "image",
            source,
        })?;
        Ok(Self {
            blocks: Blocks::after_superblock(file)?,
            limits,
            left: Left {
                entries: limits.entries,
                description_bytes: limits.description_bytes,
                content_bytes: limits.content_bytes,
            },
            budget: Budget::default(),
            merged: Merged::new(limits.entries, limits.description_bytes / LINKED),
            diff_ids: Sha256::new(),
            broken: None,
        })
    }

    /// Adds the next layer on top of the earlier ones: a tar file, compressed with gzip, zstd or xz
    /// or not at all, which its first bytes tell. `name` is for errors.
    ///
    /// The caller checks the digest of the input before this call, and afterwards compares
    /// [`LayerReport::diff_id`] with the configuration of the image. No file of the host is made,
    /// opened or run because of a layer's content. To cancel, the input returns an error that is
    /// not `Interrupted`.
    ///
    /// # Errors
    /// [`Error::LayerRefused`] names an entry that is not allowed. [`Error::LayerDamaged`] says
    /// what is wrong with the file. [`Error::LayerUnreadable`] if the input fails with an error of
    /// the system. [`Error::TooManyEntries`], [`Error::DescriptionTooLong`] and
    /// [`Error::ImageTooLarge`] for the limits; [`Error::Write`]. After an error the image cannot
    /// be continued: the caller removes its file.
    pub fn add_layer(&mut self, name: &str, input: impl Read) -> Result<LayerReport, Error> {
        self.check()?;
        self.broken = Some(name.into());
        let report = self.read_layer(input).map_err(|error| error.of_layer(name));
        if report.is_ok() {
            self.broken = None;
        }
        report
    }

    /// Finishes the image: makes the directories that a guest needs, writes the metadata, and
    /// punches holes for overwritten and deleted files. Does not flush the file to the disk.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::TooManyEntries`], [`Error::TooLarge`]; [`Error::Refused`] for a
    /// wanted directory whose name is not allowed; [`Error::LayerDamaged`] if adding a layer has
    /// failed.
    pub fn finish(mut self, wanted: &Wanted) -> Result<Flattened, Error> {
        self.check()?;
        normal::normalise(&mut self.merged, wanted)?;
        let metadata_begin = self.blocks.next()?;
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&self.diff_ids.finalize()[..16]);
        let identity = Identity {
            // So that the same layers always become the same image.
            built: Time::EPOCH,
            uuid: metadata::as_uuid(uuid),
        };
        let (file, inodes) = metadata::write(self.merged.nodes(), self.blocks, &identity)?;
        Flattened::new(file, self.merged, inodes, metadata_begin)
    }

    fn check(&self) -> Result<(), Error> {
        match &self.broken {
            None => Ok(()),
            Some(layer) => Err(Error::LayerDamaged {
                layer: layer.clone(),
                problem: "it was not added as a whole".into(),
            }),
        }
    }

    fn read_layer(&mut self, input: impl Read) -> Result<LayerReport, Error> {
        let has_more = Cell::new(false);
        let of_file = fault(Path::new(""));
        let input = compressed::unpacked(input, &has_more).map_err(&of_file)?;
        let mut input = Hashing {
            input,
            hash: Sha256::new(),
        };
        let mut layer = Layer::default();
        let content_bytes = self.left.content_bytes;
        let mut buffered = BufReader::with_capacity(BUFFER, &mut input);
        // An empty file is accepted as a layer without entries.
        if !buffered.fill_buf().map_err(&of_file)?.is_empty() {
            let mut members = TarMembers::new(&mut buffered, Path::new(""));
            while let Some(described) = members.next()? {
                self.read_entry(&described, &mut members.tar, &mut layer)?;
            }
            members.end()?;
        }
        if has_more.get() {
            return Err(of_file(io::Error::new(
                io::ErrorKind::InvalidData,
                "there is something behind its end",
            )));
        }
        let digest = input.hash.finalize();
        self.diff_ids.update(digest);
        let report = LayerReport {
            diff_id: digest.iter().fold("sha256:".into(), |mut text, byte| {
                let _written = write!(text, "{byte:02x}");
                text
            }),
            entries: layer.entries.len() as u64,
            whiteouts: layer.removed.len() as u64,
            content_bytes: content_bytes - self.left.content_bytes,
        };
        self.merged.apply(layer)?;
        Ok(report)
    }

    /// Reads an entry, and writes its content into the image.
    fn read_entry(
        &mut self,
        described: &Described,
        tar: &mut TarReader<'_>,
        layer: &mut Layer,
    ) -> Result<(), Error> {
        let left = self.left.entries.checked_sub(1);
        self.left.entries = left.ok_or(Error::TooManyEntries {
            limit: self.limits.entries,
        })?;
        let stored = described.stored;
        let mut content = TarContent { tar, left: stored };
        let path = match Place::of(described)? {
            Place::Nowhere => return content.tar.skip_content(stored),
            Place::Removed(removed) => {
                self.describe(removed.description_bytes())?;
                layer.removed.push(removed);
                return content.tar.skip_content(stored);
            }
            Place::At(path) => path,
        };
        let (mut entry, shape) = Entry::new(path, described, &mut content)?;
        self.describe(entry.description_bytes())?;
        if let Some(shape) = shape {
            let stored = self.store(&mut content, &shape)?;
            entry.set_stored(stored);
        }
        layer.entries.push(entry);
        let left = content.left;
        tar.skip(left)?;
        tar.skip_padding(stored)
    }

    /// Counts the bytes that an entry takes in memory.
    fn describe(&mut self, bytes: usize) -> Result<(), Error> {
        let left = self.left.description_bytes.checked_sub(bytes as u64);
        self.left.description_bytes = left.ok_or(Error::DescriptionTooLong {
            limit: self.limits.description_bytes,
        })?;
        Ok(())
    }

    /// Writes the content of a file.
    fn store(&mut self, content: &mut TarContent<'_, '_>, shape: &Shape) -> Result<Stored, Error> {
        let limit = self.limits.content_bytes;
        let mut sparse;
        let content: &mut dyn Content = match &shape.extents {
            None => content,
            Some(extents) => {
                sparse = Sparse::new(content, extents, shape.size);
                &mut sparse
            }
        };
        let mut bounded = Bounded {
            content,
            left: &mut self.left.content_bytes,
            limit,
        };
        let extents = shape.extents.as_ref();
        let (blocks, budget) = (&mut self.blocks, &mut self.budget);
        let stored = metadata::store(blocks, &mut bounded, shape.size, extents, budget)?;
        // Holes inside of chunks make the file longer, though they take no space on the disk.
        if self.blocks.position() > limit.saturating_mul(2).saturating_add(MOST_OVERHEAD) {
            return Err(Error::ImageTooLarge { limit });
        }
        Ok(stored)
    }
}

impl fmt::Debug for LayerImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("LayerImage");
        shown.field("left", &self.left).finish_non_exhaustive()
    }
}

/// Computes the digest of what is read.
struct Hashing<R> {
    input: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// Counts a content while it is read, whatever size the header claims.
struct Bounded<'a> {
    content: &'a mut dyn Content,
    left: &'a mut u64,
    limit: u64,
}

impl Content for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Error> {
        let piece = self.content.read(buffer)?;
        if let Piece::Data(read) = piece {
            let left = self.left.checked_sub(read as u64);
            *self.left = left.ok_or(Error::ImageTooLarge { limit: self.limit })?;
        }
        Ok(piece)
    }
}
