//! Holes stay holes: they are not read, take no room in an image, and are not sent.

use std::cell::Cell;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use pyro_archive::{Progress, Source, write_image, write_tar};

use crate::{LIMITS, run, to_image, to_tar, unpack_tar};

const GIB: u64 = 1 << 30;

/// Makes a file with some bytes at each of the offsets.
fn plant(path: &Path, size: u64, data: &[(u64, &[u8])]) {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    for (offset, bytes) in data {
        file.write_all_at(bytes, *offset).unwrap();
    }
}

/// Returns where the pieces of a file are that an image has: offset, length, and place in the
/// image. By the map that the program of the format shows: when it unpacks a file with holes
/// itself, it forgets them.
fn pieces(image: &Path, name: &str) -> Vec<(u64, u64, u64)> {
    let path = format!("--path=/workspace/{name}");
    let shown = run("dump.erofs", &["-e", &path], image.as_os_str());
    let mut pieces = Vec::new();
    let mut before = 0;
    for line in shown
        .lines()
        .filter(|line| line.contains("..") && line.contains('|'))
    {
        let numbers: Vec<u64> = line
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        // The number of the extent; from, to, length in the file; from, to, length in the image.
        let [_, from, _, _, at, _, length] = numbers[..] else {
            panic!("{line}");
        };
        // Of a hole it shows what came before: nothing, or a place that was there already.
        if at != before {
            before = at;
            pieces.push((from, length, at));
        }
    }
    pieces
}

/// Reads a file out of an image.
fn read_mapped(image: &Path, name: &str, size: u64) -> Vec<u8> {
    let file = File::open(image).unwrap();
    let mut content = vec![0; usize::try_from(size).unwrap()];
    for (from, length, at) in pieces(image, name) {
        let length = length.min(size - from);
        let from = usize::try_from(from).unwrap();
        let to = from + usize::try_from(length).unwrap();
        file.read_exact_at(&mut content[from..to], at).unwrap();
    }
    content
}

#[test]
fn a_file_of_20_gib_of_holes_is_quickly_read_and_sent() {
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let path = tree.join("disk");
    plant(
        &path,
        20 * GIB,
        &[
            (0, b"begin"),
            (7 * GIB + 70_005, b"middle"),
            (20 * GIB - 3, b"end"),
        ],
    );
    if fs::metadata(&path).unwrap().blocks() > 1 << 20 {
        eprintln!("SKIPPED a_file_of_20_gib_of_holes_is_quickly_read_and_sent: no holes here");
        return;
    }
    let source = Source::open("seed_path", &tree).unwrap();
    let read = Cell::new(0);
    let tell = |progress: Progress| read.set(progress.bytes);

    let image = tempfile::NamedTempFile::new().unwrap();
    let report = write_image(&source, image.as_file(), "workspace", &tell).unwrap();
    assert_eq!(report.bytes_written, 20 * GIB);
    assert!(read.get() < 1 << 20, "{} bytes were read", read.get());
    // Not even the numbers of blocks are used up.
    assert!(image.as_file().metadata().unwrap().len() < 16 << 20);
    run("fsck.erofs", &[], image.path().as_os_str());
    let shown = run(
        "dump.erofs",
        &["--path=/workspace/disk"],
        image.path().as_os_str(),
    );
    assert!(shown.contains(&format!("Size: {} ", 20 * GIB)), "{shown}");
    let pieces = pieces(image.path(), "disk");
    assert_eq!(pieces.len(), 3, "{pieces:?}");
    for (offset, expected) in [
        (0, &b"begin"[..]),
        (7 * GIB + 70_005, b"\0middle\0"),
        (20 * GIB - 3, b"end"),
    ] {
        let offset = offset - u64::from(expected[0] == 0);
        let is_in = |piece: &&(u64, u64, u64)| (piece.0..piece.0 + piece.1).contains(&offset);
        let (from, _, at) = pieces.iter().find(is_in).unwrap();
        let mut found = vec![0; expected.len()];
        let place = at + (offset - from);
        image.as_file().read_exact_at(&mut found, place).unwrap();
        assert_eq!(found, expected);
    }

    let mut stream = Vec::new();
    write_tar(&source, &mut stream, LIMITS, &tell).unwrap();
    assert!(stream.len() < 1 << 20, "{} bytes were sent", stream.len());
    let into = tempfile::tempdir().unwrap();
    let unpacked = unpack_tar(&stream, into.path()).join("disk");
    let metadata = fs::metadata(&unpacked).unwrap();
    assert_eq!(metadata.len(), 20 * GIB);
    assert!(metadata.blocks() < 1 << 12, "{}", metadata.blocks());
    let unpacked = File::open(unpacked).unwrap();
    let mut middle = [0; 6];
    unpacked
        .read_exact_at(&mut middle, 7 * GIB + 70_005)
        .unwrap();
    assert_eq!(&middle, b"middle");
}

#[test]
fn what_gnu_tar_packs_with_holes_is_taken_with_them() {
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    fs::create_dir(&tree).unwrap();
    plant(
        &tree.join("a"),
        64 << 20,
        &[(1 << 20, b"one"), (40 << 20, &vec![7; 70_000])],
    );
    plant(&tree.join("b"), 8 << 20, &[]);
    let islands: Vec<(u64, &[u8])> = (0..100)
        .map(|number| (number * 100_000, &b"x"[..]))
        .collect();
    plant(&tree.join("c"), 10_000_001, &islands);
    for format in [
        "--format=gnu",
        "--sparse-version=0.0",
        "--sparse-version=0.1",
        "--sparse-version=1.0",
    ] {
        let tar = place.path().join("a.tar");
        let mut command = Command::new("tar");
        command.args(["--sparse", format]).arg("-cf").arg(&tar);
        if format.starts_with("--sparse") {
            command.arg("--format=posix");
        }
        assert!(
            command
                .arg("-C")
                .arg(&tree)
                .arg(".")
                .status()
                .unwrap()
                .success()
        );
        let source = Source::open("seed_path", &tar).unwrap();
        let into = tempfile::tempdir().unwrap();
        let (image, report) = to_image(&source).unwrap();
        assert_eq!(
            report.bytes_written,
            (64 << 20) + (8 << 20) + 10_000_001,
            "{format}"
        );
        assert!(image.len() < 16 << 20, "{format}: {}", image.len());
        let (stream, _) = to_tar(&source).unwrap();
        assert!(stream.len() < 2 << 20, "{format}: {}", stream.len());
        let file = into.path().join("image");
        fs::write(&file, image).unwrap();
        let other = tempfile::tempdir().unwrap();
        let from_stream = unpack_tar(&stream, other.path());
        for name in ["a", "b", "c"] {
            let original = fs::read(tree.join(name)).unwrap();
            let size = original.len() as u64;
            assert!(
                read_mapped(&file, name, size) == original,
                "{format} {name}"
            );
            assert!(
                fs::read(from_stream.join(name)).unwrap() == original,
                "{format} {name}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_file_with_holes_arrives_as_it_is(
        size in 1_u64..6_000_000,
        islands in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..9000), 0..8),
    ) {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let path = tree.join("a");
        plant(&path, size, &[]);
        let file = File::options().write(true).open(&path).unwrap();
        for (at, length) in islands {
            let at = at.index(usize::try_from(size).unwrap());
            let length = length.min(usize::try_from(size).unwrap() - at);
            file.write_all_at(&vec![b'x'; length], at as u64).unwrap();
        }
        let original = fs::read(&path).unwrap();
        let source = Source::open("seed_path", &tree).unwrap();
        let image = place.path().join("image");
        let output = File::create(&image).unwrap();
        write_image(&source, output, "workspace", &|_| ()).unwrap();
        prop_assert!(read_mapped(&image, "a", size) == original);
        let (stream, _) = to_tar(&source).unwrap();
        let into = tempfile::tempdir().unwrap();
        prop_assert!(fs::read(unpack_tar(&stream, into.path()).join("a")).unwrap() == original);
    }
}
