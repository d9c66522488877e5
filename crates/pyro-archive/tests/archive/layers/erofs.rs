//! A *reader* of EROFS for tests, of the part of the format that is written here. It is written from
//! the format's description, and checks what a reader relies on.

#![allow(
    clippy::cast_possible_truncation,
    reason = "images for tests are small, and the machine has 64 bits"
)]

use std::collections::BTreeMap;

const BLOCK: usize = 4096;
/// The content of larger files, which have holes, is not read.
const LARGEST: usize = 16 << 20;

/// What an inode has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    /// With the type of the file, as `stat` shows it.
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
    pub(crate) links: u32,
    pub(crate) inode: u64,
    pub(crate) device: u32,
    /// By their whole names.
    pub(crate) attributes: BTreeMap<String, Vec<u8>>,
    /// Content or target; nothing of what is neither file nor link.
    pub(crate) content: Vec<u8>,
}

impl Seen {
    pub(crate) fn kind(&self) -> char {
        match self.mode & 0o170_000 {
            0o100_000 => 'f',
            0o040_000 => 'd',
            0o120_000 => 'l',
            0o020_000 => 'c',
            0o060_000 => 'b',
            0o010_000 => 'p',
            other => panic!("type {other:o}"),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

/// Reads a whole image.
pub(crate) fn read(image: &[u8]) -> BTreeMap<Vec<u8>, Seen> {
    let reader = Reader {
        image,
        metadata: number(image, 1024 + 40, 4) as usize * BLOCK,
    };
    assert_eq!(number(image, 1024, 4), 0xE0F5_E1E2);
    assert_eq!(number(image, 1024 + 36, 4) as usize * BLOCK, image.len());
    let root = number(image, 1024 + 14, 2);
    let mut seen = BTreeMap::new();
    let mut ahead = vec![(Vec::new(), root, root)];
    while let Some((path, inode, parent)) = ahead.pop() {
        let found = reader.inode(inode);
        if found.kind() == 'd' {
            let mut below = 0;
            for (name, child, kind) in reader.directory(inode) {
                match &name[..] {
                    b"." => assert_eq!(child, inode),
                    b".." => assert_eq!(child, parent),
                    _ => {
                        below += u32::from(kind == 2);
                        let mut path = path.clone();
                        if !path.is_empty() {
                            path.push(b'/');
                        }
                        path.extend(name);
                        assert_eq!(kind, reader.inode(child).dirent_type());
                        ahead.push((path, child, inode));
                    }
                }
            }
            assert_eq!(found.links, below + 2);
        }
        seen.insert(path, found);
    }
    for found in seen.values().filter(|found| found.kind() != 'd') {
        let names = seen.values().filter(|other| other.inode == found.inode);
        assert_eq!(found.links as usize, names.count());
    }
    let inodes: std::collections::BTreeSet<_> = seen.values().map(|found| found.inode).collect();
    assert_eq!(number(image, 1024 + 16, 8) as usize, inodes.len());
    seen
}

struct Reader<'a> {
    image: &'a [u8],
    metadata: usize,
}

impl Reader<'_> {
    fn inode(&self, inode: u64) -> Seen {
        let at = self.metadata + inode as usize * 32;
        assert!(at.is_multiple_of(64) && inode > 0);
        let field = |offset, length| number(self.image, at + offset, length);
        let mode = field(4, 2) as u32;
        let is_device = matches!(mode & 0o170_000, 0o020_000 | 0o060_000);
        let has_content = matches!(mode & 0o170_000, 0o100_000 | 0o120_000);
        Seen {
            mode,
            owner: (field(24, 4) as u32, field(28, 4) as u32),
            seconds: field(32, 8).cast_signed(),
            nanoseconds: field(40, 4) as u32,
            links: field(44, 4) as u32,
            inode,
            device: if is_device { field(16, 4) as u32 } else { 0 },
            attributes: self.attributes(at),
            content: if has_content {
                self.content(at)
            } else {
                Vec::new()
            },
        }
    }

    fn attribute_bytes(&self, at: usize) -> usize {
        match number(self.image, at + 2, 2) as usize {
            0 => 0,
            count => 12 + 4 * (count - 1),
        }
    }

    fn attributes(&self, at: usize) -> BTreeMap<String, Vec<u8>> {
        let bytes = &self.image[at + 64..at + 64 + self.attribute_bytes(at)];
        assert_eq!(at / BLOCK, (at + 63 + bytes.len()) / BLOCK);
        let mut attributes = BTreeMap::new();
        let mut rest = bytes.get(12..).unwrap_or_default();
        while !rest.is_empty() {
            let (name, value) = (rest[0] as usize, number(rest, 2, 2) as usize);
            let prefix = match rest[1] {
                1 => "user.",
                2 => "system.posix_acl_access",
                3 => "system.posix_acl_default",
                6 => "security.",
                other => panic!("an attribute of kind {other}"),
            };
            let rest_of_name = String::from_utf8_lossy(&rest[4..4 + name]);
            let value_of = rest[4 + name..4 + name + value].to_vec();
            attributes.insert(format!("{prefix}{rest_of_name}"), value_of);
            rest = &rest[(4 + name + value).next_multiple_of(4)..];
        }
        attributes
    }

    fn content(&self, at: usize) -> Vec<u8> {
        let size = number(self.image, at + 8, 8) as usize;
        let start = number(self.image, at + 16, 4) as usize;
        let behind = at + 64 + self.attribute_bytes(at);
        if size > LARGEST {
            return Vec::new();
        }
        match number(self.image, at, 2) >> 1 {
            0 => self.image[start * BLOCK..start * BLOCK + size].to_vec(),
            2 => {
                assert!(behind % BLOCK + size <= BLOCK, "it is in one block");
                self.image[behind..behind + size].to_vec()
            }
            4 => {
                let length = BLOCK << (start & 31);
                let mut content = vec![0; size];
                for (index, chunk) in content.chunks_mut(length).enumerate() {
                    let block = number(self.image, behind + 4 * index, 4) as usize;
                    if block != u32::MAX as usize {
                        let from = &self.image[block * BLOCK..];
                        chunk.copy_from_slice(&from[..chunk.len()]);
                    }
                }
                content
            }
            other => panic!("layout {other}"),
        }
    }

    /// The entries of a directory, which have to be sorted: a name, an inode, a type.
    fn directory(&self, inode: u64) -> Vec<(Vec<u8>, u64, u8)> {
        let content = self.content(self.metadata + inode as usize * 32);
        let mut entries: Vec<(Vec<u8>, u64, u8)> = Vec::new();
        for block in content.chunks(BLOCK) {
            let count = number(block, 8, 2) as usize / 12;
            let offset = |index: usize| number(block, index * 12 + 8, 2) as usize;
            for index in 0..count {
                let end = if index + 1 < count {
                    offset(index + 1)
                } else {
                    block.len()
                };
                let name = &block[offset(index)..end];
                let length = name
                    .iter()
                    .position(|byte| *byte == 0)
                    .unwrap_or(name.len());
                let name = name[..length].to_vec();
                assert!(entries.last().is_none_or(|last| last.0 < name), "sorted");
                entries.push((name, number(block, index * 12, 8), block[index * 12 + 10]));
            }
        }
        entries
    }
}

impl Seen {
    fn dirent_type(&self) -> u8 {
        match self.kind() {
            'f' => 1,
            'd' => 2,
            'c' => 3,
            'b' => 4,
            'p' => 5,
            _ => 7,
        }
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = bytes[at..at + length].iter().rev();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}
