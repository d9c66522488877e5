//! Git applies the patches of this crate.

#![expect(
    clippy::unwrap_used,
    clippy::similar_names,
    reason = "a failed test says where"
)]

mod trees;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use trees::{Tree, git, patch, read, tree, write};

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn git_makes_the_second_tree_of_the_first(old in tree(), new in tree()) {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &old);
        let patch = patch(&old, &new);
        if !patch.is_empty() {
            apply(directory.path(), &patch);
        }
        let mut found = Tree::new();
        read(directory.path(), b"", &mut found);
        prop_assert_eq!(found, new);
    }
}

fn apply(directory: &Path, patch: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), patch).unwrap();
    let output = git(directory)
        .args(["apply", "--whitespace=nowarn"])
        .arg(file.path())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{error}\n{}",
        String::from_utf8_lossy(patch)
    );
}
