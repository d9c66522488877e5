//! Zip files, as other programs write them and as nobody should.

use std::ffi::OsStr;
use std::io::Write;

use flate2::write::DeflateEncoder;
use pyro_archive::{Error, Refusal, Source, SourceKind};
use rawzip::{CompressionMethod, ZipArchiveWriter};

use crate::{look, source, to_image, to_tar, unpack_image, unpack_tar};

/// A zip file of plain files.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipArchiveWriter::new(Vec::new());
    for (name, content) in files {
        add(
            &mut writer,
            name,
            0o100_644,
            CompressionMethod::DEFLATE,
            content,
        );
    }
    writer.finish().unwrap()
}

fn add(
    writer: &mut ZipArchiveWriter<Vec<u8>>,
    name: &str,
    mode: u32,
    method: CompressionMethod,
    content: &[u8],
) {
    let file = writer
        .new_file(rawzip::path::EntryPath::verbatim(name.as_bytes()))
        .unix_permissions(mode)
        .compression_method(method);
    let (mut entry, config) = file.start().unwrap();
    if method == CompressionMethod::DEFLATE {
        let encoder = DeflateEncoder::new(&mut entry, flate2::Compression::default());
        let mut data = config.wrap(encoder);
        data.write_all(content).unwrap();
        let (encoder, descriptor) = data.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    } else {
        let mut data = config.wrap(&mut entry);
        data.write_all(content).unwrap();
        let (_, descriptor) = data.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
}

fn one(name: &str, mode: u32, method: CompressionMethod, content: &[u8]) -> Vec<u8> {
    let mut writer = ZipArchiveWriter::new(Vec::new());
    add(&mut writer, name, mode, method, content);
    writer.finish().unwrap()
}

#[test]
fn a_zip_file_is_taken_with_modes_and_links() {
    let large: Vec<u8> = (0..300_000_u32).map(|byte| (byte % 251) as u8).collect();
    let mut writer = ZipArchiveWriter::new(Vec::new());
    for (name, mode, method, content) in [
        (
            "d/tool",
            0o100_755,
            CompressionMethod::DEFLATE,
            &b"#!/bin/sh\n"[..],
        ),
        ("d/large", 0o100_644, CompressionMethod::DEFLATE, &large),
        ("stored", 0o100_600, CompressionMethod::STORE, b"as it is"),
        ("empty", 0o100_644, CompressionMethod::STORE, b""),
        (
            "link",
            0o120_777,
            CompressionMethod::STORE,
            b"/usr/bin/python3",
        ),
        ("zw\u{f6}lf", 0o100_644, CompressionMethod::STORE, b"12"),
        ("fifo", 0o010_644, CompressionMethod::STORE, b""),
        ("socket", 0o140_644, CompressionMethod::STORE, b""),
    ] {
        add(&mut writer, name, mode, method, content);
    }
    writer.new_dir("dir/").create().unwrap();
    let bytes = writer.finish().unwrap();
    // Also behind a program that unpacks it, and under the name of a tar file.
    let with_program = [b"#!/bin/sh\nexit\n".to_vec(), bytes.clone()].concat();
    for (name, bytes) in [
        ("a.zip", &bytes),
        ("A.ZIP", &with_program),
        ("a.tar.gz", &bytes),
    ] {
        let (directory, source) = source(name, bytes);
        assert_eq!(source.kind(), SourceKind::ZipArchive);
        let (image, report) = to_image(&source).unwrap();
        let (stream, of_stream) = to_tar(&source).unwrap();
        assert_eq!(report, of_stream);
        assert_eq!(report.entry_count, 8);
        assert_eq!(report.left_out.count(), 1);
        let into = tempfile::tempdir().unwrap();
        let mut of_stream = look(&unpack_tar(&stream, into.path()));
        of_stream.remove(OsStr::new(pyro_archive::END_MEMBER));
        let of_image = look(&unpack_image(&image, directory.path()));
        assert!(of_image.keys().eq(of_stream.keys()));
        let known = |name: &str| &of_image[OsStr::new(name)];
        assert_eq!(
            (known("d/tool").mode, known("dir").mode & 0o777),
            (0o100_755, 0o755)
        );
        assert_eq!(known("d/large").content, large);
        assert_eq!(known("stored").content, b"as it is");
        assert_eq!(known("link").content, b"/usr/bin/python3");
        assert_eq!(known("zw\u{f6}lf").content, b"12");
        assert_eq!(known("fifo").mode & 0o170_000, 0o010_000);
    }
}

#[test]
fn a_zip_file_of_dos_has_its_own_slashes_and_letters() {
    let bytes = one("d\\gr\u{81}n", 0o100_644, CompressionMethod::STORE, b"x");
    // As a program would write it that knows neither permissions nor UTF-8: two letters of its own
    // where the other has one.
    let mut bytes = bytes;
    replace(&mut bytes, "gr\u{81}n".as_bytes(), b"gr\x81\x81n");
    let directory = find(&bytes, b"PK\x01\x02");
    bytes[directory + 5] = 0;
    bytes[directory + 9] = 0;
    bytes[directory + 38..directory + 42].fill(0);
    let local = find(&bytes, b"PK\x03\x04");
    bytes[local + 7] = 0;
    let (directory, source) = source("a.zip", &bytes);
    let (image, _) = to_image(&source).unwrap();
    let seen = look(&unpack_image(&image, directory.path()));
    assert_eq!(
        seen[OsStr::new("d/gr\u{fc}\u{fc}n")].mode,
        0o100_644,
        "{:?}",
        seen.keys()
    );
}

#[test]
fn what_is_wrong_with_a_zip_file_is_said() {
    let deflate = CompressionMethod::DEFLATE;
    let refused = |name: &str, refusal| {
        let (_directory, source) = source("a.zip", &one(name, 0o100_644, deflate, b"x"));
        match to_image(&source).unwrap_err() {
            Error::Refused { refusal: found, .. } => assert_eq!(found, refusal, "{name}"),
            error => panic!("{name}: {error:?}"),
        }
    };
    refused("/a", Refusal::AbsolutePath);
    refused("../a", Refusal::UnsafePath);
    refused("d/../a", Refusal::UnsafePath);
    refused(".", Refusal::UnsafePath);
    let through = {
        let mut writer = ZipArchiveWriter::new(Vec::new());
        add(
            &mut writer,
            "l",
            0o120_777,
            CompressionMethod::STORE,
            b"/etc",
        );
        add(
            &mut writer,
            "l/passwd",
            0o100_644,
            CompressionMethod::STORE,
            b"x",
        );
        writer.finish().unwrap()
    };
    let whole = zip(&[("a", &b"content ".repeat(100))]);
    let encrypted = {
        let mut bytes = whole.clone();
        let directory = find(&bytes, b"PK\x01\x02");
        bytes[directory + 8] |= 1;
        bytes
    };
    let method = {
        let mut bytes = whole.clone();
        let directory = find(&bytes, b"PK\x01\x02");
        bytes[directory + 10] = 12;
        bytes
    };
    let sum = {
        let mut bytes = whole.clone();
        let directory = find(&bytes, b"PK\x01\x02");
        bytes[directory + 16] ^= 1;
        bytes
    };
    let smaller = {
        let mut bytes = whole.clone();
        let directory = find(&bytes, b"PK\x01\x02");
        bytes[directory + 24] -= 1;
        bytes
    };
    let overlapping = {
        let squares = (0..2000_u32).map(|number| (number * number).to_le_bytes()[1]);
        let noise: Vec<u8> = squares.collect();
        let mut bytes = one("a", 0o100_644, CompressionMethod::STORE, &noise);
        let directory = find(&bytes, b"PK\x01\x02");
        let end = find(&bytes, b"PK\x05\x06");
        let entry = bytes[directory..end].to_vec();
        let size = entry.len();
        let copies = 20_u16;
        let tail = bytes.split_off(end);
        for _ in 1..copies {
            bytes.extend(&entry);
        }
        bytes.extend(tail);
        let end = bytes.len() - 22;
        bytes[end + 8..end + 10].copy_from_slice(&copies.to_le_bytes());
        bytes[end + 10..end + 12].copy_from_slice(&copies.to_le_bytes());
        let size = u32::try_from(size * usize::from(copies)).unwrap();
        bytes[end + 12..end + 16].copy_from_slice(&size.to_le_bytes());
        bytes
    };
    for (what, bytes, code) in [
        ("through a link", &through[..], "archive_entry_refused"),
        ("encrypted", &encrypted, "archive_entry_refused"),
        ("bzip2 in it", &method, "archive_entry_refused"),
        ("a wrong sum", &sum, "archive_damaged"),
        ("a wrong size", &smaller, "archive_damaged"),
        ("overlapping", &overlapping, "archive_damaged"),
        ("cut", &whole[..whole.len() - 30], "archive_damaged"),
        ("nothing", b"", "archive_other_kind"),
        ("HTML", b"<html>", "archive_other_kind"),
    ] {
        let (_directory, source) = source("a.zip", bytes);
        let error = to_image(&source).map(|_| what).unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error:?}");
        assert_eq!(to_tar(&source).unwrap_err().code(), code, "{what}");
    }
}

#[test]
fn what_info_zip_writes_is_taken() {
    let place = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("sh")
        .args([
            "-c",
            "mkdir -p t/d && echo 1 >t/d/a && ln -s /etc/passwd t/l && cd t && zip -qry ../a.zip .",
        ])
        .current_dir(place.path())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED what_info_zip_writes_is_taken: no zip");
        return;
    }
    let source = Source::open("seed_path", &place.path().join("a.zip")).unwrap();
    let (image, report) = to_image(&source).unwrap();
    assert_eq!(report.entry_count, 3);
    let into = tempfile::tempdir().unwrap();
    let seen = look(&unpack_image(&image, into.path()));
    assert_eq!(seen[OsStr::new("d/a")].content, b"1\n");
    assert_eq!(seen[OsStr::new("l")].content, b"/etc/passwd");
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes
        .windows(what.len())
        .position(|window| window == what)
        .unwrap()
}

fn replace(bytes: &mut [u8], what: &[u8], by: &[u8]) {
    while let Some(at) = bytes.windows(what.len()).position(|window| window == what) {
        bytes[at..at + what.len()].copy_from_slice(by);
    }
}
