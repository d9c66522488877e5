//! A *selection* is which entries of a source its user wants.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::Error;
use crate::member::parts;

/// Which entries of a source are wanted: by default all.
#[derive(Clone, Debug)]
pub struct Selection {
    patterns: Gitignore,
    pub(crate) without_git_ignored: bool,
    pub(crate) skip_unreadable: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            patterns: Gitignore::empty(),
            without_git_ignored: false,
            skip_unreadable: false,
        }
    }
}

impl Selection {
    /// Leaves out what matches one of the patterns, which are those of `.gitignore`: `*.o` and
    /// `target/` match at any depth, `/build` only at the top, and `!` takes a match back. The
    /// last pattern that matches decides.
    pub fn without<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut builder = builder();
        for pattern in patterns {
            // It is no comment: it was given as a pattern.
            let line = match pattern.strip_prefix('#') {
                Some(rest) => format!("\\#{rest}"),
                None => pattern.to_owned(),
            };
            builder
                .add_line(None, &line)
                .map_err(|error| Error::Pattern {
                    pattern: pyro_text::line(pattern),
                    problem: error.to_string(),
                })?;
        }
        let patterns = builder.build().map_err(|error| Error::Pattern {
            pattern: "all of them together".into(),
            problem: error.to_string(),
        })?;
        Ok(Self {
            patterns,
            ..Self::default()
        })
    }

    /// Leaves out what git ignores, by the files `.gitignore` in the source and above it, and by
    /// the repository's `info/exclude`. Only a directory can be read so. A file that git tracks
    /// and a rule matches is left out too.
    #[must_use]
    pub fn without_git_ignored(self, yes: bool) -> Self {
        Self {
            without_git_ignored: yes,
            ..self
        }
    }

    /// Leaves out what may not be read.
    #[must_use]
    pub fn skip_unreadable(self, yes: bool) -> Self {
        Self {
            skip_unreadable: yes,
            ..self
        }
    }

    /// Whether an entry is not wanted, given that its directory is.
    pub(crate) fn excludes(&self, path: &[u8], is_directory: bool) -> bool {
        matches(&self.patterns, path, is_directory)
    }

    /// Returns the first part of a path that is not wanted: the entry itself, or a directory that
    /// it is in.
    pub(crate) fn excluded<'a>(&self, path: &'a [u8], is_directory: bool) -> Option<&'a [u8]> {
        if self.patterns.is_empty() {
            return None;
        }
        let inner = path.iter().enumerate();
        let ends = inner.filter_map(|(at, byte)| (*byte == b'/').then_some(at));
        let above = ends.map(|end| (&path[..end], true));
        let mut all = above.chain([(path, is_directory)]);
        all.find_map(|(path, is_directory)| self.excludes(path, is_directory).then_some(path))
    }
}

/// Rules whose paths are relative to where they are.
pub(crate) fn builder() -> GitignoreBuilder {
    GitignoreBuilder::new("")
}

pub(crate) fn matches(rules: &Gitignore, path: &[u8], is_directory: bool) -> bool {
    let path = Path::new(OsStr::from_bytes(path));
    !rules.is_empty() && rules.matched(path, is_directory).is_ignore()
}

/// Returns a name as rules know it, even if it may not be in an archive: without what is before
/// the first name, and without steps that lead nowhere.
pub(crate) fn plain(name: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts(name).filter(|part| *part != b"..").collect();
    parts.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_gitignore() {
        let selection =
            Selection::without(["*.o", "!keep.o", "/top", "target/", "a/**/b", "#x"]).unwrap();
        let excluded = |path: &str, is_directory| {
            let found = selection.excluded(path.as_bytes(), is_directory);
            found.map(|found| String::from_utf8(found.to_vec()).unwrap())
        };
        for (path, is_directory, found) in [
            ("x.o", false, Some("x.o")),
            ("d/x.o", false, Some("d/x.o")),
            ("d/keep.o", false, None),
            ("top", false, Some("top")),
            ("d/top", false, None),
            ("target", false, None),
            ("target", true, Some("target")),
            ("d/target/x/keep.o", false, Some("d/target")),
            ("a/b", false, Some("a/b")),
            ("a/c/d/b", false, Some("a/c/d/b")),
            ("#x", false, Some("#x")),
        ] {
            assert_eq!(excluded(path, is_directory).as_deref(), found, "{path}");
        }
        let bytes = Selection::without(["*.o"]).unwrap();
        assert!(bytes.excluded(b"\xff.o", false).is_some());
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        let error = Selection::without(["fine", "a[z-a]"]).unwrap_err();
        assert_eq!(error.code(), "invalid_pattern");
        assert!(error.to_string().contains("a[z-a]"), "{error}");
    }

    #[test]
    fn a_name_that_may_not_be_there_can_be_left_out() {
        assert_eq!(plain(b"/etc/./passwd"), b"etc/passwd");
        assert_eq!(plain(b"../../a"), b"a");
    }
}
