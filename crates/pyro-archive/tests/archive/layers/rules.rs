//! Each rule of how layers are merged, and what of a tar file arrives.

use pyro_archive::{LayerImage, LayerLimits, Wanted};
use sha2::{Digest, Sha256};

use super::{Entry, bytes, flatten, names, tree};
use crate::Tar;

/// What layers amount to: names, and what the files and links have.
fn shown(layers: &[Tar]) -> Vec<String> {
    let layers: Vec<Vec<u8>> = layers.iter().map(|tar| tar.bytes.clone()).collect();
    let tree = tree(&layers).unwrap();
    let show = |name: String| match &tree[name.as_bytes()] {
        seen if seen.kind() == 'd' => format!("{name}/"),
        seen if seen.content.is_empty() => name,
        seen => format!("{name}={}", seen.text()),
    };
    names(&tree).into_iter().map(show).collect()
}

fn tar() -> Tar {
    Tar::default()
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn each_rule_of_the_merge_holds() {
    let base = || {
        tar()
            .directory("d/")
            .file("d/a", "1")
            .file("d/b", "2")
            .directory("d/e/")
            .file("d/e/c", "3")
            .file("f", "4")
            .symlink("l", "d")
    };
    let table: Vec<(&str, Vec<Tar>, &[&str])> = vec![
        ("no layers", vec![], &[]),
        ("an empty layer", vec![tar()], &[]),
        (
            "a layer changes one file and adds one",
            vec![base(), tar().file("d/a", "9").file("d/new", "8")],
            &[
                "d/", "d/a=9", "d/b=2", "d/e/", "d/e/c=3", "d/new=8", "f=4", "l=d",
            ],
        ),
        (
            "a whiteout removes a file",
            vec![base(), tar().file("d/.wh.a", "")],
            &["d/", "d/b=2", "d/e/", "d/e/c=3", "f=4", "l=d"],
        ),
        (
            "a whiteout removes a directory with all in it",
            vec![base(), tar().file("d/.wh.e", "")],
            &["d/", "d/a=1", "d/b=2", "f=4", "l=d"],
        ),
        (
            "a whiteout removes a link and not what it leads to",
            vec![base(), tar().file(".wh.l", "")],
            &["d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "f=4"],
        ),
        (
            "a whiteout may be anything, and have content",
            vec![
                base(),
                tar()
                    .directory(".wh.d/")
                    .link(".wh.f", "no")
                    .file(".wh.l", "x"),
            ],
            &[],
        ),
        (
            "a whiteout of nothing makes no directories",
            vec![base(), tar().file("no/where/.wh.x", "").file("f/.wh.x", "")],
            &["d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "f=4", "l=d"],
        ),
        (
            "a whiteout follows no link",
            vec![base(), tar().file("l/.wh.a", "")],
            &["d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "f=4", "l=d"],
        ),
        (
            "a whiteout is for lower layers, wherever it is",
            vec![
                base(),
                tar()
                    .file("d/e/new", "9")
                    .file("d/.wh.e", "")
                    .file(".wh.f", ""),
            ],
            &["d/", "d/a=1", "d/b=2", "d/e/", "d/e/new=9", "l=d"],
        ),
        (
            "an opaque directory has what its layer has",
            vec![
                base(),
                tar()
                    .file("d/new", "9")
                    .file("d/.wh..wh..opq", "")
                    .directory("d/"),
            ],
            &["d/", "d/new=9", "f=4", "l=d"],
        ),
        (
            "an opaque root",
            vec![base(), tar().file(".wh..wh..opq", "").file("g", "5")],
            &["g=5"],
        ),
        (
            "an opaque directory that is not there is not made",
            vec![
                base(),
                tar().file("no/.wh..wh..opq", "").file("l/.wh..wh..opq", ""),
            ],
            &["d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "f=4", "l=d"],
        ),
        (
            "odd marks are skipped",
            vec![
                tar()
                    .file("f", "4")
                    .directory(".wh..wh.plnk/")
                    .file(".wh..wh.plnk/1.2", "x"),
                tar()
                    .file(".wh.", "")
                    .file(".wh..", "")
                    .file(".wh...", "")
                    .link(".wh..wh.x", "f"),
            ],
            &["f=4"],
        ),
        (
            "a directory over a directory leaves what is in it",
            vec![base(), tar().directory("d/")],
            &["d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "f=4", "l=d"],
        ),
        (
            "a directory over a link and over a file",
            vec![base(), tar().directory("l/").directory("f/")],
            &["d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "f/", "l/"],
        ),
        (
            "a file, a link and a pipe over directories",
            vec![
                base().directory("g/").file("g/x", "5"),
                tar()
                    .file("d", "9")
                    .symlink("g", "f")
                    .member(b'6', b"l", b"", b""),
            ],
            &["d=9", "f=4", "g=f", "l"],
        ),
        (
            "parents without an entry are made or left",
            vec![base(), tar().file("x/y/z", "9").file("d/e/n", "8")],
            &[
                "d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "d/e/n=8", "f=4", "l=d", "x/", "x/y/",
                "x/y/z=9",
            ],
        ),
        (
            "links of the layer itself are followed, inside the root",
            vec![
                tar().file("pre", "0"),
                tar()
                    .directory("store/")
                    .symlink("a", "store")
                    .symlink("b", "/../../store/../a")
                    .symlink("c", "../../../b")
                    .file("a/1", "1")
                    .file("b/2", "2")
                    .file("c/d/3", "3"),
            ],
            &[
                "a=store",
                "b=/../../store/../a",
                "c=../../../b",
                "pre=0",
                "store/",
                "store/1=1",
                "store/2=2",
                "store/d/",
                "store/d/3=3",
            ],
        ),
        (
            "a link of a lower layer in the way becomes a directory",
            vec![base(), tar().file("l/x", "9")],
            &[
                "d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "f=4", "l/", "l/x=9",
            ],
        ),
        (
            "a file in the way becomes a directory",
            vec![base(), tar().file("f/x", "9")],
            &[
                "d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "f/", "f/x=9", "l=d",
            ],
        ),
        (
            "a hard link into a lower layer, and over a directory that has its target",
            vec![base(), tar().link("g", "f").link("d", "d/a").link("m", "l")],
            &["d=1", "f=4", "g=4", "l=d", "m=d"],
        ),
        (
            "a hard link outlives its target",
            vec![
                base(),
                tar().link("g", "/f"),
                tar().file(".wh.f", "").file(".wh.d", ""),
            ],
            &["g=4", "l=d"],
        ),
        (
            "a hard link through a link of its layer",
            vec![base(), tar().symlink("k", "d/e").link("g", "k/c")],
            &[
                "d/", "d/a=1", "d/b=2", "d/e/", "d/e/c=3", "f=4", "g=3", "k=d/e", "l=d",
            ],
        ),
        (
            "absolute names, dots and slashes",
            vec![
                tar()
                    .file("/a", "1")
                    .file("//./b//c", "2")
                    .directory("./")
                    .directory("/"),
            ],
            &["a=1", "b/", "b/c=2"],
        ),
        (
            "what eStargz has in the root",
            vec![
                tar()
                    .file("stargz.index.json", "{}")
                    .file(".prefetch.landmark", "x")
                    .file(".no.prefetch.landmark", "x")
                    .file("d/.prefetch.landmark", "1"),
            ],
            &["d/", "d/.prefetch.landmark=1"],
        ),
        (
            "names that differ in case only",
            vec![tar().file("a", "1").file("A", "2")],
            &["A=2", "a=1"],
        ),
    ];
    for (rule, layers, expected) in table {
        assert_eq!(shown(&layers), expected, "{rule}");
    }
}

#[test]
fn owners_devices_pipes_times_and_modes_arrive() {
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let list = [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255];
    let layer = tar()
        .entry(&Entry {
            name: "plain",
            mode: 0o4755,
            owner: (1000, 33),
            ..Entry::default()
        })
        .odd(b'0', "binary", b"", |header| {
            header[108..116].copy_from_slice(&[0x80, 0, 0, 0, 0, 0x1e, 0x84, 0x80]);
            header[136..148]
                .copy_from_slice(&[255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254]);
        })
        .pax(&[("uid", b"3000000"), ("gid", b"3000001"), ("mtime", b"12.5")])
        .file("pax", "x")
        .pax(&[
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.user.note", b"a=b\n"),
            ("SCHILY.xattr.system.posix_acl_access", &list),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.security.selinux", b"s"),
            ("SCHILY.xattr.security.ima", b"s"),
            ("SCHILY.xattr.security.evm", b"s"),
            ("SCHILY.xattr.overlay", b"s"),
        ])
        .file("able", "x")
        .pax(&[
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.user.note", b""),
            ("SCHILY.xattr.system.posix_acl_default", &list),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/x"),
        ])
        .directory("directory")
        .pax(&[
            ("SCHILY.xattr.user.note", b"1"),
            ("SCHILY.xattr.security.capability", b"1"),
        ])
        .symlink("link", "/nowhere")
        .device(b'3', "null", 1, 3)
        .device(b'4', "disk", 259, 0x12345)
        .member(b'6', b"pipe", b"", b"")
        .pax(&[("path", "long/".repeat(60).as_bytes()), ("linkpath", b"x")])
        .directory("short")
        .member(
            b'L',
            b"l",
            b"",
            format!("{}f\0", "n/".repeat(120)).as_bytes(),
        )
        .file("short", "deep");
    let tree = tree(&[layer.end()]).unwrap();
    let seen = |name: &str| &tree[name.as_bytes()];
    assert_eq!(
        (seen("plain").mode, seen("plain").owner),
        (0o104_755, (1000, 33))
    );
    assert_eq!(
        (seen("binary").owner, seen("binary").seconds),
        ((2_000_000, 0), -2)
    );
    assert_eq!(seen("pax").owner, (3_000_000, 3_000_001));
    assert_eq!(
        (seen("pax").seconds, seen("pax").nanoseconds),
        (12, 500_000_000)
    );
    let attributes = |name: &str| {
        let attributes = seen(name).attributes.iter();
        attributes
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<Vec<_>>()
    };
    let pair = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let expected = [
        pair("security.capability", &capability),
        pair("system.posix_acl_access", &list),
        pair("user.note", b"a=b\n"),
    ];
    assert_eq!(attributes("able"), expected);
    let expected = [
        pair("system.posix_acl_default", &list),
        pair("user.note", b""),
    ];
    assert_eq!(attributes("directory"), expected);
    assert_eq!(attributes("link"), []);
    assert_eq!((seen("null").kind(), seen("null").device), ('c', 0x103));
    assert_eq!(
        (seen("disk").kind(), seen("disk").device),
        ('b', 0x1231_0345)
    );
    assert_eq!(seen("pipe").kind(), 'p');
    assert_eq!(seen(&"n/".repeat(120)[..239]).kind(), 'd');
    assert_eq!(seen(&format!("{}f", "n/".repeat(120))).text(), "deep");
    assert_eq!(seen(&"long/".repeat(60)[..299]).mode, 0o040_755);
}

#[test]
fn attributes_of_the_root_and_of_directories_are_those_of_the_last_layer() {
    let directory = |name, mode| Entry {
        kind: b'5',
        name,
        mode,
        ..Entry::default()
    };
    let lower = tar()
        .entry(&directory("./", 0o700))
        .pax(&[("SCHILY.xattr.user.a", b"1")])
        .entry(&directory("d", 0o700));
    let upper = tar()
        .entry(&directory("./", 0o711))
        .entry(&directory("d", 0o3777));
    let tree = tree(&[lower.end(), upper.file("e/f", "").end()]).unwrap();
    assert_eq!(tree[&b""[..]].mode, 0o040_711);
    assert_eq!(tree[&b"d"[..]].mode, 0o043_777);
    assert!(tree[&b"d"[..]].attributes.is_empty());
    assert_eq!(
        (tree[&b"e"[..]].mode, tree[&b"e"[..]].owner),
        (0o040_755, (0, 0))
    );
}

#[test]
fn a_guest_finds_what_it_needs() {
    let layer = tar()
        .file("dev", "file")
        .symlink("proc", "/nonexistent")
        .symlink("run", "var/run")
        .symlink("tmp", "var/tmp")
        .directory("conf")
        .symlink("etc", "conf");
    let wanted = Wanted {
        directories: vec!["/srv/app".into(), "data".into(), "/".into()],
    };
    let tree_of = |layer: Tar, wanted: &Wanted| {
        super::erofs::read(&bytes(flatten(&[layer.end()], wanted).unwrap()))
    };
    let tree = tree_of(layer, &wanted);
    for name in ["dev", "etc", "proc", "run", "sys", "srv/app", "data"] {
        assert_eq!(tree[name.as_bytes()].mode, 0o040_755, "{name}");
    }
    assert_eq!(tree[&b"tmp"[..]].mode, 0o041_777);

    let layer = tar()
        .entry(&Entry {
            kind: b'5',
            name: "etc",
            mode: 0o500,
            ..Entry::default()
        })
        .file("etc/hosts", "127.0.0.1 localhost")
        .directory("etc/hostname")
        .file("etc/hostname/x", "")
        .symlink("etc/resolv.conf", "../run/resolve")
        .member(b'6', b"etc/machine-id", b"", b"")
        .symlink("app", "/srv/../srv/real")
        .directory("srv/real")
        .file("taken", "x")
        .symlink("loop", "loop");
    let wanted = ["/app/deep", "/taken/below", "/loop/x", "up"].map(Into::into);
    let tree = tree_of(
        layer,
        &Wanted {
            directories: wanted.into(),
        },
    );
    let expected = [
        "app",
        "etc/hosts",
        "loop",
        "srv",
        "srv/real",
        "srv/real/deep",
        "taken",
        "up",
    ];
    assert_eq!(names(&tree), expected);
    assert_eq!(tree[&b"etc"[..]].mode, 0o040_500);
    assert_eq!(tree[&b"loop"[..]].kind(), 'l');
}

#[test]
fn layers_are_packed_in_any_way_and_have_their_digests() {
    use std::io::Write as _;
    let tar = tar().file("a", "1").end();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes| {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        ruzstd::encoding::compress_to_vec(bytes, level)
    };
    let skipped: &[u8] = b"\x5f\x2a\x4d\x18\x03\0\0\0abc";
    let diff_id = Sha256::digest(&tar);
    let diff_id = diff_id
        .iter()
        .fold("sha256:".into(), |text, byte| format!("{text}{byte:02x}"));
    let packed: [(&str, Vec<u8>); 6] = [
        ("plain", tar.clone()),
        ("gzip", gzip(&tar)),
        (
            "gzip in parts",
            [gzip(&tar[..700]), gzip(b""), gzip(&tar[700..])].concat(),
        ),
        ("zstd", zstd(&tar[..])),
        (
            "zstd:chunked",
            [&zstd(&tar[..900]), skipped, &zstd(&tar[900..]), skipped].concat(),
        ),
        ("skipped first", [skipped, &zstd(&tar[..])].concat()),
    ];
    let mut images = Vec::new();
    for (way, layer) in packed {
        let file = tempfile::tempfile().unwrap();
        let mut image = LayerImage::create(file, LayerLimits::default()).unwrap();
        let report = image.add_layer(way, &layer[..]).unwrap();
        assert_eq!(report.diff_id, diff_id, "{way}");
        assert_eq!(
            (report.entries, report.whiteouts, report.content_bytes),
            (1, 0, 1)
        );
        images.push(bytes(image.finish(&Wanted::default()).unwrap()));
    }
    assert!(
        images.iter().all(|image| *image == images[0]),
        "the same layer, the same image"
    );
}

#[test]
fn what_is_overwritten_or_deleted_takes_no_room() {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let secret = "secret ".repeat(100_000);
    let lower = tar()
        .file("deleted", &secret)
        .file("kept", "kept")
        .file("replaced", &secret);
    let upper = tar()
        .file(".wh.deleted", "")
        .file("replaced", "new")
        .file("hole", "");
    let image = flatten(&[lower.end(), upper.end()], &Wanted::default()).unwrap();
    assert!(image.size().unwrap() > 1_400_000);
    assert_eq!(image.inodes(), 10);
    assert_eq!(image.read("replaced", 3).unwrap().unwrap(), b"new");
    assert_eq!(image.read("kept", 3).unwrap(), None);
    let mut file = image.into_file();
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut content).unwrap();
    let found = content.windows(6).any(|bytes| bytes == b"secret");
    assert!(!found, "it can still be read");
    let tree = super::erofs::read(&content);
    assert_eq!(tree[&b"kept"[..]].text(), "kept");
    assert_eq!(tree[&b"replaced"[..]].text(), "new");
}

#[test]
fn an_image_can_be_asked_for_programs_and_small_files() {
    let file = |name, mode| Entry {
        name,
        mode,
        content: b"x",
        ..Entry::default()
    };
    let layer = tar()
        .entry(&file("usr/bin/dash", 0o755))
        .entry(&file("usr/bin/data", 0o644))
        .symlink("usr/bin/sh", "/usr/bin/dash")
        .symlink("bin", "usr/bin")
        .symlink("loop", "loop")
        .directory("usr/bin/directory");
    let upper = tar()
        .file("usr/lib/os-release", "ID=x")
        .symlink("etc/os-release", "../usr/lib/os-release");
    let image = flatten(&[layer.end(), upper.end()], &Wanted::default()).unwrap();
    for (path, expected) in [
        ("/bin/sh", true),
        ("bin/../bin/./sh", true),
        ("/bin/data", false),
        ("/bin/directory", false),
        ("/bin/sh/x", false),
        ("/loop", false),
        ("/no", false),
    ] {
        assert_eq!(image.is_program(path), expected, "{path}");
    }
    assert_eq!(
        image.read("/etc/os-release", 100).unwrap().unwrap(),
        b"ID=x"
    );
    assert_eq!(image.read("/etc", 100).unwrap(), None);
}
