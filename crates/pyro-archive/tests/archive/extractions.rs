//! What a hostile guest may send instead of files, and what becomes of it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use pyro_archive::{Extracted, extract};
use rustix::fs::{Mode, OFlags};

use crate::Tar;

fn stream(tar: Tar) -> Vec<u8> {
    let mut bytes = tar.bytes;
    bytes.extend([0; 1024]);
    bytes
}

fn extracted(mut input: impl Read, directory: &Path) -> Result<Extracted, pyro_archive::Error> {
    let open = rustix::fs::open(directory, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty());
    let open = open.unwrap();
    extract(
        &mut input,
        std::os::fd::AsFd::as_fd(&open),
        "packed",
        &|_| (),
    )
}

fn top() -> Tar {
    Tar::default().directory("packed/")
}

fn long(name: &[u8]) -> Tar {
    let name = [name, b"\0"].concat();
    top().member(b'L', b"././@LongLink", b"", &name)
}

/// Changes a field of the last header of a stream, whose member has no content.
fn altered(tar: Tar, at: usize, field: &[u8], mends_sum: bool) -> Vec<u8> {
    let mut bytes = tar.bytes;
    let header = bytes.len() - 512;
    bytes[header + at..header + at + field.len()].copy_from_slice(field);
    if mends_sum {
        bytes[header + 148..header + 156].fill(b' ');
        let sum: u32 = bytes[header..].iter().map(|byte| u32::from(*byte)).sum();
        bytes[header + 148..header + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes.extend([0; 1024]);
    bytes
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let linked = |target: &[u8]| top().member(b'2', b"packed/link", target, b"");
    let refused = "archive_entry_refused";
    let damaged = "archive_damaged";
    let file = || top().file("packed/a", "abc");
    let cut = |count: usize| stream(file())[..count].to_vec();
    vec![
        ("absolute", stream(top().file("/packed/a", "x")), refused),
        (
            "absolute top",
            stream(Tar::default().file("/etc", "x")),
            refused,
        ),
        (
            "dots",
            stream(top().file("packed/../../outside/a", "x")),
            refused,
        ),
        (
            "dots at the end",
            stream(top().directory("packed/..")),
            refused,
        ),
        (
            "dots within",
            stream(top().file("packed/b/../a", "x")),
            refused,
        ),
        ("beside the top", stream(top().file("other", "x")), refused),
        (
            "another top",
            stream(Tar::default().file("other", "x")),
            refused,
        ),
        (
            "below before the top",
            stream(Tar::default().file("packed/a", "x")),
            refused,
        ),
        ("top again", stream(top().directory("packed/")), refused),
        ("top as a file", stream(top().file("packed", "x")), refused),
        (
            "root as a link",
            stream(Tar::default().member(b'2', b".", b"/etc", b"")),
            refused,
        ),
        (
            "no name",
            stream(top().member(b'0', b"", b"", b"")),
            refused,
        ),
        (
            "through a link out",
            stream(linked(b"/tmp").file("packed/link/a", "x")),
            refused,
        ),
        (
            "through a link up",
            stream(linked(b"../..").file("packed/link/a", "x")),
            refused,
        ),
        (
            "through a link within",
            stream(linked(b".").file("packed/link/a", "x")),
            refused,
        ),
        (
            "over a link",
            stream(linked(b"../../outside/kept").file("packed/link", "x")),
            refused,
        ),
        (
            "directory over a link",
            stream(linked(b"..").directory("packed/link/")),
            refused,
        ),
        (
            "through the top",
            stream(
                Tar::default()
                    .member(b'2', b"packed", b"..", b"")
                    .file("packed/a", "x"),
            ),
            refused,
        ),
        (
            "through a file",
            stream(file().file("packed/a/b", "x")),
            refused,
        ),
        (
            "hard link out",
            stream(top().member(b'1', b"packed/h", b"../outside/kept", b"")),
            refused,
        ),
        (
            "absolute hard link",
            stream(top().member(b'1', b"packed/h", b"/etc/passwd", b"")),
            refused,
        ),
        (
            "hard link to nothing",
            stream(top().member(b'1', b"packed/h", b"packed/no", b"")),
            refused,
        ),
        (
            "hard link to a directory",
            stream(top().member(b'1', b"packed/h", b"packed", b"")),
            refused,
        ),
        (
            "hard link through a link",
            stream(linked(b"../..").member(b'1', b"packed/h", b"packed/link/outside/kept", b"")),
            refused,
        ),
        (
            "hard link to itself",
            stream(file().member(b'1', b"packed/a", b"packed/a", b"")),
            refused,
        ),
        (
            "character device",
            stream(top().member(b'3', b"packed/d", b"", b"")),
            refused,
        ),
        (
            "block device",
            stream(top().member(b'4', b"packed/d", b"", b"")),
            refused,
        ),
        (
            "pipe",
            stream(top().member(b'6', b"packed/p", b"", b"")),
            refused,
        ),
        (
            "rest of a file",
            stream(top().member(b'M', b"packed/p", b"", b"")),
            refused,
        ),
        ("twice", stream(file().file("packed/a", "y")), refused),
        (
            "a parent too few",
            stream(top().file("packed/b/a", "y")),
            refused,
        ),
        ("link to nothing", stream(linked(b"")), refused),
        (
            "long part",
            stream(long(&[&b"packed/"[..], &[b'a'; 4000]].concat()).file("x", "")),
            refused,
        ),
        (
            "long path",
            stream(long(&b"packed/".repeat(600)).file("x", "")),
            refused,
        ),
        (
            "too deep",
            stream(long(&[&b"packed/"[..], &b"a/".repeat(1990)].concat()).file("x", "")),
            refused,
        ),
        (
            "huge claim",
            altered(file().file("packed/b", ""), 124, b"77777777777\0", true),
            damaged,
        ),
        (
            "huger claim",
            altered(
                file().file("packed/b", ""),
                124,
                b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
                true,
            ),
            refused,
        ),
        (
            "negative claim",
            altered(file().file("packed/b", ""), 124, &[0xff; 12], true),
            refused,
        ),
        (
            "no number",
            altered(file().file("packed/b", ""), 124, b"9x", true),
            refused,
        ),
        (
            "huge long name",
            altered(
                top().member(b'L', b"packed/b", b"", b""),
                124,
                b"77777777777\0",
                true,
            ),
            damaged,
        ),
        (
            "wrong sum",
            altered(file().file("packed/b", ""), 0, b"packed/c", false),
            damaged,
        ),
        ("cut in a file", cut(512 + 512 + 2), damaged),
        ("cut in a header", cut(512 + 100), damaged),
        ("cut between members", cut(512), damaged),
        (
            "more after the end",
            [stream(file()), stream(file())].concat(),
            damaged,
        ),
        ("nothing", Vec::new(), "archive_other_kind"),
        ("only an end", vec![0; 1024], damaged),
        (
            "something else",
            b"no tar file".repeat(100),
            "archive_other_kind",
        ),
    ]
}

#[test]
fn hostile_streams_change_nothing_outside_and_are_refused() {
    let cases = hostile();
    assert!(cases.len() >= 25);
    for (name, bytes, code) in cases {
        let ground = tempfile::tempdir().unwrap();
        let (inside, outside) = (ground.path().join("inside"), ground.path().join("outside"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        let error = extracted(&bytes[..], &inside).expect_err(name);
        assert_eq!(error.code(), code, "{name}: {error}");
        let names = |path: &Path| {
            fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
        };
        assert_eq!(names(&outside).collect::<Vec<_>>(), ["kept"], "{name}");
        let kept = outside.join("kept");
        assert_eq!(fs::read(&kept).unwrap(), b"kept", "{name}");
        assert_eq!(fs::metadata(&kept).unwrap().nlink(), 1, "{name}");
        assert_eq!(names(ground.path()).count(), 2, "{name}");
        assert!(names(&inside).all(|name| name == "packed"), "{name}");
    }
}

#[test]
fn what_is_sent_is_made() {
    let ground = tempfile::tempdir().unwrap();
    let tar = top()
        .file("packed/a", "abc")
        .member(b'1', b"packed/h", b"packed/a", b"")
        .member(b'2', b"packed/l", b"/etc/passwd", b"")
        .member(b'0', b"packed/\xff \n", b"", b"odd");
    let bytes = altered(
        tar.member(b'0', b"packed/s", b"", b""),
        100,
        b"0006755\0",
        true,
    );
    let made = extracted(&bytes[..], ground.path()).unwrap();
    assert_eq!((made.entry_count, made.bytes_written), (6, 6));
    let packed = ground.path().join("packed");
    let metadata = fs::metadata(packed.join("a")).unwrap();
    assert_eq!(metadata.mtime(), 1_700_000_000);
    assert_eq!(fs::metadata(&packed).unwrap().mtime(), 1_700_000_000);
    assert_eq!(
        metadata.ino(),
        fs::metadata(packed.join("h")).unwrap().ino()
    );
    let target = fs::read_link(packed.join("l")).unwrap();
    assert_eq!(target, Path::new("/etc/passwd"));
    let set = fs::metadata(packed.join("s")).unwrap().permissions();
    assert_eq!(set.mode() & 0o7777, 0o755, "setuid and setgid are dropped");
}
