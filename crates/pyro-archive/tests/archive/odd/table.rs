//! The *table* of odd archives. A line for each: its name, how it is made, what GNU tar, bsdtar and
//! Python make of it, what is made of it here, and why.

use std::io::Write;

use flate2::write::GzEncoder;

use super::Odd;
use super::Outcome::{Depends, Partly, Refuses, Takes};
use crate::Tar;

mod first;
mod second;
mod third;

/// All lines.
pub(super) fn table() -> impl Iterator<Item = &'static Odd> {
    [first::LINES, second::LINES, third::LINES]
        .into_iter()
        .flatten()
}

fn tar() -> Tar {
    Tar::default()
}

/// Adds zeros.
fn pad(mut bytes: Vec<u8>, count: usize) -> Vec<u8> {
    bytes.resize(bytes.len() + count, 0);
    bytes
}

fn altered(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

/// Writes something into a header.
fn put(header: &mut [u8; 512], at: usize, value: &[u8]) {
    header[at..at + value.len()].copy_from_slice(value);
}

/// The same where no sum follows. The field of the sum keeps six digits if nothing is given.
fn sum(mut bytes: Vec<u8>, value: Option<&[u8]>) -> Vec<u8> {
    match value {
        Some(value) => bytes[148..148 + value.len()].copy_from_slice(value),
        None => bytes[154..156].fill(b' '),
    }
    bytes
}

/// A name with bytes above 127, summed up as some machines did.
fn signed_sum() -> Vec<u8> {
    let mut bytes = tar().member(b'0', b"\xc3\xa4", b"", b"1").end();
    bytes[148..156].fill(b' ');
    let sum: i64 = bytes[..512]
        .iter()
        .map(|byte| i64::from(byte.cast_signed()))
        .sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A block, a hole up to 8192, two blocks, and a hole up to 20000, as GNU tar wrote it first.
fn old_sparse() -> Vec<u8> {
    tar()
        .odd(b'S', "a", &BLOCKS, |header| {
            put(header, 386, b"00000000000\x0000000001000\0");
            put(header, 410, b"00000020000\x0000000002000\0");
            put(header, 434, b"00000047040\x0000000000000\0");
            put(header, 483, b"00000047040\0");
        })
        .file("b", "1")
        .end()
}

const BLOCKS: [u8; 1536] = [b'x'; 1536];

/// A block in each of 30 pages: more than the header has room for.
fn old_sparse_extended() -> Vec<u8> {
    let pair = |index: usize| format!("{:011o}\0{:011o}\0", index * 4096, 512);
    let mut header = tar()
        .odd(b'S', "a", b"", |header| {
            for index in 0..4 {
                put(header, 386 + 24 * index, pair(index).as_bytes());
            }
            header[482] = 1;
            put(header, 483, format!("{:011o}\0", 30 * 4096).as_bytes());
            put(header, 124, format!("{:011o}\0", 30 * 512).as_bytes());
        })
        .cut();
    for (from, to, more) in [(4, 25, 1), (25, 30, 0)] {
        let mut block = vec![0; 512];
        for index in from..to {
            let at = 24 * (index - from);
            block[at..at + 24].copy_from_slice(pair(index).as_bytes());
        }
        block[504] = more;
        header.extend(block);
    }
    header.extend(b"x".repeat(30 * 512));
    [header, tar().file("b", "1").end()].concat()
}

/// The same as the first, by attributes with a pair for each piece.
fn sparse_00() -> Vec<u8> {
    tar()
        .pax(&[
            ("GNU.sparse.size", b"20000"),
            ("GNU.sparse.numblocks", b"3"),
            ("GNU.sparse.offset", b"0"),
            ("GNU.sparse.numbytes", b"512"),
            ("GNU.sparse.offset", b"8192"),
            ("GNU.sparse.numbytes", b"1024"),
            ("GNU.sparse.offset", b"20000"),
            ("GNU.sparse.numbytes", b"0"),
        ])
        .posix("a", &BLOCKS)
        .file("b", "1")
        .end()
}

/// The same, by one attribute.
fn sparse_01() -> Vec<u8> {
    tar()
        .pax(&[
            ("GNU.sparse.size", b"20000"),
            ("GNU.sparse.numblocks", b"3"),
            ("GNU.sparse.name", b"a"),
            ("GNU.sparse.map", b"0,512,8192,1024,20000,0"),
        ])
        .posix("GNUSparseFile.1/a", &BLOCKS)
        .file("b", "1")
        .end()
}

/// The same, with the map in front of the content.
fn sparse_10() -> Vec<u8> {
    let mut content = b"3\n0\n512\n8192\n1024\n20000\n0\n".to_vec();
    content.resize(512, 0);
    content.extend(BLOCKS);
    tar()
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"a"),
            ("GNU.sparse.realsize", b"20000"),
        ])
        .posix("GNUSparseFile.1/a", &content)
        .file("b", "1")
        .end()
}

/// Pieces that fill no block.
fn sparse_unaligned() -> Vec<u8> {
    tar()
        .pax(&[
            ("GNU.sparse.size", b"20000"),
            ("GNU.sparse.map", b"0,4,8192,4,20000,0"),
        ])
        .posix("a", b"abcdefgh")
        .file("b", "1")
        .end()
}

fn zip() -> Vec<u8> {
    crate::zip::zip(&[("a", b"1")])
}

/// What bzip2 makes of nothing.
const BZIP2: [u8; 14] = *b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0";
