//! Memory does not grow with the size of layers. A program of its own, because what is measured is the
//! whole process.

#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};

use pyro_archive::{LayerImage, LayerLimits, Wanted};

/// As many as an image of Debian with Python, Perl and git.
const ENTRIES: u64 = 13_000;
const LAYERS: u64 = 11;
const LARGE_FILE_BYTES: u64 = 128 << 20;
const MOST_MIB: u64 = 24;

#[test]
fn an_image_of_13_000_entries_is_flattened_in_little_memory() {
    let mut image =
        LayerImage::create(tempfile::tempfile().unwrap(), LayerLimits::default()).unwrap();
    for layer in 0..LAYERS {
        let mut file = tempfile::tempfile().unwrap();
        for number in (0..ENTRIES).filter(|number| number % LAYERS == layer) {
            let name = format!(
                "usr/share/doc/package-{}/file-with-some-name-{number}",
                number / 20
            );
            write(&mut file, &name, 700);
        }
        write(&mut file, "large", LARGE_FILE_BYTES);
        file.write_all(&[0; 1024]).unwrap();
        file.rewind().unwrap();
        image.add_layer("layer", file).unwrap();
    }
    let image = image.finish(&Wanted::default()).unwrap();
    assert!(image.inodes() > ENTRIES);
    let peak = peak_mib();
    assert!(peak < MOST_MIB, "{peak} MiB");
}

/// Writes a member of a tar file, and leaves out the zeros that it consists of.
fn write(file: &mut File, name: &str, size: u64) {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    file.write_all(header.as_bytes()).unwrap();
    let length = i64::try_from(size.next_multiple_of(512)).unwrap();
    file.seek(SeekFrom::Current(length)).unwrap();
}

fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap();
    kib.parse::<u64>().unwrap() >> 10
}
