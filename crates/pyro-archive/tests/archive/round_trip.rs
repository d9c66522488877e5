//! What arrives is what was there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use pyro_archive::{END_MEMBER, Source};

use crate::{Known, Tar, look, run, to_image, to_tar, unpack_image, unpack_tar};

/// All that a tree may have.
fn plant(root: &Path) {
    let write = |name: &str, content: &[u8]| fs::write(root.join(name), content).unwrap();
    for size in [
        0,
        1,
        511,
        512,
        4031,
        4032,
        4033,
        4095,
        4096,
        4097,
        (1 << 20) + 1,
    ] {
        let content: Vec<u8> = (0..size).map(|byte: u32| (byte % 251) as u8).collect();
        write(&format!("of {size} bytes"), &content);
    }
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff")), "not UTF-8").unwrap();
    write("µ", b"UTF-8");
    // Sorted before the dots.
    for name in ["!", "-", "+x", " ", "...", ".hidden"] {
        write(name, name.as_bytes());
    }
    fs::create_dir_all(root.join("deep/er/and/deeper/empty")).unwrap();
    symlink("../../of 1 bytes", root.join("deep/er/up")).unwrap();
    symlink("er/../er/up", root.join("deep/down and up")).unwrap();
    symlink("nowhere/".repeat(500), root.join("dangling")).unwrap();
    symlink("/usr/bin/python3", root.join("absolute")).unwrap();
    symlink("../../../out", root.join("deep/out")).unwrap();
    write("linked", b"one of two");
    fs::hard_link(root.join("linked"), root.join("deep/er/other name")).unwrap();
    fs::create_dir(root.join("wide")).unwrap();
    for number in 0..700 {
        write(&format!("wide/{number}-{}", "n".repeat(number % 200)), b"");
    }
    for (name, mode) in [
        ("!", 0o4755),
        ("-", 0o2711),
        ("deep", 0o1777),
        ("+x", 0o400),
        ("deep/er", 0o2750),
    ] {
        fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
    }
    let epoch = SystemTime::UNIX_EPOCH;
    for (name, time) in [
        ("!", epoch - Duration::new(86_400, 250_000_000)),
        ("+x", epoch - Duration::new(86_400, 0)),
        ("-", epoch + Duration::new(1 << 33, 1)),
        ("deep", epoch + Duration::new(1 << 33, 0)),
        ("deep/er", epoch),
    ] {
        let file = File::open(root.join(name)).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    }
}

#[test]
fn a_directory_arrives_as_it_was_by_image() {
    let (_tree, planted, source) = planted();
    let (image, counts) = to_image(&source).unwrap();
    check_counts(&counts, &planted);
    let into = tempfile::tempdir().unwrap();
    let unpacked = look(&unpack_image(&image, into.path()));
    // The program unpacks hard links as files, and sets no times of symbolic links.
    compare(planted, unpacked, |known| {
        known.links = 1;
        if known.mode & 0o170_000 == 0o120_000 {
            known.seconds = 0;
            known.nanoseconds = 0;
        }
    });
    let inode = |path| {
        let path = format!("--path=/workspace/{path}");
        let file = into.path().join("image");
        let shown = run("dump.erofs", &[&path], file.as_os_str());
        let line = |key| {
            shown
                .lines()
                .find(|line| line.contains(key))
                .unwrap()
                .to_owned()
        };
        (line("NID:"), line("Links:"), line("Uid:"))
    };
    assert_eq!(inode("linked"), inode("deep/er/other name"));
    let (_, links, owner) = inode("linked");
    assert!(links.contains("Links: 2"), "{links}");
    assert!(owner.contains("Uid: 0   Gid: 0"), "{owner}");
    let (_, links, _) = inode("deep");
    assert!(links.contains("Links: 3"), "{links}");
}

#[test]
fn a_directory_arrives_as_it_was_by_stream() {
    let (_tree, planted, source) = planted();
    let (stream, counts) = to_tar(&source).unwrap();
    check_counts(&counts, &planted);
    let into = tempfile::tempdir().unwrap();
    let mut unpacked = look(&unpack_tar(&stream, into.path()));
    let end = unpacked.remove(std::ffi::OsStr::new(END_MEMBER)).unwrap();
    let expected = format!(
        "{{\"entries\":{},\"bytes\":{}}}\n",
        counts.entry_count, counts.bytes_written
    );
    assert_eq!(String::from_utf8_lossy(&end.content), expected);
    compare(planted, unpacked, |_| ());

    let file = into.path().join("stream");
    let listed = run(
        "tar",
        &["--list", "--verbose", "--numeric-owner", "--file"],
        file.as_os_str(),
    );
    assert!(
        listed.lines().all(|line| line.contains(" 0/0 ")),
        "{listed}"
    );
    assert!(listed.ends_with(&format!("{END_MEMBER}\n")), "{listed}");
}

#[test]
fn a_tar_file_of_any_kind_is_as_good_as_its_directory() {
    let tree = tempfile::tempdir().unwrap();
    plant(tree.path());
    let from_directory = unpacked_image(&Source::open("seed_path", tree.path()).unwrap());
    for (name, format, filter) in [
        ("gnu.tar", "gnu", None),
        ("posix.tar", "posix", None),
        ("POSIX.TAR.GZ", "posix", Some("gzip")),
        ("gnu.tgz", "gnu", Some("gzip")),
        ("posix.tar.zst", "posix", Some("zstd")),
        ("posix.tar.xz", "posix", Some("xz")),
        ("gnu.txz", "gnu", Some("xz")),
        // The content says how it is compressed.
        ("misnamed.tar", "gnu", Some("gzip")),
    ] {
        if let Some(filter) = filter
            && Command::new(filter)
                .arg("--version")
                .stdout(Stdio::null())
                .status()
                .is_err()
        {
            eprintln!("SKIPPED a_tar_file_of_any_kind_is_as_good_as_its_directory: no {filter}");
            continue;
        }
        let into = tempfile::tempdir().unwrap();
        let file = into.path().join(name);
        let mut tar = Command::new("tar");
        tar.arg("--create").arg(format!("--format={format}"));
        if let Some(filter) = filter {
            tar.arg(format!("--use-compress-program={filter}"));
        }
        tar.arg("--file")
            .arg(&file)
            .arg("--directory")
            .arg(tree.path())
            .arg(".");
        assert!(tar.status().unwrap().success(), "{name}");
        let from_tar = unpacked_image(&Source::open("seed_path", &file).unwrap());
        compare(from_directory.clone(), from_tar, |known| {
            // GNU headers have no nanoseconds.
            if format == "gnu" {
                known.nanoseconds = 0;
            }
        });
    }
}

#[test]
fn parts_of_a_compressed_file_are_read_to_their_last() {
    let whole = Tar::default().file("a", "1").file("b", "2").end();
    let (one, other) = whole.split_at(700);
    let gzip = |part: &[u8]| filter("gzip", part);
    let zstd = |part: &[u8]| filter("zstd", part);
    let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    let mut compressed = vec![[gzip(one), gzip(other)].concat()];
    {
        let program = "xz";
        if Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok()
        {
            let parts = [filter(program, one), vec![0; 8], filter(program, other)];
            compressed.push(parts.concat());
        } else {
            eprintln!("SKIPPED parts_of_a_compressed_file_are_read_to_their_last: no {program}");
        }
    }
    if Command::new("zstd")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok()
    {
        compressed.push([zstd(one), skipped.to_vec(), zstd(other)].concat());
    } else {
        eprintln!("SKIPPED parts_of_a_compressed_file_are_read_to_their_last: no zstd");
    }
    for bytes in compressed {
        let (_directory, source) = crate::source("a.tar", &bytes);
        assert_eq!(to_image(&source).unwrap().1.entry_count, 2);
        // Sums and sizes at the end of the last part.
        for back in [1, 4, 5] {
            let mut altered = bytes.clone();
            let at = altered.len() - back;
            altered[at] ^= 1;
            let (_directory, source) = crate::source("a.tar", &altered);
            assert_eq!(to_image(&source).unwrap_err().code(), "archive_damaged");
        }
    }
}

#[test]
fn zeros_take_no_space() {
    let tree = tempfile::tempdir().unwrap();
    let size = (64 << 20) + 1;
    let file = File::create(tree.path().join("zeros")).unwrap();
    file.set_len(size).unwrap();
    fs::write(tree.path().join("zzz"), "after it").unwrap();
    let source = Source::open("seed_path", tree.path()).unwrap();
    let image = tempfile::NamedTempFile::new().unwrap();
    pyro_archive::write_image(&source, image.as_file(), "workspace", &|_| ()).unwrap();
    let metadata = image.as_file().metadata().unwrap();
    assert!(metadata.len() < size);
    assert!(metadata.blocks() * 512 < 4 << 20, "{}", metadata.blocks());
    let shown = run(
        "dump.erofs",
        &["--path=/workspace/zeros"],
        image.path().as_os_str(),
    );
    assert!(shown.contains(&format!("Size: {size} ")), "{shown}");
    run("fsck.erofs", &[], image.path().as_os_str());
}

fn planted() -> (tempfile::TempDir, BTreeMap<OsString, Known>, Source) {
    let tree = tempfile::tempdir().unwrap();
    plant(tree.path());
    let seen = look(tree.path());
    let source = Source::open("seed_path", tree.path()).unwrap();
    (tree, seen, source)
}

fn unpacked_image(source: &Source) -> BTreeMap<OsString, Known> {
    let into = tempfile::tempdir().unwrap();
    let (image, _) = to_image(source).unwrap();
    look(&unpack_image(&image, into.path()))
}

fn check_counts(counts: &pyro_archive::Report, planted: &BTreeMap<OsString, Known>) {
    assert_eq!(counts.entry_count, planted.len() as u64);
    let files = planted
        .iter()
        .filter(|(_, known)| known.mode & 0o170_000 == 0o100_000);
    let size: usize = files.map(|(_, known)| known.content.len()).sum();
    // The second name of a file has no content of its own.
    assert_eq!(
        counts.bytes_written,
        size as u64 - "one of two".len() as u64
    );
}

fn compare(
    mut expected: BTreeMap<OsString, Known>,
    mut seen: BTreeMap<OsString, Known>,
    forget: impl Fn(&mut Known),
) {
    expected.values_mut().for_each(&forget);
    seen.values_mut().for_each(&forget);
    assert!(expected.keys().eq(seen.keys()));
    for (name, known) in &expected {
        assert_eq!(*known, seen[name], "{}", name.display());
    }
}

fn filter(program: &str, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().stdout
}
