//! Layers that were made to harm: refused by name, or harmless.

use std::io::Read;

use pyro_archive::{Error, LayerImage, LayerLimits, Refusal, Wanted};

use super::{Entry, erofs, flatten_within, names};
use crate::Tar;

/// What becomes of a layer.
enum Becomes {
    /// These names, below the root.
    Tree(&'static [&'static str]),
    /// An error that names the entry.
    Refused(&'static str, Refusal),
    /// An error that says so.
    Fails(&'static str),
}
use Becomes::{Fails, Refused, Tree};

fn limits() -> LayerLimits {
    LayerLimits {
        entries: 100,
        description_bytes: 64 << 10,
        content_bytes: 1 << 20,
    }
}

#[test]
#[expect(
    clippy::too_many_lines,
    clippy::large_stack_arrays,
    reason = "it is a table"
)]
fn hostile_layers_are_refused_by_name_or_harmless() {
    let tar = Tar::default;
    let long = |bytes: usize| ["d/"; 2050].concat()[..bytes].to_owned();
    let pax = |key: &str, value: &[u8]| tar().pax(&[(key, value)]);
    let huge = |size: &[u8]| {
        let size = size.to_owned();
        tar()
            .odd(b'0', "huge", b"", move |header| {
                header[124..136].copy_from_slice(&size);
            })
            .end()
    };
    let table: Vec<(&str, Vec<u8>, Becomes)> = vec![
        // Names.
        (
            "up",
            tar().file("../a", "").end(),
            Refused("../a", Refusal::UnsafePath),
        ),
        (
            "up within",
            tar().file("a/../b", "").end(),
            Refused("a/../b", Refusal::UnsafePath),
        ),
        (
            "absolute and up",
            tar().file("/../a", "").end(),
            Refused("../a", Refusal::UnsafePath),
        ),
        (
            "absolute",
            tar().file("/etc/passwd", "").end(),
            Tree(&["etc/passwd"]),
        ),
        (
            "no name",
            tar().file("", "").end(),
            Refused("", Refusal::EmptyPath),
        ),
        (
            "NUL in a name",
            pax("path", b"a\0b").file("x", "").end(),
            Refused("a\\u{0}b", Refusal::UnsafePath),
        ),
        (
            "a control character in a name",
            pax("path", b"../\x1b[2J").file("x", "").end(),
            Refused("../\\u{1b}[2J", Refusal::UnsafePath),
        ),
        (
            "a name of 4,096 bytes",
            pax("path", format!("{}xx", long(4094)).as_bytes())
                .file("x", "")
                .end(),
            Refused("d/d/", Refusal::LongPath),
        ),
        (
            "a part of 256 bytes",
            pax("path", &[b'n'; 256]).file("x", "").end(),
            Refused("nnn", Refusal::LongPath),
        ),
        (
            "2,000 directories in each other",
            pax("path", long(4000).as_bytes()).file("x", "").end(),
            Fails("more than 100 entries"),
        ),
        (
            "case twins",
            tar().file("a", "1").file("A", "2").end(),
            Tree(&["A", "a"]),
        ),
        (
            "not UTF-8",
            pax("path", b"\xff\xfe").file("x", "").end(),
            Tree(&["\u{fffd}\u{fffd}"]),
        ),
        // The root.
        (
            "the root as a file",
            tar().file("./", "").symlink("/", "x").end(),
            Refused("/", Refusal::UnsafePath),
        ),
        (
            "the root as a device",
            tar().device(b'4', ".", 8, 0).end(),
            Refused(".", Refusal::UnsafePath),
        ),
        (
            "the root deleted",
            tar()
                .file("a", "")
                .file(".wh..", "")
                .file("/.wh.", "")
                .end(),
            Tree(&["a"]),
        ),
        // Links.
        (
            "a link out",
            tar().symlink("a", "../../../etc/passwd").end(),
            Tree(&["a"]),
        ),
        (
            "a file through a link out",
            tar().symlink("a", "../../..").file("a/etc/b", "").end(),
            Tree(&["a", "etc/b"]),
        ),
        (
            "a file through an absolute link",
            tar().symlink("a", "/var/lib").file("a/b", "").end(),
            Tree(&["a", "var", "var/lib", "var/lib/b"]),
        ),
        (
            "a link to itself",
            tar().symlink("a", "a").end(),
            Tree(&["a"]),
        ),
        (
            "a file through a link to itself",
            tar().symlink("a", "a").file("a/b", "").end(),
            Refused("a/b", Refusal::TooManyLinks),
        ),
        (
            "a file through two links to each other",
            tar()
                .symlink("a", "b/x")
                .symlink("b", "a/y")
                .file("b/c", "")
                .end(),
            Refused("b/c", Refusal::TooManyLinks),
        ),
        (
            "a link to nothing",
            tar().symlink("a", "").end(),
            Refused("a", Refusal::EmptySymlink),
        ),
        (
            "a link with NUL",
            pax("linkpath", b"x\0y").symlink("a", "x").end(),
            Refused("a", Refusal::UnsafePath),
        ),
        (
            "a link of 4,096 bytes",
            pax("linkpath", &[b'x'; 4096]).symlink("a", "x").end(),
            Refused("a", Refusal::LongPath),
        ),
        // Hard links.
        (
            "a hard link out",
            tar().link("a", "../../etc/shadow").end(),
            Refused("a", Refusal::StrayHardLink),
        ),
        (
            "a hard link to the host",
            tar().link("a", "/etc/shadow").end(),
            Refused("a", Refusal::StrayHardLink),
        ),
        (
            "a hard link through a link out",
            tar()
                .symlink("up", "../../..")
                .link("a", "up/etc/shadow")
                .end(),
            Refused("a", Refusal::StrayHardLink),
        ),
        (
            "a hard link to a directory",
            tar().directory("d").link("a", "d").end(),
            Refused("a", Refusal::StrayHardLink),
        ),
        (
            "a hard link to the root",
            tar().link("a", "/").end(),
            Refused("a", Refusal::StrayHardLink),
        ),
        (
            "a hard link to itself",
            tar().link("a", "a").end(),
            Refused("a", Refusal::StrayHardLink),
        ),
        (
            "a file linked to itself",
            tar().file("a", "1").link("a", "a").end(),
            Tree(&["a"]),
        ),
        (
            "a hard link to a whiteout",
            tar().file(".wh.x", "").link("a", ".wh.x").end(),
            Refused("a", Refusal::StrayHardLink),
        ),
        (
            "a hard link to what comes later",
            tar().link("a", "b").file("b", "").end(),
            Refused("a", Refusal::StrayHardLink),
        ),
        // Devices.
        (
            "a device",
            tar().device(b'4', "sda", 8, 0).end(),
            Tree(&["sda"]),
        ),
        (
            "what an overlay takes for deleted",
            tar().device(b'3', "d/gone", 0, 0).end(),
            Refused("d/gone", Refusal::OverlayDevice),
        ),
        (
            "numbers that no device has",
            tar().device(b'3', "a", 4096, 0).end(),
            Refused("a", Refusal::BadHeader),
        ),
        // Extended attributes.
        (
            "what steers an overlay",
            pax("SCHILY.xattr.trusted.overlay.metacopy", b"")
                .file("a", "1")
                .end(),
            Tree(&["a"]),
        ),
        (
            "large attributes",
            pax("SCHILY.xattr.user.x", &[b'x'; 2048])
                .file("a", "")
                .end(),
            Refused("a", Refusal::BadAttributes),
        ),
        (
            "an attribute with NUL in its name",
            pax("SCHILY.xattr.user.x\0y", b"").file("a", "").end(),
            Refused("a", Refusal::BadAttributes),
        ),
        (
            "an attribute with a long name",
            pax(&format!("SCHILY.xattr.user.{}", "n".repeat(251)), b"")
                .file("a", "")
                .end(),
            Refused("a", Refusal::BadAttributes),
        ),
        (
            "thousands of attributes",
            (0..2000)
                .fold(tar(), |tar, n| {
                    tar.pax(&[(&format!("SCHILY.xattr.user.{n}"), b"1")])
                })
                .file("a", "")
                .end(),
            Refused("a", Refusal::BadAttributes),
        ),
        // Numbers.
        (
            "a size of 2^63",
            huge(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"),
            Refused("huge", Refusal::BadHeader),
        ),
        (
            "a negative size",
            huge(&[255; 12]),
            Refused("huge", Refusal::BadHeader),
        ),
        (
            "a size of 64 GiB",
            huge(b"777777777777"),
            Fails("it ends too early"),
        ),
        (
            "a size that is none",
            huge(b"xxxxxxxxxxxx"),
            Refused("huge", Refusal::BadHeader),
        ),
        (
            "a size by pax that is none",
            pax("size", b"-1").file("a", "").end(),
            Refused("a", Refusal::BadHeader),
        ),
        (
            "an owner of 2^32",
            pax("uid", b"4294967296").file("a", "").end(),
            Refused("a", Refusal::BadHeader),
        ),
        (
            "nobody's owner",
            pax("gid", b"4294967295").file("a", "").end(),
            Refused("a", Refusal::BadHeader),
        ),
        (
            "an owner below 0",
            tar()
                .odd(b'0', "a", b"", |header| header[108..116].fill(255))
                .end(),
            Refused("a", Refusal::BadHeader),
        ),
        // Form.
        (
            "cut in a content",
            tar().file("a", "content").cut()[..515].to_vec(),
            Fails("it ends too early"),
        ),
        (
            "cut in a header",
            tar().file("a", "1").file("b", "").cut()[..1100].to_vec(),
            Fails("it ends too early"),
        ),
        (
            "a wrong sum",
            tar()
                .file("a", "1")
                .file("b", "")
                .cut()
                .into_iter()
                .enumerate()
                .map(|(at, byte)| if at == 1030 { byte ^ 1 } else { byte })
                .collect(),
            Fails("something else where a member should begin"),
        ),
        (
            "no tar file",
            b"{\"error\": \"denied\"}".to_vec(),
            Fails("it is no tar file, but JSON"),
        ),
        (
            "broken pax",
            tar()
                .member(b'x', b"p", b"", b"999 path=a\n")
                .file("a", "")
                .end(),
            Fails("a pax header is broken"),
        ),
        (
            "a pax header of 8 GiB",
            tar()
                .odd(b'x', "p", b"", |header| {
                    header[124..136].copy_from_slice(b"100000000000");
                })
                .end(),
            Fails("a header is too long"),
        ),
        (
            "a sparse file with a broken map",
            tar()
                .pax(&[("GNU.sparse.map", b"5,3,1,2"), ("GNU.sparse.size", b"9")])
                .file("a", "12345")
                .end(),
            Refused("a", Refusal::BadSparse),
        ),
        (
            "the rest of a file",
            tar().member(b'M', b"a", b"", b"").end(),
            Refused("a", Refusal::UnsupportedType),
        ),
        (
            "gzip that is cut",
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(),
            Fails("it ends too early"),
        ),
        // How much there is.
        (
            "more entries than there may be",
            (0..101)
                .fold(tar(), |tar, n| tar.file(&n.to_string(), ""))
                .end(),
            Fails("more than 100 entries"),
        ),
        (
            "more whiteouts than there may be",
            (0..101)
                .fold(tar(), |tar, n| tar.file(&format!(".wh.{n}"), ""))
                .end(),
            Fails("more than 100 entries"),
        ),
        (
            "more directories than there may be",
            (0..20)
                .fold(tar(), |tar, n| tar.file(&format!("{n}/b/c/d/e/f"), ""))
                .end(),
            Fails("more than 100 entries"),
        ),
        (
            "longer names than there may be",
            (0..90)
                .fold(tar(), |tar, n| {
                    tar.pax(&[("linkpath", &[b'x'; 1000])])
                        .symlink(&n.to_string(), "x")
                })
                .end(),
            Fails("names in the layers together have more than 1 MiB"),
        ),
        (
            "more content than there may be",
            tar().file("a", &"x".repeat(1 << 20)).file("b", "x").end(),
            Fails("files in the layers together have more than 1 MiB"),
        ),
        (
            "a file of nothing but a terabyte of holes",
            tar()
                .pax(&[
                    ("GNU.sparse.map", b""),
                    ("GNU.sparse.size", b"1099511627776"),
                    ("GNU.sparse.name", b"holes"),
                ])
                .posix("x", b"")
                .end(),
            Tree(&["holes"]),
        ),
    ];
    assert!(table.len() >= 60);
    for (what, layer, becomes) in table {
        let result = flatten_within(&[layer], &Wanted::default(), limits());
        match (becomes, result) {
            (Tree(expected), Ok(image)) if what.contains("holes") => {
                assert!(image.size().unwrap() < 1 << 20);
                assert_eq!(image.read(expected[0], 10).unwrap(), None);
            }
            (Tree(expected), Ok(image)) => {
                assert_eq!(
                    names(&erofs::read(&super::bytes(image))),
                    expected,
                    "{what}"
                );
            }
            (Refused(entry, refusal), Err(error)) => match &error {
                Error::LayerRefused {
                    layer,
                    entry: named,
                    refusal: why,
                } => {
                    assert_eq!(*why, refusal, "{what}: {error}");
                    assert!(named.starts_with(entry), "{what}: {error}");
                    assert_eq!(layer, "number 0");
                    assert!(error.to_string().contains(entry), "{what}: {error}");
                    assert_eq!(error.code(), "archive_entry_refused");
                }
                error => panic!("{what}: {error}"),
            },
            (Fails(words), Err(error)) => {
                assert!(error.to_string().contains(words), "{what}: {error}");
            }
            (_, result) => panic!("{what}: {result:?}"),
        }
    }
}

/// Files of zeros without end, made as they are read.
struct Endless(Vec<u8>, usize);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let start = self.1 % self.0.len();
        let length = buffer.len().min(self.0.len() - start);
        buffer[..length].copy_from_slice(&self.0[start..start + length]);
        self.1 += length;
        Ok(length)
    }
}

#[test]
fn what_has_no_end_is_not_read_to_it() {
    for (limits, entry) in [
        (
            LayerLimits {
                entries: 5000,
                ..limits()
            },
            Tar::default().file(".wh.a", ""),
        ),
        (limits(), Tar::default().file("a", &"x".repeat(20_000))),
        (
            LayerLimits {
                entries: u64::MAX,
                ..limits()
            },
            Tar::default().file(&"n".repeat(90), ""),
        ),
    ] {
        let file = tempfile::tempfile().unwrap();
        let mut image = LayerImage::create(file, limits).unwrap();
        let error = image
            .add_layer("endless", Endless(entry.cut(), 0))
            .unwrap_err();
        assert_eq!(error.code(), "archive_too_large", "{error}");
        // What failed once is not finished.
        assert!(image.add_layer("next", &Tar::default().end()[..]).is_err());
        assert!(image.finish(&Wanted::default()).is_err());
    }
}

#[test]
fn paths_through_many_long_links_end_soon() {
    let target = ["x/../"; 810].concat();
    let mut layer = Tar::default()
        .directory("x")
        .pax(&[("linkpath", target.as_bytes())])
        .symlink("l0", "x");
    for number in 1..40 {
        let target = format!("{}l{}", ["x/../"; 800].concat(), number - 1);
        layer = layer
            .pax(&[("linkpath", target.as_bytes())])
            .symlink(&format!("l{number}"), "x");
    }
    for number in 0..100 {
        layer = layer.entry(&Entry {
            name: &format!("l39/{number}"),
            ..Entry::default()
        });
    }
    let limits = LayerLimits {
        description_bytes: 8 << 20,
        ..LayerLimits::default()
    };
    let error = flatten_within(&[layer.end()], &Wanted::default(), limits).unwrap_err();
    let is_right = matches!(
        error,
        Error::LayerRefused {
            refusal: Refusal::TooManyLinks,
            ..
        }
    );
    assert!(is_right, "{error}");
}

#[test]
fn a_wanted_directory_that_cannot_be_is_refused_by_name() {
    for (name, refusal) in [
        ("/a/../../b", Refusal::UnsafePath),
        (
            &["/"; 2]
                .concat()
                .replace("//", &format!("/{}", "n".repeat(256))),
            Refusal::LongPath,
        ),
        ("/a\0b", Refusal::UnsafePath),
    ] {
        let wanted = Wanted {
            directories: vec![name.to_owned()],
        };
        let error = super::flatten(&[], &wanted).unwrap_err();
        match error {
            Error::Refused { refusal: why, .. } => assert_eq!(why, refusal),
            error => panic!("{error}"),
        }
    }
}
