//! *Git's rules* are which files of a directory git ignores, as far as that is written down in it
//! and above it.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use ignore::Match;
use ignore::gitignore::Gitignore;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use crate::selection::builder;

/// More than any such file has.
const LONGEST_FILE: u64 = 1 << 20;
/// Directories between a source and the top of its repository.
const HIGHEST: usize = 256;

/// What is written down in one directory.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Those that decide first are last.
    matchers: Vec<Gitignore>,
    /// A repository begins here: nothing above it matters.
    is_top: bool,
    /// The path of the source below this directory, with a slash at its end, if it is above.
    above: Vec<u8>,
    /// How much of a path is that of this directory, with a slash at its end, if it is below.
    below: usize,
}

impl Rules {
    /// Reads what a directory says whose path below the source is this.
    pub(crate) fn of(directory: &OwnedFd, path: &[u8]) -> Self {
        let below = if path.is_empty() { 0 } else { path.len() + 1 };
        Self::read(directory, Vec::new(), below)
    }

    fn read(directory: &OwnedFd, above: Vec<u8>, below: usize) -> Self {
        let is_top = is_repository(directory);
        let mut files = Vec::new();
        if is_top {
            files.push(".git/info/exclude");
        }
        files.push(".gitignore");
        Self {
            matchers: files
                .into_iter()
                .filter_map(|name| matcher(directory, name))
                .collect(),
            is_top,
            above,
            below,
        }
    }

    /// Reads what the directories above a source say, up to the one that is the top of its
    /// repository; nothing if there is none. `names` are those of the directories, from the
    /// source's own on.
    pub(crate) fn above(source: &OwnedFd, names: &[Vec<u8>]) -> Vec<Self> {
        let mut found = Vec::new();
        let mut path = Vec::new();
        let mut current: Option<OwnedFd> = None;
        if is_repository(source) {
            return found;
        }
        for name in names.iter().take(HIGHEST) {
            path = [&name[..], b"/", &path].concat();
            let from = current.as_ref().unwrap_or(source);
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let Ok(parent) = rustix::fs::openat(from, c"..", flags, Mode::empty()) else {
                return Vec::new();
            };
            let rules = Self::read(&parent, path.clone(), 0);
            let is_top = rules.is_top;
            found.push(rules);
            if is_top {
                found.reverse();
                return found;
            }
            current = Some(parent);
        }
        Vec::new()
    }
}

/// Whether an entry is ignored, given that its directory is not; the rules of deeper directories
/// are last.
pub(crate) fn ignores(all: &[Rules], path: &[u8], is_directory: bool) -> bool {
    use std::os::unix::ffi::OsStrExt;
    for rules in all.iter().rev() {
        let relative = [&rules.above[..], &path[rules.below..]].concat();
        let relative = std::ffi::OsStr::from_bytes(&relative);
        for matcher in rules.matchers.iter().rev() {
            match matcher.matched(relative, is_directory) {
                Match::None => {}
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
            }
        }
        if rules.is_top {
            break;
        }
    }
    false
}

fn is_repository(directory: &OwnedFd) -> bool {
    rustix::fs::statat(directory, c".git", AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

fn matcher(directory: &OwnedFd, name: &str) -> Option<Gitignore> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut text = Vec::new();
    let mut file = File::from(file).take(LONGEST_FILE);
    file.read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut builder = builder();
    for line in text.trim_start_matches('\u{feff}').lines() {
        // Git passes over what is no pattern, too.
        let _added = builder.add_line(None, line);
    }
    builder.build().ok()
}
