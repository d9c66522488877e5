//! Whatever an archive of images has: it is refused, or each blob of the image that is found in it is
//! a file of the archive with the right digest.

#![no_main]

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pyro_archive::{TarFile, read_tar_files};
use pyro_oci::{Archive, Form, Held};

#[path = "../src/sums.rs"]
mod sums;

fuzz_target!(|input: (u8, &[u8])| {
    let (mode, bytes) = input;
    let mut bytes = bytes.to_vec();
    if mode & 1 == 0 {
        sums::correct(&mut bytes);
    }
    let place = tempfile::tempdir().expect("there is a place for temporary files");
    let mut archive = Archive::packed("archive");
    let mut number = 0;
    let read = read_tar_files(Path::new("archive"), &bytes[..], |name, file| {
        // What is refused is refused by the caller, too; here it is left out.
        match file {
            TarFile::Link { target, is_symbolic } => {
                drop(archive.add_link(name, target, is_symbolic));
            }
            TarFile::File { content, .. } => {
                let mut text = Vec::new();
                if content.read_to_end(&mut text).is_ok() {
                    let path = place.path().join(number.to_string());
                    number += 1;
                    fs::write(&path, &text).expect("it can be written");
                    let digest = pyro_oci::hash(&path).expect("it can be read");
                    let size = text.len() as u64;
                    drop(archive.add_file(name, Held { path, size, digest: Some(digest) }));
                }
            }
        }
        Ok::<_, pyro_archive::Error>(())
    });
    if read.is_err() {
        return;
    }
    for form in [Form::Saved, Form::Layout] {
        for tag in [None, Some("1")] {
            let Ok(found) = archive.find(form, tag) else {
                continue;
            };
            for (digest, held) in &found.blobs {
                assert_eq!(held.path.parent(), Some(place.path()));
                assert_eq!(pyro_oci::hash(&held.path).ok().as_ref(), Some(digest));
            }
            for blob in found.image.manifest.layers.iter().chain([&found.image.manifest.config]) {
                assert!(found.blobs.contains_key(&blob.digest));
            }
        }
    }
});
