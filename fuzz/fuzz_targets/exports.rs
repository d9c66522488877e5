//! Whatever a guest sends of its files: what is made of it is below one name, and as a tar file it
//! is a stream that is taken again.

#![no_main]

use std::fs::{self, File};
use std::os::fd::AsFd;

use libfuzzer_sys::{Corpus, fuzz_target};
use pyro_archive::{Packer, Packing, Target, extract};

#[path = "../src/sums.rs"]
mod sums;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((mode, bytes)) = input.split_first() else {
        return Corpus::Reject;
    };
    let mut bytes = bytes.to_vec();
    if mode & 1 == 0 {
        sums::correct(&mut bytes);
    }
    if mode & 2 == 0 {
        bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
    }
    let place = tempfile::tempdir().expect("there is a place for temporary files");
    let inside = place.path().join("inside");
    fs::create_dir(&inside).expect("it can be made");
    fs::write(place.path().join("precious"), "precious").expect("it can be written");
    let open = File::open(&inside).expect("it is there");
    let mut choose = |_| Ok(Target::Files(open.as_fd()));
    let made = extract(&mut &bytes[..], "packed", &mut choose, &|_| ());
    let names = fs::read_dir(&inside).expect("it is there").flatten();
    assert!(names.into_iter().all(|entry| entry.file_name() == "packed"));
    assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 2);
    let precious = fs::read(place.path().join("precious")).expect("it is there");
    assert_eq!(precious, b"precious");

    let packing = [Packing::Plain, Packing::Gzip, Packing::Zstd][usize::from(mode >> 2) % 3];
    let mut archive = Vec::new();
    let repacked = repack(&bytes, "packed", packing, &mut archive);
    // A file system may refuse a name or a time that a tar file can have.
    if let Ok((entries, content)) = repacked {
        if let Ok(made) = made {
            assert_eq!((made.entry_count, made.bytes_written), (entries, content));
        }
        if packing == Packing::Plain {
            let again = repack(&archive, "name", packing, &mut Vec::new());
            assert_eq!(again.expect("it is well-formed"), (entries, content));
        }
    }
    Corpus::Keep
});

/// Returns how many members and bytes there were.
fn repack(
    bytes: &[u8],
    top: &str,
    packing: Packing,
    archive: &mut Vec<u8>,
) -> Result<(u64, u64), pyro_archive::Error> {
    let mut archive = Some(archive);
    let mut choose = |_| {
        let output = archive.take().expect("it is chosen once");
        Ok(Target::Tar {
            output: Packer::new(packing, output),
            name: b"name",
            owner: (1, 2),
        })
    };
    let extracted = extract(&mut &bytes[..], top, &mut choose, &|_| ())?;
    Ok((extracted.entry_count, extracted.bytes_written))
}
