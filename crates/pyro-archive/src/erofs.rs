//! *EROFS* is the file system of images: read only, and simple to write. This is the part of its
//! format that is used here: no compression, blocks of 4096 bytes, inodes of 64 bytes, which have
//! room for times to the nanosecond.
//!
//! The format is described in the kernel's `Documentation/filesystems/erofs.rst` and defined in
//! its `fs/erofs/erofs_fs.h`. All numbers are little endian. Linux 5.4 and newer read it, 5.15 and
//! newer if there are files with holes.

use crate::numbers::{Device, Owner};
use crate::time::Time;

pub(crate) const BLOCK: usize = 4096;
pub(crate) const SUPERBLOCK_OFFSET: u64 = 1024;
pub(crate) const INODE: usize = 64;

/// The number of an inode is its position in units of 32 bytes, half the size of these inodes.
const SLOT: u64 = 32;
const MAGIC: u32 = 0xE0F5_E1E2;
const BLOCK_BITS: u8 = 12;
/// The times of inodes are modification times. A reader need not know this flag.
const COMPAT_MTIME: u32 = 2;
/// Some inodes have their content in chunks: a reader that does not know this flag must not mount
/// the image.
const INCOMPAT_CHUNKED: u32 = 4;
const EXTENDED_INODE: u16 = 1;
const DIRENT: usize = 12;
const ATTRIBUTES_HEADER: usize = 12;
const ATTRIBUTES_UNIT: usize = 4;

/// Where the content of an inode is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Layout {
    /// In blocks of its own, from this one on.
    Plain(u32),
    /// Right behind the inode, in the same block.
    Inline,
    /// No content: the inode has the number of a device instead.
    Device(Device),
    /// In chunks, whose map is behind the inode. The number is the blocks in a chunk, as a power of
    /// two.
    Chunks(u8),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileType {
    Regular,
    Directory,
    Symlink,
    Fifo,
    CharacterDevice,
    BlockDevice,
}

/// The prefix of an attribute's name, which EROFS stores as a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Namespace {
    User = 1,
    /// `system.posix_acl_access`, a whole name. So is the next one.
    AccessList = 2,
    DefaultAccessList = 3,
    Security = 6,
}

#[derive(Debug)]
pub(crate) struct Superblock {
    pub(crate) root: u16,
    pub(crate) inodes: u64,
    pub(crate) built: Time,
    pub(crate) blocks: u32,
    /// Where inodes begin.
    pub(crate) first_metadata_block: u32,
    pub(crate) has_chunks: bool,
    pub(crate) uuid: [u8; 16],
}

#[derive(Debug)]
pub(crate) struct Inode {
    pub(crate) file_type: FileType,
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
    /// The size of the extended attributes behind it.
    pub(crate) attribute_bytes: usize,
    pub(crate) modified: Time,
    pub(crate) links: u32,
    pub(crate) size: u64,
    pub(crate) layout: Layout,
    /// For programs that cannot handle inode numbers of 64 bits.
    pub(crate) short_number: u32,
}

/// A name in a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dirent<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) inode: u64,
    pub(crate) file_type: FileType,
}

/// Returns the number of the inode at an offset, a multiple of its size, from the first block of
/// metadata.
pub(crate) fn inode_number(offset: u64) -> u64 {
    offset / SLOT
}

impl Superblock {
    pub(crate) fn encode(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MAGIC.to_le_bytes());
        put(8, &COMPAT_MTIME.to_le_bytes());
        put(12, &[BLOCK_BITS]);
        put(14, &self.root.to_le_bytes());
        put(16, &self.inodes.to_le_bytes());
        put(24, &self.built.seconds.to_le_bytes());
        put(32, &self.built.nanoseconds.to_le_bytes());
        put(36, &self.blocks.to_le_bytes());
        put(40, &self.first_metadata_block.to_le_bytes());
        put(48, &self.uuid);
        if self.has_chunks {
            put(80, &INCOMPAT_CHUNKED.to_le_bytes());
        }
        bytes
    }
}

impl Inode {
    pub(crate) fn encode(&self) -> [u8; INODE] {
        let (layout, block) = match self.layout {
            Layout::Plain(block) => (0, block),
            Layout::Inline => (2, 0),
            Layout::Device(device) => (0, device.number()),
            Layout::Chunks(bits) => (4, bits.into()),
        };
        let format: u16 = layout << 1 | EXTENDED_INODE;
        let mode = self.file_type.mode_bits() | self.mode;
        let mut bytes = [0; INODE];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &format.to_le_bytes());
        put(2, &attribute_count(self.attribute_bytes).to_le_bytes());
        put(4, &mode.to_le_bytes()[..2]);
        put(8, &self.size.to_le_bytes());
        put(16, &block.to_le_bytes());
        put(20, &self.short_number.to_le_bytes());
        put(24, &self.owner.user.to_le_bytes());
        put(28, &self.owner.group.to_le_bytes());
        put(32, &self.modified.seconds.to_le_bytes());
        put(40, &self.modified.nanoseconds.to_le_bytes());
        put(44, &self.links.to_le_bytes());
        bytes
    }
}

impl FileType {
    fn mode_bits(self) -> u32 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::Symlink => 0o120_000,
            Self::Fifo => 0o010_000,
            Self::CharacterDevice => 0o020_000,
            Self::BlockDevice => 0o060_000,
        }
    }

    fn dirent_type(self) -> u8 {
        match self {
            Self::Regular => 1,
            Self::Directory => 2,
            Self::CharacterDevice => 3,
            Self::BlockDevice => 4,
            Self::Fifo => 5,
            Self::Symlink => 7,
        }
    }
}

impl Device {
    /// Returns the encoding that Linux uses on disks: twelve bits of the major and twenty of the
    /// minor number.
    fn number(self) -> u32 {
        self.minor & 0xff | self.major << 8 | (self.minor & !0xff) << 12
    }
}

/// Encodes the extended attributes of an inode. They begin with a header of zeros, because none of
/// them is shared with other inodes. The length of a name must fit into 8 bits, that of a value
/// into 16.
pub(crate) fn attributes<'a>(
    attributes: impl Iterator<Item = (Namespace, &'a [u8], &'a [u8])>,
) -> Box<[u8]> {
    let mut bytes = vec![0; ATTRIBUTES_HEADER];
    for (namespace, name, value) in attributes {
        let name_length = u8::try_from(name.len()).expect("names are checked");
        let value_length = u16::try_from(value.len()).expect("sizes are checked");
        bytes.extend_from_slice(&[name_length, namespace as u8]);
        bytes.extend_from_slice(&value_length.to_le_bytes());
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(ATTRIBUTES_UNIT), 0);
    }
    if bytes.len() == ATTRIBUTES_HEADER {
        bytes.clear();
    }
    bytes.into_boxed_slice()
}

/// Returns the field of an inode that has the size of its attributes.
fn attribute_count(bytes: usize) -> u16 {
    let units = bytes.saturating_sub(ATTRIBUTES_HEADER) / ATTRIBUTES_UNIT;
    match bytes {
        0 => 0,
        _ => u16::try_from(units + 1).expect("they fit into a block"),
    }
}

/// Returns the content of a directory: blocks of entries, each with its names behind them. The
/// names, `.` and `..` among them, have to be sorted; readers search.
pub(crate) fn directory(mut entries: &[Dirent<'_>]) -> Vec<u8> {
    let mut content = Vec::new();
    while !entries.is_empty() {
        content.resize(content.len().next_multiple_of(BLOCK), 0);
        let (block, rest) = entries.split_at(fitting(entries));
        let mut name_offset = block.len() * DIRENT;
        for entry in block {
            content.extend_from_slice(&entry.inode.to_le_bytes());
            let offset = u16::try_from(name_offset).expect("it is less than a block");
            content.extend_from_slice(&offset.to_le_bytes());
            content.extend_from_slice(&[entry.file_type.dirent_type(), 0]);
            name_offset += entry.name.len();
        }
        for entry in block {
            content.extend_from_slice(entry.name);
        }
        entries = rest;
    }
    content
}

/// Returns the size of a directory's content.
pub(crate) fn directory_size(mut entries: &[Dirent<'_>]) -> usize {
    let mut size = 0_usize;
    while !entries.is_empty() {
        let (block, rest) = entries.split_at(fitting(entries));
        size = size.next_multiple_of(BLOCK) + block.iter().map(room).sum::<usize>();
        entries = rest;
    }
    size
}

/// Returns how many of the entries fit into one block: at least 15, since names have at most 255
/// bytes.
fn fitting(entries: &[Dirent<'_>]) -> usize {
    let mut left = BLOCK;
    let fits = |entry: &&Dirent<'_>| {
        let fits = room(entry) <= left;
        left -= room(entry).min(left);
        fits
    };
    entries.iter().take_while(fits).count()
}

fn room(entry: &Dirent<'_>) -> usize {
    DIRENT + entry.name.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_has_a_size_of_64_bits_and_a_time_before_1970() {
        let inode = Inode {
            file_type: FileType::Regular,
            mode: 0o4755,
            owner: Owner {
                user: 1000,
                group: 70_000,
            },
            attribute_bytes: 0,
            modified: Time {
                seconds: -2,
                nanoseconds: 5,
            },
            links: 3,
            size: 5 << 32,
            layout: Layout::Plain(7),
            short_number: 9,
        };
        let bytes = inode.encode();
        assert_eq!(bytes[..2], [1, 0]);
        assert_eq!(bytes[4..6], 0o104_755_u16.to_le_bytes());
        assert_eq!(bytes[8..16], (5_u64 << 32).to_le_bytes());
        assert_eq!(bytes[16..20], 7_u32.to_le_bytes());
        assert_eq!(bytes[24..28], 1000_u32.to_le_bytes());
        assert_eq!(bytes[28..32], 70_000_u32.to_le_bytes());
        assert_eq!(bytes[32..40], (-2_i64).to_le_bytes());
        assert_eq!(bytes[44..48], 3_u32.to_le_bytes());
    }

    #[test]
    fn a_directory_is_as_large_as_it_was_said_to_be() {
        let names: Vec<String> = (0..500)
            .map(|number| format!("{number:03}{}", "n".repeat(number % 253)))
            .collect();
        for count in [0, 1, 15, 16, 17, 100, 500] {
            let entries: Vec<_> = names[..count]
                .iter()
                .map(|name| Dirent {
                    name: name.as_bytes(),
                    inode: 7,
                    file_type: FileType::Regular,
                })
                .collect();
            assert_eq!(directory(&entries).len(), directory_size(&entries));
        }
    }
}
