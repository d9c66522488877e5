//! Texts with a common base are merged as git merges them.

#![expect(
    clippy::unwrap_used,
    clippy::similar_names,
    reason = "a failed test says where"
)]

mod trees;

use std::fs;

use proptest::prelude::*;
use pyro_diff::{Merge, merge};
use trees::git;

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// No line is repeated: otherwise the shortest difference would not be unique.
    #[test]
    fn texts_merge_as_git_merges_them(
        length in 0_u32..40,
        ours in edits(),
        theirs in edits(),
        ends in any::<[bool; 3]>(),
    ) {
        let base: Vec<String> = (0..length).map(|line| format!("{line}\n")).collect();
        let mut texts = [base.clone(), edited(&base, &ours, "o"), edited(&base, &theirs, "t")]
            .map(|lines| lines.concat());
        for (text, is_cut) in texts.iter_mut().zip(ends) {
            if is_cut {
                text.pop();
            }
        }
        let by_git = merged_by_git(&texts);
        let [base, ours, theirs] = texts.each_ref().map(String::as_bytes);
        match merge(base, ours, theirs) {
            Merge::Clean(merged) => prop_assert_eq!(Some(merged), by_git, "{:?}", texts),
            Merge::Conflicts(_) => prop_assert_eq!(None, by_git, "{:?}", texts),
            Merge::NotText => prop_assert!(false, "{:?}", texts),
        }
    }

    #[test]
    fn any_texts_come_to_an_end(texts in prop::collection::vec("[ab\n]{0,60}", 3)) {
        let [base, ours, theirs] = [0, 1, 2].map(|index| texts[index].as_bytes());
        if let Merge::Conflicts(conflicts) = merge(base, ours, theirs) {
            prop_assert!(conflicts.count() > 0);
            let text = conflicts.with_markers("workspace", "host");
            let count = |marker: &str| {
                text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(marker.as_bytes())).count()
            };
            prop_assert_eq!(count("<<<<<<< workspace"), conflicts.count());
            prop_assert_eq!(count(">>>>>>> host"), conflicts.count());
        }
    }
}

/// The position, and the number of removed and added lines. Some edits are the same on both sides.
fn edits() -> impl Strategy<Value = Vec<(usize, usize, usize, bool)>> {
    prop::collection::vec((0_usize..40, 0_usize..3, 0_usize..3, any::<bool>()), 0..4)
}

fn edited(base: &[String], edits: &[(usize, usize, usize, bool)], side: &str) -> Vec<String> {
    let mut lines = base.to_vec();
    for (at, removed, added, is_common) in edits {
        let start = (*at).min(lines.len());
        let end = (start + removed).min(lines.len());
        let name = if *is_common { "both" } else { side };
        let new = (0..*added).map(|number| format!("{name} {at} {number}\n"));
        lines.splice(start..end, new);
    }
    lines
}

fn merged_by_git(texts: &[String; 3]) -> Option<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in ["base", "ours", "theirs"].iter().zip(texts) {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let mut git = git(directory.path());
    git.args(["merge-file", "-p", "--quiet", "ours", "base", "theirs"]);
    let output = git.output().unwrap();
    output.status.success().then_some(output.stdout)
}

#[test]
fn a_conflict_has_both_sides_and_no_more_than_they_differ_in() {
    let Merge::Conflicts(conflicts) =
        merge(b"a\nb\nc\nd\n", b"a\nX\nY\nc\nD\n", b"0\na\nX\nZ\nc\nd\n")
    else {
        panic!("both have changed b");
    };
    assert_eq!(conflicts.count(), 1);
    let text = conflicts.with_markers("workspace", "host");
    let expected = "0\na\nX\n<<<<<<< workspace\nY\n=======\nZ\n>>>>>>> host\nc\nD\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn markers_are_on_lines_of_their_own_that_end_as_the_others() {
    let Merge::Conflicts(conflicts) = merge(b"a\r\nb", b"a\r\nc", b"a\r\nd") else {
        panic!("both have changed b");
    };
    let text = conflicts.with_markers("workspace", "host");
    let expected = "a\r\n<<<<<<< workspace\r\nc\r\n=======\r\nd\r\n>>>>>>> host\r\n";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn what_is_no_text_is_merged_only_if_one_side_has_changed() {
    assert_eq!(
        merge(b"\0", b"\0", b"\x001"),
        Merge::Clean(b"\x001".to_vec())
    );
    assert_eq!(
        merge(b"\0", b"\x001", b"\0"),
        Merge::Clean(b"\x001".to_vec())
    );
    assert_eq!(
        merge(b"\0", b"\x001", b"\x001"),
        Merge::Clean(b"\x001".to_vec())
    );
    assert_eq!(merge(b"\0", b"\x001", b"\x002"), Merge::NotText);
}
