//! Memory does not grow with the size of files. A program of its own, because what is measured is
//! the whole process.

#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use pyro_archive::{Packer, Packing, PathLimits, Source, Target, extract, write_image, write_tar};

const SIZE: u64 = 512 << 20;
/// Of what is packed, which takes its time without optimization: more than the limit, too.
const PACKED_SIZE: u64 = 64 << 20;
const MOST_MIB: u64 = 48;
const LIMITS: PathLimits = PathLimits {
    path_bytes: usize::MAX,
    list_bytes: u64::MAX,
};

#[test]
fn a_large_file_passes_through() {
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let large = File::create(tree.join("large")).unwrap();
    large.set_len(SIZE).unwrap();
    let packed = place.path().join("large.tar");
    tar(&packed, SIZE);

    for path in [&tree, &packed] {
        let source = Source::open("seed_path", path).unwrap();
        let image = tempfile::tempfile().unwrap();
        let counts = write_image(&source, &image, "workspace", &|_| ()).unwrap();
        assert_eq!(counts.bytes_written, SIZE);
        let counts = write_tar(&source, std::io::sink(), LIMITS, &|_| ()).unwrap();
        assert_eq!(counts.bytes_written, SIZE);
    }
    let exported = place.path().join("exported.tar");
    tar(&exported, PACKED_SIZE);
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let mut stream = File::open(&exported).unwrap();
        let mut choose = |_| {
            Ok(Target::Tar {
                output: Packer::new(packing, std::io::sink()),
                name: b"name",
                owner: (0, 0),
            })
        };
        let extracted = extract(&mut stream, "large", &mut choose, &|_| ()).unwrap();
        assert_eq!(extracted.bytes_written, PACKED_SIZE);
    }
    let peak = peak_mib();
    assert!(peak < MOST_MIB, "{peak} MiB");
}

/// Makes a tar file of one file without content on the disk.
fn tar(path: &Path, size: u64) {
    let mut header = tar::Header::new_gnu();
    header.set_path("large").unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    let mut file = File::create(path).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(size + 3 * 512).unwrap();
}

fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap();
    kib.parse::<u64>().unwrap() >> 10
}
