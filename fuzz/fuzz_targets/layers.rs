//! Whatever layers an image has: they are refused, or become a file system that a reader finds nothing
//! wrong with, and the same one each time.

#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt;

use libfuzzer_sys::{Corpus, fuzz_target};
use pyro_archive::{LayerImage, LayerLimits, Wanted};

#[path = "../../crates/pyro-archive/tests/archive/layers/erofs.rs"]
#[allow(dead_code)]
mod erofs;
#[path = "../src/sums.rs"]
mod sums;

const LIMITS: LayerLimits = LayerLimits {
    entries: 1000,
    description_bytes: 1 << 20,
    content_bytes: 1 << 20,
};
/// Larger ones have holes, and are not looked at.
const LARGEST: u64 = 16 << 20;

fuzz_target!(|input: &[u8]| -> Corpus {
    let [mode, first_blocks, rest @ ..] = input else {
        return Corpus::Reject;
    };
    let (first, second) = rest.split_at(rest.len().min(usize::from(*first_blocks) * 512));
    let layers = [first, second].map(|bytes| {
        let mut bytes = bytes.to_vec();
        if mode & 1 == 0 {
            sums::correct(&mut bytes);
        }
        if mode & 2 == 0 {
            bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
        }
        bytes
    });
    if let Some(image) = flatten(&layers) {
        erofs::read(&image);
        assert!(flatten(&layers).is_some_and(|again| again == image));
    }
    Corpus::Keep
});

fn flatten(layers: &[Vec<u8>]) -> Option<Vec<u8>> {
    let file: File = tempfile::tempfile().expect("there is a place for temporary files");
    let mut image = LayerImage::create(file, LIMITS).expect("it is new");
    for layer in layers {
        image.add_layer("layer", &layer[..]).ok()?;
    }
    let wanted = Wanted {
        directories: vec!["/a/b".into(), "/sub/link/new".into()],
    };
    let image = image.finish(&wanted).ok()?;
    assert!(!image.is_program("/tmp"));
    let _content = image.read("/sub/file", 100).expect("it can be read");
    let size = image.size().expect("it is there");
    let mut bytes = vec![0; usize::try_from(size.min(LARGEST)).expect("it is small")];
    image.into_file().read_exact_at(&mut bytes, 0).expect("it is as long");
    (size <= LARGEST).then_some(bytes)
}
