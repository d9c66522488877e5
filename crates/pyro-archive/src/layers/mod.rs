//! *Layers* are what an OCI image is made of: tar files, each of which says what it adds, changes and
//! deletes of those below it. Here they become one image, the lowest layer first.
//!
//! A layer is read once. The contents of its files go straight into the image; what it says of names
//! is kept until the layer ends, because its deletions come before its additions, wherever they are in
//! the file. When all layers are in, the metadata are written, and holes are punched where contents
//! lie that nothing leads to any more.

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
/// One in so many bytes of what describes entries may be paths that links lead to.
const LINKED: u64 = 8;
/// How much longer than twice its contents an image may be, without its metadata: each file has the
/// rest of a block.
const MOST_OVERHEAD: u64 = crate::MAX_ENTRIES * 4096;

/// What layers may have, all together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LayerLimits {
    /// Entries, and directories that are made for them: at most [`MAX_ENTRIES`](crate::MAX_ENTRIES).
    pub entries: u64,
    /// Names, targets of links and extended attributes, in bytes. They are kept in memory, those of
    /// the layer that is being read twice.
    pub description_bytes: u64,
    /// The contents of files, in bytes, also of those that another layer replaces.
    pub content_bytes: u64,
}

/// What a layer had.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LayerReport {
    /// The digest of its tar file, unpacked: `sha256:` and 64 hexadecimal digits. The configuration of
    /// an image has the same in `rootfs.diff_ids`.
    pub diff_id: String,
    /// Entries, without those that delete something and without those that were left out.
    pub entries: u64,
    /// Entries that delete something of lower layers.
    pub whiteouts: u64,
    /// Bytes of its files, without their holes.
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
    /// The layer that was not added as a whole.
    broken: Option<String>,
}

/// What is left of the limits.
#[derive(Debug)]
struct Left {
    entries: u64,
    description_bytes: u64,
    content_bytes: u64,
}

impl Default for LayerLimits {
    /// As many entries as an archive may have, 256 MiB to describe them, 32 GiB of contents.
    fn default() -> Self {
        Self {
            entries: crate::MAX_ENTRIES,
            description_bytes: 256 << 20,
            content_bytes: 32 << 30,
        }
    }
}

impl LayerImage {
    /// Begins an image in a file, whose content is lost.
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

    /// Adds the next layer, which lies over those before it: a tar file, packed with gzip, zstd or xz
    /// or not at all, as its first bytes say. What the layer is called is for errors.
    ///
    /// The caller has checked the digest of what is read here, and compares [`LayerReport::diff_id`]
    /// with what the configuration of the image says. Nothing of a layer is opened or run, and no link
    /// in it followed outside of the image that is being made.
    ///
    /// # Errors
    /// [`Error::LayerRefused`] names an entry that may not be in an image, [`Error::LayerDamaged`] says
    /// what is wrong with the file or could not be read; [`Error::TooManyEntries`],
    /// [`Error::DescriptionTooLong`], [`Error::ImageTooLarge`]; [`Error::Write`]. After any of them the image has no other use than to be removed.
    pub fn add_layer(&mut self, name: &str, input: impl Read) -> Result<LayerReport, Error> {
        self.check()?;
        self.broken = Some(name.into());
        let report = self.read_layer(input).map_err(|error| error.of_layer(name));
        if report.is_ok() {
            self.broken = None;
        }
        report
    }

    /// Finishes the image: makes what a guest needs, writes the metadata, and gives the place of what was
    /// overwritten or deleted back to the file system. Nothing is flushed to the disk.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::TooManyEntries`], [`Error::TooLarge`]; [`Error::Refused`] for a
    /// directory that is wanted and that cannot be; [`Error::LayerDamaged`] if a layer was not added.
    pub fn finish(mut self, wanted: &Wanted) -> Result<Flattened, Error> {
        self.check()?;
        normal::normalise(&mut self.merged, wanted)?;
        let metadata_begin = self.blocks.next()?;
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&self.diff_ids.finalize()[..16]);
        let identity = Identity {
            // The same layers give the same image.
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
        // A file of no bytes is a layer that changes nothing.
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

    /// Counts what is kept to describe an entry.
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
        // The holes in the chunks of a file take room here, though not on the disk.
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

/// A content of which no more is read than there may be, whatever was said of its size.
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
