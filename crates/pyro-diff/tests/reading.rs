//! This crate parses and applies git's patches as git does.

#![expect(
    clippy::unwrap_used,
    clippy::similar_names,
    clippy::format_collect,
    reason = "a failed test says where"
)]

mod trees;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use proptest::prelude::*;
use pyro_diff::{ApplyError, Mode, ParseOptions, Present, Reason, Side, append, apply, parse};
use trees::{Tree, git, patch, read, tree, write};

const OPTIONS: ParseOptions = ParseOptions {
    limit: 1 << 24,
    strip: None,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_patch_of_git_makes_the_second_tree_of_the_first(old in tree(), edits in edits()) {
        let mut old = old;
        old.insert(b"binary".to_vec(), file(noise(9000)));
        old.insert(b"many lines".to_vec(), file(numbers(60)));
        let new = edited(&old, &edits);
        let patch = patch_of_git(&old, &new);
        if patch.is_empty() {
            prop_assert_eq!(old, new);
        } else {
            let found = applied(&old, &patch);
            prop_assert_eq!(found, Ok(new), "{}", patch.escape_ascii());
        }
    }

    #[test]
    fn a_patch_of_this_crate_makes_the_second_tree_of_the_first(old in tree(), new in tree()) {
        let patch = patch(&old, &new);
        if !patch.is_empty() {
            prop_assert_eq!(applied(&old, &patch), Ok(new), "{}", patch.escape_ascii());
        }
    }

    /// With few different lines, a hunk may match at many positions.
    #[test]
    fn a_hunk_is_put_where_git_puts_it(
        words in 2_u32..9,
        base in prop::collection::vec(any::<u32>(), 0..60),
        edits in prop::collection::vec((0_usize..60, 0_usize..4, 0_u32..12), 1..5),
        others in prop::collection::vec((0_usize..60, 0_usize..4, 0_u32..12), 0..3),
        lead in prop::collection::vec(0_u32..9, 0..5),
    ) {
        let base: Vec<u32> = base.into_iter().map(|word| word % words).collect();
        let new = edited_words(&base, &edits);
        let mut other = edited_words(&base, &others);
        other.splice(0..0, lead);
        let mut patch = Vec::new();
        append(&mut patch, b"f", Some(&file(text(&base))), Some(&file(text(&new))));
        if !patch.is_empty() {
            let tree = Tree::from([(b"f".to_vec(), file(text(&other)))]);
            let directory = tempfile::tempdir().unwrap();
            let ours = applied(&tree, &patch).ok();
            let by_git = applied_by_git(directory.path(), &tree, &patch);
            prop_assert_eq!(ours, by_git, "{}", patch.escape_ascii());
        }
    }
}

/// Only the ids identify the content to which a binary patch applies: without them the result would
/// be wrong.
#[test]
fn a_binary_patch_is_refused_where_the_content_is_another_one() {
    let (old, mut new, mut other) = (noise(9000), noise(9000), noise(9000));
    new.splice(4000..4000, *b"inserted");
    other[8999] ^= 1;
    let trees = [&old, &new].map(|content| Tree::from([(b"f".to_vec(), file(content.clone()))]));
    let delta = patch_of_git(&trees[0], &trees[1]);
    assert!(String::from_utf8_lossy(&delta).contains("\ndelta "));
    let literal = patch(&trees[0], &trees[1]);
    assert!(String::from_utf8_lossy(&literal).contains("\nliteral "));
    for patch in [delta, literal] {
        let right = outcome(&patch, &old).unwrap();
        assert_eq!(right, Some(file(new.clone())));
        // As long as the right content, so that only the id differs; shorter; and empty.
        for wrong in [&other[..], &old[1..], b""] {
            let refused = outcome(&patch, wrong).unwrap_err();
            assert_eq!(refused, [Reason::OtherContent], "{}", wrong.len());
            let tree = Tree::from([(b"f".to_vec(), file(wrong.to_vec()))]);
            let directory = tempfile::tempdir().unwrap();
            let by_git = applied_by_git(directory.path(), &tree, &patch);
            assert_eq!(by_git, None, "git refuses it, too");
        }
    }
}

/// The new content of the file `f` with this content, or why the patch does not apply.
fn outcome(patch: &[u8], content: &[u8]) -> Result<Option<Side>, Vec<Reason>> {
    let patch = parse(patch, OPTIONS).unwrap();
    let read = |_: &[u8]| Ok::<_, std::io::Error>(Present::Side(file(content.to_vec())));
    match apply(&patch, OPTIONS.limit, read) {
        Ok(mut applied) => Ok(applied.changes.remove(&b"f"[..]).unwrap()),
        Err(ApplyError::Refused { refusals, .. }) => {
            Err(refusals.into_iter().map(|refusal| refusal.reason).collect())
        }
        Err(error) => panic!("{error}"),
    }
}

fn file(content: Vec<u8>) -> Side {
    Side {
        mode: Mode::Regular,
        content,
    }
}

fn noise(length: u32) -> Vec<u8> {
    let mut state = 7_u32;
    let next = |_| {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

fn numbers(count: u32) -> Vec<u8> {
    text(&(0..count).collect::<Vec<_>>())
}

fn text(words: &[u32]) -> Vec<u8> {
    words
        .iter()
        .flat_map(|word| format!("{word}\n").into_bytes())
        .collect()
}

fn edited_words(base: &[u32], edits: &[(usize, usize, u32)]) -> Vec<u32> {
    let mut words = base.to_vec();
    for (at, removed, added) in edits {
        let start = (*at).min(words.len());
        let end = (start + removed).min(words.len());
        words.splice(start..end, (0..added % 3).map(|more| added + more));
    }
    words
}

/// The kind of change, the file, and its new path.
type Edit = (u8, usize, usize);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec((0_u8..10, 0_usize..12, 0_usize..12), 1..8)
}

fn edited(old: &Tree, edits: &[Edit]) -> Tree {
    let names: [&[u8]; 8] = [
        b"a",
        b"new",
        b"new dir/ x",
        b"\xe9\"q",
        b"sub/\ttab",
        b"binary",
        b"b b",
        b"sub/deep/er",
    ];
    let mut tree = old.clone();
    for (what, which, place) in edits {
        let Some(path) = tree.keys().nth(which % tree.len().max(1)).cloned() else {
            continue;
        };
        let side = tree[&path].clone();
        let target = names[place % names.len()].to_vec();
        match what {
            0 => _ = tree.remove(&path),
            1 | 2 => {
                tree.remove(&path);
                tree.insert(target, side);
            }
            3 => _ = tree.insert(target, side),
            4 => {
                let mode = match side.mode {
                    Mode::Regular => Mode::Executable,
                    _ => Mode::Regular,
                };
                tree.insert(path, Side { mode, ..side });
            }
            5 => {
                let content = b"nowhere".to_vec();
                tree.insert(
                    path,
                    Side {
                        mode: Mode::Symlink,
                        content,
                    },
                );
            }
            // Two files swap their names.
            6 => {
                if let Some(other) = tree.insert(target, side) {
                    tree.insert(path, other);
                }
            }
            _ => {
                let mut content = side.content.clone();
                let at = (which * 97 + place * 13).min(content.len());
                let line: &[u8] = if side.mode == Mode::Symlink {
                    b"x"
                } else {
                    b"new\r\n"
                };
                content.splice(at..at, line.iter().copied());
                tree.insert(path, Side { content, ..side });
            }
        }
    }
    // A file cannot be where a directory is.
    let all = tree.clone();
    tree.retain(|path, _| {
        let below = [path, &b"/"[..]].concat();
        !all.keys().any(|other| other.starts_with(&below))
    });
    tree
}

/// Both trees are imported into git as two commits, by one process.
fn patch_of_git(old: &Tree, new: &Tree) -> Vec<u8> {
    thread_local! {
        // Removed when the test's thread ends.
        static REPOSITORY: tempfile::TempDir = {
            let directory = tempfile::tempdir().unwrap();
            let run = git(directory.path()).args(["init", "--quiet"]).status();
            assert!(run.unwrap().success());
            directory
        };
    }
    let directory = &REPOSITORY.with(|directory| directory.path().to_owned());
    let mut stream = Vec::new();
    for (name, tree) in [("old", old), ("new", new)] {
        stream.extend(format!("reset refs/heads/{name}\ncommit refs/heads/{name}\n").bytes());
        stream.extend(b"committer x <x> 0 +0000\ndata 0\n");
        for (path, side) in tree {
            let mode = match side.mode {
                Mode::Regular => "100644",
                Mode::Executable => "100755",
                Mode::Symlink => "120000",
            };
            let octal: String = path.iter().map(|byte| format!("\\{byte:03o}")).collect();
            let length = side.content.len();
            stream.extend(format!("M {mode} inline \"{octal}\"\ndata {length}\n").bytes());
            stream.extend(&side.content);
            stream.push(b'\n');
        }
    }
    let mut import = git(directory)
        .args(["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(import.wait().unwrap().success());
    let arguments = [
        "diff",
        "--binary",
        "-M",
        "-C",
        "--find-copies-harder",
        "old",
        "new",
        "--",
    ];
    let output = git(directory).args(arguments).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn applied(tree: &Tree, patch: &[u8]) -> Result<Tree, String> {
    let patch = parse(patch, OPTIONS).map_err(|error| error.to_string())?;
    let read = |path: &[u8]| {
        let below = [path, b"/"].concat();
        Ok(match tree.get(path) {
            Some(side) => Present::Side(side.clone()),
            None if tree.keys().any(|other| other.starts_with(&below)) => Present::Directory,
            None => Present::Nothing,
        })
    };
    let applied = apply(&patch, 1 << 24, read);
    let applied = applied.map_err(|error: ApplyError<std::io::Error>| error.to_string())?;
    let mut tree = tree.clone();
    for (path, side) in applied.changes {
        match side {
            Some(side) => _ = tree.insert(path, side),
            None => _ = tree.remove(&path),
        }
    }
    Ok(tree)
}

fn applied_by_git(directory: &Path, tree: &Tree, patch: &[u8]) -> Option<Tree> {
    write(directory, tree);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), patch).unwrap();
    let mut git = git(directory);
    git.args(["apply", "--whitespace=nowarn"]).arg(file.path());
    if !git.output().unwrap().status.success() {
        return None;
    }
    let mut found = Tree::new();
    read(directory, b"", &mut found);
    Some(found)
}
