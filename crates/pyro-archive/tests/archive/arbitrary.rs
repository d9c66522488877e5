//! Whatever is in a file, it is taken or refused; nothing panics, and nothing that is taken is
//! anything but a file system.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{Tar, source, to_image, to_tar, unpack_image};

/// Names that get into each other's way.
const NAMES: &str = "(\\./)?[ab]{1,2}(/(\\.\\.|[ab])){0,3}/?";

fn member() -> impl Strategy<Value = (u8, String, String, Vec<u8>)> {
    let kind = prop_oneof![
        8 => prop::sample::select(&b"0125"[..]),
        1 => any::<u8>(),
    ];
    (kind, NAMES, NAMES, vec(any::<u8>(), 0..600)).prop_map(|(kind, name, target, content)| {
        let content = if matches!(kind, b'1' | b'2' | b'5') {
            Vec::new()
        } else {
            content
        };
        (kind, name, target, content)
    })
}

fn tar(members: &[(u8, String, String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Tar::default();
    for (kind, name, target, content) in members {
        tar = tar.member(*kind, name.as_bytes(), target.as_bytes(), content);
    }
    tar.end()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_an_archive_or_damaged(
        start in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd"]),
        bytes in vec(any::<u8>(), 0..4096),
    ) {
        let (_directory, source) = source("a.tar", &[start, &bytes].concat());
        prop_assert!(to_image(&source).is_err());
        prop_assert!(to_tar(&source).is_err());
    }

    #[test]
    fn an_altered_archive_does_not_panic(
        members in vec(member(), 1..6),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = tar(&members);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes.truncate(cut.index(bytes.len() * 2));
        let (_directory, source) = source("a.tar", &bytes);
        prop_assert_eq!(to_image(&source).is_ok(), to_tar(&source).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_taken_is_a_file_system_with_nothing_outside(members in vec(member(), 0..5)) {
        let (directory, source) = source("a.tar", &tar(&members));
        if let Ok((image, counts)) = to_image(&source) {
            prop_assert_eq!(to_tar(&source).unwrap().1, counts);
            let root = unpack_image(&image, directory.path());
            // A link may lead anywhere, but nothing was written through it.
            let entries = |path: &std::path::Path| {
                let entries = std::fs::read_dir(path).unwrap().flatten();
                let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
                names.sort();
                names
            };
            prop_assert_eq!(entries(directory.path()), ["a.tar", "image", "root"]);
            prop_assert_eq!(entries(root.parent().unwrap()), ["workspace"]);
        }
    }
}
