//! What a hostile guest may send instead of files, and what becomes of it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use pyro_archive::{Extracted, Packer, Packing, Target, Top, extract};
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
    let mut choose = |_| Ok(Target::Files(std::os::fd::AsFd::as_fd(&open)));
    extract(&mut input, "packed", &mut choose, &|_| ())
}

fn repacked(
    mut input: impl Read,
    packing: Packing,
    output: &mut Vec<u8>,
) -> Result<Extracted, pyro_archive::Error> {
    let mut output = Some(output);
    let mut choose = |_| {
        Ok(Target::Tar {
            output: Packer::new(packing, output.take().unwrap()),
            name: b"name",
            owner: (7, 3_000_000),
        })
    };
    extract(&mut input, "packed", &mut choose, &|_| ())
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
        let mut archive = Vec::new();
        let error = repacked(&bytes[..], Packing::Plain, &mut archive).expect_err(name);
        assert_eq!(error.code(), code, "{name}: {error}");
        let mut choose = |_| {
            Ok(Target::Tar {
                output: Packer::new(Packing::Plain, std::io::sink()),
                name: b"name",
                owner: (0, 0),
            })
        };
        let again = extract(&mut &archive[..], "name", &mut choose, &|_| ());
        assert!(again.is_err(), "{name}: what came of it looks complete");
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

#[test]
fn what_is_sent_is_repacked_with_one_owner_and_no_more_than_was_checked() {
    let long = [&b"packed/"[..], &[0xff; 120]].concat();
    let tar = top()
        .file("packed/a", "abc")
        .member(b'1', b"packed/h", b"packed/a", b"")
        .member(b'2', b"packed/l", b"/etc/passwd", b"")
        .member(b'L', b"././@LongLink", b"", &[&long[..], b"\0"].concat())
        .member(b'0', b"packed/x", b"", b"odd")
        // Of an attribute that nobody here knows nothing comes out.
        .pax(&[("SCHILY.xattr.user", b"yes")])
        .file("packed/y", "");
    let sent = altered(
        tar.member(b'0', b"packed/s", b"", b""),
        100,
        b"0006755\0",
        true,
    );
    let mut plain = Vec::new();
    let made = repacked(&sent[..], Packing::Plain, &mut plain).unwrap();
    assert_eq!((made.entry_count, made.bytes_written), (7, 6));
    assert_eq!(made.top, Top::Directory);
    assert!(
        !plain
            .windows(6)
            .any(|bytes| bytes == b"packed" || bytes == b"SCHILY")
    );
    let mut archive = tar::Archive::new(&plain[..]);
    let members: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(
                (header.uid().unwrap(), header.gid().unwrap()),
                (7, 3_000_000)
            );
            let target = entry.link_name_bytes().unwrap_or_default().into_owned();
            (
                entry.path_bytes().into_owned(),
                header.mode().unwrap(),
                target,
            )
        })
        .collect();
    let modes: Vec<u32> = members.iter().map(|(_, mode, _)| *mode).collect();
    assert_eq!(modes[6], 0o755, "setuid and setgid are dropped");
    let shown = |index: usize| String::from_utf8_lossy(&members[index].0).into_owned();
    assert_eq!((shown(0), shown(1)), ("name/".into(), "name/a".into()));
    assert_eq!(members[2].2, b"name/a");
    assert_eq!(members[3].2, b"/etc/passwd");
    assert_eq!(members[4].0, [&b"name/"[..], &[0xff; 120]].concat());

    // Packed and unpacked it is the same.
    for packing in [Packing::Gzip, Packing::Zstd] {
        let mut packed = Vec::new();
        repacked(&sent[..], packing, &mut packed).unwrap();
        let mut unpacked = Vec::new();
        if packing == Packing::Gzip {
            let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
            decoder.read_to_end(&mut unpacked).unwrap();
        } else {
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(&packed[..]).unwrap();
            decoder.read_to_end(&mut unpacked).unwrap();
        }
        assert_eq!(unpacked, plain, "{packing:?}");
    }
}

#[test]
fn what_is_not_wanted_is_refused_before_its_content_is_read() {
    let sent = stream(top().file("packed/a", "abc"));
    let mut rest = &sent[..];
    let mut choose = |_| Err(pyro_archive::Error::NotWanted);
    let refused = extract(&mut rest, "packed", &mut choose, &|_| ());
    assert!(matches!(refused, Err(pyro_archive::Error::NotWanted)));
    assert_eq!(rest.len(), sent.len() - 512, "only the top was read");
}
