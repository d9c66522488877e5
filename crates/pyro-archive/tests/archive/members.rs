//! Which members are taken, and why the others are not.

use std::ffi::OsStr;

use pyro_archive::{Error, Refusal};

use crate::{Tar, source, to_image, to_tar, unpack_image, unpack_tar};

/// What a tar file should amount to: the names in it, or the first entry refused and why.
type Expected = Result<&'static [&'static str], (&'static str, Refusal)>;

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn table() -> Vec<(&'static str, Tar, Expected)> {
    let tar = Tar::default;
    let refused = |entry, refusal| Err((entry, refusal));
    let long = "l".repeat(99);
    let deep = ["d/"; 60].concat();
    vec![
        // Names.
        ("nothing", tar(), Ok(&[])),
        ("a file", tar().file("a", "1"), Ok(&["a"])),
        ("a dot", tar().file("./a", "1"), Ok(&["a"])),
        (
            "the root",
            tar().directory("./").file("./a", "1"),
            Ok(&["a"]),
        ),
        (
            "the root without slash",
            tar().directory(".").file("a", "1"),
            Ok(&["a"]),
        ),
        (
            "dots and slashes",
            tar().file(".//d/.//./a", "1"),
            Ok(&["d", "d/a"]),
        ),
        (
            "implied parents",
            tar().file("d/e/a", "1"),
            Ok(&["d", "d/e", "d/e/a"]),
        ),
        ("an empty directory", tar().directory("d/"), Ok(&["d"])),
        ("a directory by its slash", tar().file("d/", ""), Ok(&["d"])),
        (
            "three dots",
            tar().file(".../a", "1"),
            Ok(&["...", "...", ".../a"]),
        ),
        (
            "no name",
            tar().file("", "1"),
            refused("", Refusal::EmptyPath),
        ),
        (
            "absolute",
            tar().file("/a", "1"),
            refused("/a", Refusal::AbsolutePath),
        ),
        (
            "absolute directory",
            tar().directory("/"),
            refused("/", Refusal::AbsolutePath),
        ),
        (
            "up",
            tar().file("../a", "1"),
            refused("../a", Refusal::UnsafePath),
        ),
        (
            "up and down",
            tar().file("d/../a", "1"),
            refused("d/../a", Refusal::UnsafePath),
        ),
        (
            "up at the end",
            tar().directory("d/.."),
            refused("d/..", Refusal::UnsafePath),
        ),
        (
            "a file as the root",
            tar().file(".", "1"),
            refused(".", Refusal::UnsafePath),
        ),
        (
            "the root as a link",
            tar().symlink(".", "a"),
            refused(".", Refusal::UnsafePath),
        ),
        (
            "NUL by pax",
            tar().pax(&[("path", b"a\0b")]).file("x", "1"),
            refused("a\\u{0}b", Refusal::UnsafePath),
        ),
        (
            "up by pax",
            tar().pax(&[("path", b"../a")]).file("x", "1"),
            refused("../a", Refusal::UnsafePath),
        ),
        (
            "absolute by a long name",
            tar().member(b'L', b"l", b"", b"/a\0").file("x", "1"),
            refused("/a", Refusal::AbsolutePath),
        ),
        (
            "a control character in an error",
            tar().file("/\x1b[31m", "1"),
            refused("/\\u{1b}[31m", Refusal::AbsolutePath),
        ),
        (
            "a long path",
            tar().file(&format!("{}x", &deep[..90]), "1"),
            Ok(&[]),
        ),
        ("a long name", tar().file(&long, "1"), Ok(&[])),
        (
            "a name of 256 bytes",
            tar().pax(&[("path", &[b'n'; 256])]).file("x", "1"),
            Err(("", Refusal::LongPath)),
        ),
        (
            "a path of 4097 bytes",
            tar()
                .pax(&[("path", [&b"dd/"[..]; 1366].concat().as_slice())])
                .file("x", ""),
            Err(("", Refusal::LongPath)),
        ),
        // Symbolic links.
        ("a link down", tar().symlink("l", "d/a"), Ok(&["l"])),
        (
            "a link up that stays",
            tar().symlink("d/e/l", "../../a"),
            Ok(&["d", "d/e", "d/e/l"]),
        ),
        (
            "a link to the root",
            tar().symlink("d/l", ".."),
            Ok(&["d", "d/l"]),
        ),
        (
            "down and up that stays",
            tar().directory("d").symlink("l", "d/../a"),
            Ok(&["d", "l"]),
        ),
        (
            "down into nothing and up",
            tar().symlink("l", "no/../a"),
            Ok(&["l"]),
        ),
        ("absolute link", tar().symlink("l", "/etc"), Ok(&["l"])),
        ("a link out", tar().symlink("l", "../a"), Ok(&["l"])),
        (
            "a link far out",
            tar().symlink("d/l", "../../a"),
            Ok(&["d", "d/l"]),
        ),
        (
            "dots before up",
            tar().symlink("d/l", "./.././..//a"),
            Ok(&["d", "d/l"]),
        ),
        (
            "down and too far up",
            tar().directory("d").symlink("e/l", "../d/../.."),
            Ok(&["d", "e", "e/l"]),
        ),
        (
            "out through a link that goes nowhere",
            tar().symlink("s", ".").symlink("l", "s/../x"),
            Ok(&["l", "s"]),
        ),
        (
            "out through a link that comes later",
            tar().symlink("l", "s/t/../../x").symlink("s/t", ".."),
            Ok(&["l", "s", "s/t"]),
        ),
        ("a link to itself", tar().symlink("l", "l/../x"), Ok(&["l"])),
        (
            "an empty link",
            tar().symlink("l", ""),
            refused("l", Refusal::EmptySymlink),
        ),
        (
            "through a link",
            tar().symlink("l", "d").file("l/a", "1"),
            refused("l/a", Refusal::ThroughSymlink),
        ),
        (
            "a newline by pax",
            tar()
                .pax(&[("path", b"a\n9 path=b"), ("comment", b"\n\n")])
                .file("x", "1"),
            Ok(&["a\n9 path=b"]),
        ),
        // Hard links.
        (
            "a hard link",
            tar().file("a", "1").link("d/b", "./a"),
            Ok(&["a", "d", "d/b"]),
        ),
        (
            "to nothing",
            tar().link("b", "a"),
            refused("b", Refusal::StrayHardLink),
        ),
        (
            "to what comes later",
            tar().link("b", "a").file("a", "1"),
            refused("b", Refusal::StrayHardLink),
        ),
        (
            "to outside",
            tar().link("b", "../a"),
            refused("b", Refusal::StrayHardLink),
        ),
        (
            "to absolute",
            tar().link("b", "/etc/passwd"),
            refused("b", Refusal::StrayHardLink),
        ),
        (
            "to a directory",
            tar().directory("d").link("b", "d"),
            refused("b", Refusal::StrayHardLink),
        ),
        (
            "to a symbolic link",
            tar().symlink("d/l", "../a").link("b", "d/l"),
            Ok(&["b", "d", "d/l"]),
        ),
        (
            "through a symbolic link",
            tar().file("d/a", "1").symlink("l", "d").link("b", "l/a"),
            refused("b", Refusal::StrayHardLink),
        ),
        ("to itself", tar().file("a", "1").link("a", "a"), Ok(&["a"])),
        // Kinds.
        (
            "character device",
            tar().member(b'3', b"n", b"", b""),
            Ok(&[]),
        ),
        ("block device", tar().member(b'4', b"n", b"", b""), Ok(&[])),
        ("FIFO", tar().member(b'6', b"n", b"", b""), Ok(&["n"])),
        (
            "continuous",
            tar().member(b'7', b"a", b"", b"1"),
            Ok(&["a"]),
        ),
        ("old file", tar().member(0, b"a", b"", b"1"), Ok(&["a"])),
        (
            "a volume label",
            tar().member(b'V', b"tape", b"", b"").file("a", ""),
            Ok(&["a"]),
        ),
        (
            "incremental",
            tar().member(b'D', b"d", b"", b"Ya\0"),
            Ok(&["d"]),
        ),
        ("unheard of", tar().member(b'!', b"n", b"", b""), Ok(&["n"])),
        (
            "sparse",
            tar().member(b'S', b"n", b"", b"1"),
            refused("n", Refusal::BadSparse),
        ),
        (
            "sparse by pax",
            tar().pax(&[("GNU.sparse.major", b"1")]).file("n", "1"),
            refused("n", Refusal::BadSparse),
        ),
        (
            "global attributes",
            tar().member(b'g', b"g", b"", b"11 path=/b\n").file("a", ""),
            Ok(&["a"]),
        ),
        // Names that are there already.
        (
            "a file twice",
            tar().file("a", "1").file("a", "22"),
            Ok(&["a"]),
        ),
        (
            "a directory twice",
            tar().file("d/a", "1").directory("d"),
            Ok(&["d", "d/a"]),
        ),
        (
            "a link for a file",
            tar().file("a", "1").symlink("a", "b"),
            Ok(&["a"]),
        ),
        (
            "a file for a directory",
            tar().directory("d").file("d", "1"),
            refused("d", Refusal::Conflict),
        ),
        (
            "a link for a directory",
            tar().file("d/a", "1").symlink("d", "e"),
            refused("d", Refusal::Conflict),
        ),
        (
            "a directory for a file",
            tar().file("a", "1").directory("a"),
            refused("a", Refusal::Conflict),
        ),
        (
            "a directory for a link",
            tar().symlink("a", "b").directory("a"),
            refused("a", Refusal::Conflict),
        ),
        (
            "a file and what is below it",
            tar().file("a", "1").file("a/b", "2"),
            refused("a/b", Refusal::ThroughFile),
        ),
        (
            "what is below a file, and the file",
            tar().file("a/b", "2").file("a", "1"),
            refused("a", Refusal::Conflict),
        ),
        // Headers.
        (
            "a size that is no number",
            tar().pax(&[("size", b"many")]).file("a", "1"),
            refused("a", Refusal::BadHeader),
        ),
        (
            "a size that nothing has",
            tar()
                .file("a", "1")
                .pax(&[("size", b"18446744073709551615")])
                .file("b", "1"),
            refused("b", Refusal::BadHeader),
        ),
        (
            "a time that is no number",
            tar().pax(&[("mtime", b"soon")]).file("a", "1"),
            Ok(&["a"]),
        ),
    ]
}

#[test]
fn every_member_is_taken_or_refused_as_promised() {
    for (what, tar, expected) in table() {
        let (_directory, source) = tar.source();
        let image = to_image(&source);
        let stream = to_tar(&source);
        match expected {
            Ok(names) => {
                let image = image.unwrap_or_else(|error| panic!("{what}: {error}")).0;
                let stream = stream.unwrap_or_else(|error| panic!("{what}: {error}")).0;
                let into = tempfile::tempdir().unwrap();
                let unpacked = crate::look(&unpack_image(&image, into.path()));
                if !names.is_empty() {
                    let mut names = names.to_vec();
                    names.dedup();
                    assert!(unpacked.keys().eq(names.iter()), "{what}: {unpacked:?}");
                }
                let into = tempfile::tempdir().unwrap();
                let mut from_stream = crate::look(&unpack_tar(&stream, into.path()));
                from_stream.remove(OsStr::new(pyro_archive::END_MEMBER));
                assert!(unpacked.keys().eq(from_stream.keys()), "{what}");
            }
            Err((name, reason)) => {
                for error in [image.unwrap_err(), stream.unwrap_err()] {
                    let Error::Refused { entry, refusal } = &error else {
                        panic!("{what}: {error:?}");
                    };
                    assert_eq!(*refusal, reason, "{what}");
                    if !name.is_empty() {
                        assert_eq!(entry, name, "{what}");
                    }
                    assert!(error.to_string().contains(name), "{what}: {error}");
                    assert_eq!(error.code(), "archive_entry_refused");
                }
            }
        }
    }
}

#[test]
fn a_name_that_ends_streams_is_not_sent() {
    let (_directory, source) = Tar::default().file("./.pyro-end", "{}").source();
    let error = to_tar(&source).unwrap_err();
    assert_eq!(error.to_string(), "this name is reserved: .pyro-end");
    assert!(to_image(&source).is_ok());
}

#[test]
fn the_last_of_several_members_wins() {
    let tar = Tar::default();
    let tar = tar.file("a", "first").link("b", "a").file("a", "second");
    let (_directory, source) = tar.source();
    for unpacked in unpack_both(&source) {
        assert_eq!(unpacked[OsStr::new("a")].content, b"second");
        assert_eq!(unpacked[OsStr::new("b")].content, b"first");
    }
}

#[test]
fn nothing_is_left_of_what_was_replaced() {
    let tar = Tar::default().file("a", "first").link("b", "a");
    let tar = tar.file("a", "second").file("c", "third").symlink("c", "a");
    let (directory, source) = tar.source();
    let (image, _) = to_image(&source).unwrap();
    let file = directory.path().join("image");
    std::fs::write(&file, image).unwrap();
    let shown = crate::run("dump.erofs", &["--path=/workspace/b"], file.as_os_str());
    assert!(shown.contains("Links: 1 "), "{shown}");
    // The root, the workspace and three names.
    let shown = crate::run("dump.erofs", &["-s"], file.as_os_str());
    let count = shown.lines().find(|line| line.contains("inode count"));
    assert!(count.unwrap().ends_with(" 5"), "{shown}");
}

#[test]
fn names_of_all_kinds_arrive() {
    let long = [b"deep/".repeat(300), b"\xc3\xa4\xff\nx".to_vec()].concat();
    let gnu = [&long[..], b"g\0"].concat();
    let pax = [&b"pax/"[..], &[b'p'; 255]].concat();
    let target = [b"t/".repeat(1000), b"t".to_vec()].concat();
    let tar = Tar::default()
        .member(b'0', b"\xff\xfe", b"", b"1")
        .member(b'0', "zwölf µ 🦀".as_bytes(), b"", b"2")
        .member(b'0', b"-\\ \n\t*", b"", b"3")
        .member(b'L', b"l", b"", &gnu)
        .file("cut", "4")
        .pax(&[("path", &pax), ("path", &pax)])
        .file("cut", "5")
        .pax(&[("linkpath", &target)])
        .symlink("link", "cut")
        .member(b'K', b"k", b"", &[&gnu[..]].concat())
        .link("hard", "cut");
    let (_directory, source) = tar.source();
    for unpacked in unpack_both(&source) {
        use std::os::unix::ffi::OsStrExt;
        let content = |name: &[u8]| &unpacked[OsStr::from_bytes(name)].content;
        assert_eq!(content(b"\xff\xfe"), b"1");
        assert_eq!(content("zwölf µ 🦀".as_bytes()), b"2");
        assert_eq!(content(b"-\\ \n\t*"), b"3");
        assert_eq!(content(&gnu[..gnu.len() - 1]), b"4");
        assert_eq!(content(&pax), b"5");
        assert_eq!(content(b"link"), &target);
        assert_eq!(content(b"hard"), b"4");
    }
}

#[test]
fn counts_are_of_members_and_files() {
    let tar = Tar::default()
        .directory("./")
        .file("d/a", "123")
        .link("b", "d/a")
        .symlink("l", "b")
        .directory("e");
    let (_directory, source) = tar.source();
    let (_, of_image) = to_image(&source).unwrap();
    let (stream, of_stream) = to_tar(&source).unwrap();
    assert_eq!((of_image.entry_count, of_image.bytes_written), (4, 3));
    assert_eq!(of_image, of_stream);
    // The parent that was not mentioned is a member of the stream.
    let end = stream.len() - 1024 - 512;
    assert!(stream[end..].starts_with(b"{\"entries\":5,\"bytes\":3}\n\0"));
}

#[test]
fn an_archive_without_its_end_is_taken_and_said() {
    let whole = Tar::default().file("a", "1").file("b", "2").end();
    for (what, bytes, count) in [
        ("cut between members", &whole[..1024], 1),
        ("cut in the padding", &whole[..513], 1),
        ("cut before the end", &whole[..2048], 2),
    ] {
        let (_directory, source) = source("a.tar", bytes);
        let (_, report) = to_image(&source).unwrap();
        assert_eq!(report.entry_count, count, "{what}");
        assert_eq!(
            report.warnings,
            [pyro_archive::Warning::NoEndMark],
            "{what}"
        );
    }
    let more = [&whole[..], &whole].concat();
    let (_directory, source) = source("a.tar", &more);
    let (_, report) = to_image(&source).unwrap();
    assert_eq!(report.warnings, [pyro_archive::Warning::MoreAfterEnd]);
}

#[test]
fn a_file_of_another_kind_is_named() {
    for (name, bytes, kind) in [
        ("a.tar", &b""[..], "it is empty"),
        ("a.tgz", b"<!doctype html><html>\n", "it is an HTML page"),
        ("a.tar", b"{\"error\": 404}\n", "it is JSON"),
        ("a.tar.gz", b"BZh91AY&SY", "it is compressed with bzip2"),
        ("a.tar", &[7; 4096], "it is none of the kinds"),
    ] {
        let (_directory, source) = source(name, bytes);
        for error in [to_image(&source).unwrap_err(), to_tar(&source).unwrap_err()] {
            assert_eq!(error.code(), "archive_other_kind", "{name}: {error:?}");
            assert!(error.to_string().contains(kind), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn a_damaged_archive_is_named_and_not_half_taken() {
    let whole = Tar::default().file("a", "1").file("b", "2").end();
    let mut sum = whole.clone();
    sum[1024] = b'c';
    let mut long = Tar::default().member(b'L', b"l", b"", b"name\0").bytes;
    long[124..136].copy_from_slice(b"77777777777\0");
    let header = tar::Header::from_byte_slice(&long[..512]);
    let mut header = header.clone();
    header.set_cksum();
    long[..512].copy_from_slice(header.as_bytes());
    for (what, bytes, problem) in [
        ("cut in a header", &whole[..1100], "it ends too early"),
        ("cut in content", &whole[..1536], "it ends too early"),
        (
            "a header altered",
            &sum,
            "there is something else where a member should begin",
        ),
        ("an endless name", &long, "a header is too long"),
        (
            "not gzip after all",
            b"\x1f\x8bnot gzip",
            "invalid gzip header",
        ),
        ("not zstd after all", b"\x28\xb5\x2f\xfdnot", ""),
        ("not xz after all", b"\xfd7zXZ\0not", ""),
    ] {
        let (directory, source) = source("a.tar", bytes);
        let path = directory.path().canonicalize().unwrap().join("a.tar");
        for error in [to_image(&source).unwrap_err(), to_tar(&source).unwrap_err()] {
            assert_eq!(error.code(), "archive_damaged", "{what}: {error:?}");
            let message = format!("the archive {} is damaged: {problem}", path.display());
            assert!(error.to_string().starts_with(&message), "{what}: {error}");
        }
    }
}

fn unpack_both(
    source: &pyro_archive::Source,
) -> [std::collections::BTreeMap<std::ffi::OsString, crate::Known>; 2] {
    let into = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let image = to_image(source).unwrap().0;
    let stream = to_tar(source).unwrap().0;
    [
        crate::look(&unpack_image(&image, into[0].path())),
        crate::look(&unpack_tar(&stream, into[1].path())),
    ]
}
