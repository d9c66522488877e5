//! A *tree* is a directory in memory, for tests.

#![allow(dead_code, reason = "no test needs all of it")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use pyro_diff::{Mode, Side, append};

pub(crate) type Tree = BTreeMap<Vec<u8>, Side>;

/// Few names and few lines, so that both trees have much in common. `d` is a file in one tree and a
/// directory in the other.
pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    let names: Vec<&[u8]> = vec![
        b"a",
        b"with space",
        b"tab\tline\nend\r",
        b"quote\"back\\slash",
        b"\xff\xc3\xa9",
        b" b",
        b"trailing ",
        b"d",
        b"d/x",
        b"d/e/y",
    ];
    let line = prop::sample::select(vec![
        &b"one\n"[..],
        b"two\r\n",
        b"\n",
        b"--- a/a\n",
        b"\\ no\n",
        b"\xfe\n",
        b"end",
    ]);
    let content = prop_oneof![
        8 => prop::collection::vec(line, 0..24).prop_map(|lines| lines.concat()),
        2 => prop::collection::vec(any::<u8>(), 0..400),
        1 => Just(vec![0; 70_000]),
    ];
    let file = (prop::bool::ANY, content).prop_map(|(executable, content)| Side {
        mode: if executable {
            Mode::Executable
        } else {
            Mode::Regular
        },
        content,
    });
    // No link points to itself: git does not replace such a link with a directory.
    let link =
        prop::sample::select(vec![&b"else"[..], b"nowhere", b"d\n"]).prop_map(|target| Side {
            mode: Mode::Symlink,
            content: target.to_vec(),
        });
    let side = prop_oneof![5 => file, 1 => link];
    prop::collection::btree_map(prop::sample::select(names), side, 0..9).prop_map(|sides| {
        let is_leaf = sides.contains_key(&b"d"[..]);
        let fits = |path: &[u8]| !(is_leaf && path.starts_with(b"d/"));
        let named = sides.into_iter().filter(|(path, _)| fits(path));
        named.map(|(path, side)| (path.to_vec(), side)).collect()
    })
}

/// The patch of this crate.
pub(crate) fn patch(old: &Tree, new: &Tree) -> Vec<u8> {
    let mut patch = Vec::new();
    let mut paths: Vec<_> = old.keys().chain(new.keys()).collect();
    paths.sort();
    paths.dedup();
    for path in paths {
        append(&mut patch, path, old.get(path), new.get(path));
    }
    patch
}

pub(crate) fn write(root: &Path, tree: &Tree) {
    for (path, side) in tree {
        let path = root.join(OsStr::from_bytes(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if side.mode == Mode::Symlink {
            symlink(OsStr::from_bytes(&side.content), path).unwrap();
            continue;
        }
        fs::write(&path, &side.content).unwrap();
        let mode = if side.mode == Mode::Executable {
            0o755
        } else {
            0o644
        };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

pub(crate) fn read(root: &Path, prefix: &[u8], tree: &mut Tree) {
    for entry in fs::read_dir(root.join(OsStr::from_bytes(prefix))).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let path = if prefix.is_empty() {
            name.as_bytes().to_vec()
        } else {
            [prefix, b"/", name.as_bytes()].concat()
        };
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            read(root, &path, tree);
        } else if kind.is_symlink() {
            let content = fs::read_link(entry.path())
                .unwrap()
                .into_os_string()
                .into_vec();
            tree.insert(
                path,
                Side {
                    mode: Mode::Symlink,
                    content,
                },
            );
        } else {
            let executable = entry.metadata().unwrap().permissions().mode() & 0o100 != 0;
            let mode = if executable {
                Mode::Executable
            } else {
                Mode::Regular
            };
            tree.insert(
                path,
                Side {
                    mode,
                    content: fs::read(entry.path()).unwrap(),
                },
            );
        }
    }
}

/// Git, without any configuration files.
pub(crate) fn git(directory: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(directory)
        .env("GIT_CEILING_DIRECTORIES", directory.parent().unwrap())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null());
    git
}
