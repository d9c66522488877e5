//! Trees of files on the host.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The part of a tree that git tracks: files and links, with their contents and executable bits.
pub(crate) fn tree(directory: &Path) -> BTreeMap<Vec<u8>, (char, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            let path = entry.path();
            let stat = entry.metadata().unwrap();
            let what = if stat.is_dir() {
                left.push(path);
                continue;
            } else if stat.is_symlink() {
                (
                    'l',
                    fs::read_link(&path)
                        .unwrap()
                        .as_os_str()
                        .as_bytes()
                        .to_vec(),
                )
            } else if stat.mode() & 0o100 == 0 {
                ('-', fs::read(&path).unwrap())
            } else {
                ('x', fs::read(&path).unwrap())
            };
            let path = path.strip_prefix(directory).unwrap();
            found.insert(path.as_os_str().as_bytes().to_vec(), what);
        }
    }
    found
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .args(["-a", "--"])
        .arg(from)
        .arg(to)
        .status();
    assert!(status.unwrap().success());
}

/// Runs `git apply` in a directory that belongs to no repository.
pub(crate) fn apply(directory: &Path, patch: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), patch).unwrap();
    let output = Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .arg(file.path())
        .current_dir(directory)
        .env("GIT_CEILING_DIRECTORIES", directory.parent().unwrap())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
}
