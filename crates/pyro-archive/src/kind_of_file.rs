//! The *kind* of a file is what its first bytes say it is, whatever its name says.

/// What there is under an archive's name, by what it begins with.
const BEGINNINGS: [(&[u8], &str); 26] = [
    (
        b"BZh",
        "compressed with bzip2, which is not read; unpack it with bunzip2",
    ),
    (
        b"\x04\x22\x4d\x18",
        "compressed with lz4, which is not read; unpack it with lz4 -d",
    ),
    (
        b"LZIP",
        "compressed with lzip, which is not read; unpack it with lzip -d",
    ),
    (
        b"\x89LZO",
        "compressed with lzop, which is not read; unpack it with lzop -d",
    ),
    (
        b"\x1f\x9d",
        "compressed with compress, which is not read; unpack it with uncompress",
    ),
    (
        b"\x5d\0\0",
        "compressed with lzma, which is not read; unpack it with unlzma",
    ),
    (b"\x1f\x8b", "compressed with gzip once more"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd once more"),
    (b"\xfd7zXZ\0", "compressed with xz once more"),
    (b"PK\x03\x04", "a zip file"),
    (b"PK\x05\x06", "an empty zip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"!<arch>\n", "an ar archive, such as a Debian package"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"070701", "a cpio archive"),
    (b"070702", "a cpio archive"),
    (b"070707", "a cpio archive"),
    (b"\xc7\x71", "a cpio archive"),
    (b"xar!", "a xar archive"),
    (b"hsqs", "a SquashFS image"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"%PDF-", "a PDF document"),
    (b"# v2 git bundle\n", "a git bundle; clone it"),
    (
        b"version https://git-lfs.github.com/",
        "a Git LFS pointer; fetch the file with: git lfs pull",
    ),
];

/// Returns what a file is, for the end of a sentence, given how it begins.
pub(crate) fn of(start: &[u8]) -> &'static str {
    if start.is_empty() {
        return "empty";
    }
    if start.iter().all(|byte| *byte == 0) {
        return "nothing but zeros";
    }
    let known = BEGINNINGS
        .iter()
        .find(|(bytes, _)| start.starts_with(bytes));
    if let Some((_, what)) = known {
        return what;
    }
    text(start).unwrap_or("none of the kinds that are known here")
}

/// Whether a tar file begins like this.
pub(crate) fn is_tar(start: &[u8]) -> bool {
    start
        .get(257..)
        .is_some_and(|magic| magic.starts_with(b"ustar"))
}

fn text(start: &[u8]) -> Option<&'static str> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let trimmed = start.trim_ascii_start();
    let begins = |word: &[u8]| {
        let head = trimmed.get(..word.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    if begins(b"<!doctype html") || begins(b"<html") || begins(b"<head") {
        return Some("an HTML page");
    }
    if begins(b"<?xml") {
        return Some("an XML document");
    }
    if trimmed.starts_with(b"#!") {
        return Some("a script");
    }
    // The last character may be cut.
    let whole = match std::str::from_utf8(start) {
        Ok(_) => start.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return None,
    };
    let is_printable = |byte: &u8| *byte >= b' ' || matches!(byte, b'\n' | b'\r' | b'\t');
    if whole == 0 || !start[..whole].iter().all(is_printable) {
        return None;
    }
    match trimmed.first() {
        Some(b'{' | b'[') => Some("JSON"),
        _ => Some("text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_it_begins_with() {
        for (start, what) in [
            (&b""[..], "empty"),
            (b"\0\0\0", "nothing but zeros"),
            (b"\n <!DOCTYPE HTML><html>", "an HTML page"),
            (b"\xef\xbb\xbf<html lang=en>", "an HTML page"),
            (b"{\"message\": \"Not Found\"}", "JSON"),
            (b"Not Found \xe2\x82", "text"),
            (b"#!/bin/sh\n", "a script"),
            (b"7z\xbc\xaf\x27\x1c\0", "a 7z archive"),
            (b"\x01\x02\xff", "none of the kinds that are known here"),
        ] {
            assert_eq!(of(start), what, "{start:?}");
        }
    }
}
