//! An archive is unpacked below a destination: nothing appears elsewhere, and where it fails,
//! nothing at all.

#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, archive) = input;
    let place = tempfile::tempdir().expect("there is a place for temporary files");
    let outside = place.path().join("outside");
    let root = place.path().join("root");
    for directory in [&outside, &root.join("workspace/sub")] {
        fs::create_dir_all(directory).expect("it can be made");
    }
    fs::write(outside.join("precious"), "precious").expect("it can be written");
    fs::write(root.join("workspace/a"), "old").expect("it can be written");
    symlink(&outside, root.join("workspace/link")).expect("it can be made");
    let before = tree(&root);
    let destination = [
        "/workspace",
        "/workspace/sub",
        "/workspace/link",
        "/new",
        "/",
        "x",
    ][usize::from(choice) % 6];
    let done = pyro_guest::fuzz_unpack(&root, destination, archive);
    let found: Vec<_> = fs::read_dir(&outside)
        .expect("it is there")
        .flatten()
        .collect();
    assert_eq!(found.len(), 1);
    let precious = fs::read_to_string(outside.join("precious")).expect("it is there");
    assert_eq!(precious, "precious");
    if !done {
        assert_eq!(tree(&root), before);
    }
});

/// What there is, but for the place where archives are staged.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).expect("it is there").flatten() {
            let path = entry.path();
            if entry.file_name() == ".pyro" {
                continue;
            }
            let kind = entry.file_type().expect("it is there");
            if kind.is_dir() {
                left.push(path.clone());
                found.insert(path, Vec::new());
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).expect("it is one");
                found.insert(path, target.into_os_string().into_encoded_bytes());
            } else {
                let content = fs::read(&path).unwrap_or_default();
                found.insert(path, content);
            }
        }
    }
    found
}
