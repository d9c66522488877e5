//! *Packed* records are bytes in a few blocks. A pull may have tens of thousands of them, and as values
//! with strings of their own they take several times as much memory.

use std::iter;
use std::marker::PhantomData;

use super::node::{Node, Sum};

/// How large a block is: so small that it is part of a heap, whose pages are used again.
const BLOCK: usize = 64 * 1024;

/// A record of a path.
pub(super) trait Record: Sized {
    /// The path.
    fn path(&self) -> &str;

    /// Packs all but the path.
    fn pack(&self, to: &mut Packer<'_>);

    /// Makes what was packed with this path.
    fn unpack(path: String, from: &mut Unpacker<'_>) -> Self;
}

/// Packed records, with numbers in their order.
#[derive(Clone, Debug)]
pub(super) struct Packed<R> {
    /// None grows when it is full: that would leave a hole in memory where it was.
    blocks: Vec<Vec<u8>>,
    /// Where each begins: in which block, and where in it.
    starts: Vec<(u32, u32)>,
    record: PhantomData<fn() -> R>,
}

impl<R> Default for Packed<R> {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            starts: Vec::new(),
            record: PhantomData,
        }
    }
}

impl<R: Record> Packed<R> {
    /// Adds a record as the last one.
    pub(super) fn push(&mut self, record: &R) {
        let mut bytes = Vec::new();
        let mut packer = Packer(&mut bytes);
        packer.text(record.path());
        record.pack(&mut packer);
        self.add(&bytes);
    }

    fn add(&mut self, bytes: &[u8]) {
        let has_room = |block: &Vec<u8>| block.capacity() - block.len() >= bytes.len();
        if !self.blocks.last().is_some_and(has_room) {
            let size = BLOCK.max(bytes.len());
            self.blocks.push(Vec::with_capacity(size));
        }
        let number = self.blocks.len() - 1;
        let block = &mut self.blocks[number];
        let start = [number, block.len()].map(u32::try_from);
        let [Ok(number), Ok(start)] = start else {
            unreachable!("paths are at most a million, each of a few kilobytes");
        };
        self.starts.push((number, start));
        block.extend_from_slice(bytes);
    }

    /// Adds all of `more`.
    pub(super) fn append(&mut self, more: &Self) {
        for record in more.iter() {
            self.push(&record);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Returns the record with a number.
    pub(super) fn get(&self, number: usize) -> R {
        let mut unpacker = unpacker(&self.blocks, self.starts[number]);
        let path = unpacker.text().to_owned();
        R::unpack(path, &mut unpacker)
    }

    /// Returns the path of the record with a number.
    pub(super) fn path(&self, number: usize) -> &str {
        unpacker(&self.blocks, self.starts[number]).text()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = R> + '_ {
        (0..self.len()).map(|number| self.get(number))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.path(number))
    }

    /// Sorts the records by their paths.
    pub(super) fn sort(&mut self) {
        let blocks = &self.blocks;
        let path = |start: &(u32, u32)| unpacker(blocks, *start).text();
        self.starts
            .sort_unstable_by(|one, other| path(one).cmp(path(other)));
    }

    /// The number of the record with a path. They must be sorted.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        let found = self
            .starts
            .binary_search_by(|start| unpacker(&self.blocks, *start).text().cmp(path));
        found.ok()
    }

    /// Whether a path is there twice. They must be sorted.
    pub(super) fn has_twins(&self) -> bool {
        iter::zip(self.paths(), self.paths().skip(1)).any(|(one, other)| one == other)
    }
}

fn unpacker(blocks: &[Vec<u8>], (block, start): (u32, u32)) -> Unpacker<'_> {
    Unpacker(&blocks[block as usize][start as usize..])
}

/// A path alone.
pub(super) struct PathRecord(pub(super) String);

impl Record for PathRecord {
    fn path(&self) -> &str {
        &self.0
    }

    fn pack(&self, _: &mut Packer<'_>) {}

    fn unpack(path: String, _: &mut Unpacker<'_>) -> Self {
        Self(path)
    }
}

/// Packs the parts of a record.
pub(super) struct Packer<'a>(&'a mut Vec<u8>);

/// Unpacks the parts of a record, in the order in which they were packed. What was not packed so
/// makes it panic.
pub(super) struct Unpacker<'a>(&'a [u8]);

const ABSENT: u8 = 0;
const FILE: u8 = 1;
const SYMLINK: u8 = 2;
const DIRECTORY: u8 = 3;
const OTHER: u8 = 4;
/// It is the same as one before: this is that of the first, the next that of the second.
const SAME: u8 = 5;

impl Packer<'_> {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn small(&mut self, number: Option<u8>) {
        self.byte(u8::from(number.is_some()));
        self.0.extend(number);
    }

    pub(super) fn number(&mut self, number: Option<usize>) {
        self.byte(u8::from(number.is_some()));
        self.0
            .extend(number.into_iter().flat_map(usize::to_le_bytes));
    }

    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(&text.len().to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Packs the sides of a path, many of which are the same.
    pub(super) fn nodes(&mut self, nodes: &[&Node]) {
        for (number, node) in nodes.iter().enumerate() {
            let same = (SAME..).zip(&nodes[..number]);
            if let Some((same, _)) = same.into_iter().find(|(_, earlier)| *earlier == node) {
                self.byte(same);
                continue;
            }
            match node {
                Node::Absent => self.byte(ABSENT),
                Node::File { sha256, mode } => {
                    self.byte(FILE);
                    self.0.extend_from_slice(&sha256.0);
                    self.0.extend_from_slice(&mode.to_le_bytes());
                }
                Node::Symlink { target } => {
                    self.byte(SYMLINK);
                    self.text(target);
                }
                Node::Directory { mode } => {
                    self.byte(DIRECTORY);
                    self.0.extend_from_slice(&mode.to_le_bytes());
                }
                Node::Other => self.byte(OTHER),
            }
        }
    }
}

impl<'a> Unpacker<'a> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk().expect("it was packed");
        self.0 = rest;
        *taken
    }

    pub(super) fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(super) fn small(&mut self) -> Option<u8> {
        (self.byte() != 0).then(|| self.byte())
    }

    pub(super) fn number(&mut self) -> Option<usize> {
        (self.byte() != 0).then(|| usize::from_le_bytes(self.array()))
    }

    fn text(&mut self) -> &'a str {
        let length = usize::from_le_bytes(self.array());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        std::str::from_utf8(taken).expect("it was packed from text")
    }

    pub(super) fn nodes<const N: usize>(&mut self) -> [Node; N] {
        let mut nodes = [const { Node::Absent }; N];
        for number in 0..N {
            nodes[number] = match self.byte() {
                ABSENT => Node::Absent,
                FILE => Node::File {
                    sha256: Sum(self.array()),
                    mode: u32::from_le_bytes(self.array()),
                },
                SYMLINK => Node::Symlink {
                    target: self.text().to_owned(),
                },
                DIRECTORY => Node::Directory {
                    mode: u32::from_le_bytes(self.array()),
                },
                OTHER => Node::Other,
                same => nodes[usize::from(same - SAME)].clone(),
            };
        }
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Sides(String, [Node; 3], Option<usize>);

    impl Record for Sides {
        fn path(&self) -> &str {
            &self.0
        }

        fn pack(&self, to: &mut Packer<'_>) {
            to.nodes(&self.1.each_ref());
            to.number(self.2);
        }

        fn unpack(path: String, from: &mut Unpacker<'_>) -> Self {
            Self(path, from.nodes(), from.number())
        }
    }

    #[test]
    fn what_was_packed_comes_out_and_is_found() {
        let file = |byte| Node::File {
            sha256: Sum([byte; 32]),
            mode: 0o751,
        };
        let link = |target: &str| Node::Symlink {
            target: target.into(),
        };
        let directory = Node::Directory { mode: 0o777 };
        let all = [
            Node::Absent,
            file(1),
            file(2),
            link(""),
            link("\u{e4}/b"),
            directory,
            Node::Other,
        ];
        let mut records = Vec::new();
        for (number, one) in all.iter().enumerate() {
            for other in &all {
                let sides = [one.clone(), other.clone(), one.clone()];
                let content = (number % 2 == 0).then_some(number << 40);
                records.push(Sides(format!("{:x}", records.len()), sides, content));
            }
        }
        let mut packed = Packed::default();
        let mut more = Packed::default();
        for (number, record) in records.iter().enumerate() {
            let to = if number < 20 { &mut packed } else { &mut more };
            to.push(record);
        }
        packed.append(&more);
        assert!(packed.iter().eq(records.iter().cloned()));
        packed.sort();
        assert!(packed.paths().is_sorted() && !packed.has_twins());
        for record in &records {
            let number = packed.find(&record.0).unwrap();
            assert_eq!(packed.get(number), *record);
        }
        assert_eq!(packed.find("not there"), None);
        packed.push(&records[0]);
        packed.sort();
        assert!(packed.has_twins());
    }
}
