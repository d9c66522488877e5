//! Whatever is in a file that is named like an archive: it is read to its end or refused, and
//! what is taken becomes an image and a stream that agree.

#![no_main]

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use pyro_archive::{PathLimits, Source, write_image, write_tar};

#[path = "../src/sums.rs"]
mod sums;

const LIMITS: PathLimits = PathLimits {
    path_bytes: usize::MAX,
    list_bytes: u64::MAX,
};

static PLACE: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("there is a place for temporary files");
    let path = directory.path().join("archive.tar");
    (directory, path)
});

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
    std::fs::write(&PLACE.1, &bytes).expect("it can be written");
    let source = Source::open("seed_path", &PLACE.1).expect("it is there");
    let mut image = Output::default();
    let mut stream = Vec::new();
    let image = write_image(&source, &mut image, "workspace", &|_| ());
    let counts = write_tar(&source, &mut stream, LIMITS, &|_| ());
    if let (Ok(image), Ok(counts)) = (image, counts) {
        assert_eq!(image, counts);
        // What was made is an archive itself, but for its last member.
        let end = stream.len() - 512 - 512 - 1024;
        stream.truncate(end);
        stream.resize(end + 1024, 0);
        std::fs::write(&PLACE.1, &stream).expect("it can be written");
        let source = Source::open("seed_path", &PLACE.1).expect("it is there");
        let mut again = Vec::new();
        let again = write_tar(&source, &mut again, LIMITS, &|_| ()).expect("what was sent is well-formed");
        assert_eq!(again.bytes_written, counts.bytes_written);
    }
    Corpus::Keep
});

/// Counts what is written and keeps none of it.
#[derive(Default)]
struct Output {
    position: u64,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Output {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(by) => self.position.saturating_add_signed(by),
            SeekFrom::End(_) => self.position,
        };
        Ok(self.position)
    }
}
