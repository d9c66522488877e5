//! The *context* of a build: the directory whose files `COPY` may take. What an instruction copies is
//! laid out in a directory of its own first, so that what was hashed is what is copied.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder, Glob};
use ignore::overrides::OverrideBuilder;
use sha2::{Digest as _, Sha256};

use crate::Error;

const BUFFER: usize = 1 << 16;
const IGNORE_FILE: &str = ".dockerignore";

/// A directory that files are copied from.
#[derive(Debug)]
pub(super) struct Tree {
    /// Its path without links.
    root: PathBuf,
    ignored: Gitignore,
}

impl Tree {
    /// Uses a directory, without what its `.dockerignore` names.
    pub(super) fn context(root: PathBuf) -> Result<Self, Error> {
        let path = root.join(IGNORE_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::unreadable_source("context", &path, error)),
        };
        let mut builder = GitignoreBuilder::new(&root);
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // A pattern is for paths from the root, where one of Git may be for any name.
            let (not, pattern) = match line.strip_prefix('!') {
                Some(pattern) => ("!", pattern.trim()),
                None => ("", line),
            };
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            let added = builder.add_line(None, &format!("{not}/{pattern}"));
            added.map_err(|error| Error::invalid(format!("{IGNORE_FILE}: {line}: {error}")))?;
        }
        let ignored = builder.build();
        let ignored = ignored.map_err(|error| Error::invalid(format!("{IGNORE_FILE}: {error}")))?;
        Ok(Self { root, ignored })
    }

    /// Uses all of a directory.
    pub(super) fn all(root: PathBuf) -> Self {
        Self {
            root,
            ignored: Gitignore::empty(),
        }
    }

    /// Lays out what a source names: the contents of directories, and other files by their names.
    /// Returns how many it named, and whether one was a directory.
    pub(super) fn lay_out(&self, source: &str, to: &Path) -> Result<Found, Error> {
        let failed = |error| Error::unreadable_source("context", &self.root.join(source), error);
        let mut found = Found::default();
        for path in self.named(source)? {
            // A link may lead anywhere, but what it leads to has to be in the context.
            let real = path.canonicalize().map_err(failed)?;
            let Ok(relative) = real.strip_prefix(&self.root) else {
                let source = pyro_text::line(source);
                return Err(Error::invalid(format!(
                    "{source} leads out of the context by a symbolic link"
                )));
            };
            if self.is_ignored(relative, real.is_dir()) && !real.is_dir() {
                continue;
            }
            found.count += 1;
            if real.is_dir() {
                found.has_directory = true;
                self.copy_contents(&real, to, &mut |_| Ok(()))
                    .map_err(failed)?;
            } else {
                let name = path.file_name().unwrap_or(OsStr::new("file"));
                copy_file(&real, &to.join(name)).map_err(failed)?;
            }
        }
        if found.count == 0 {
            let message = format!("there is no {} in the context", pyro_text::line(source));
            let remedy =
                "see whether `.dockerignore` leaves it out; paths are relative to the context";
            return Err(Error::invalid(message).remedy(remedy));
        }
        Ok(found)
    }

    /// The paths that a source names, sorted.
    fn named(&self, source: &str) -> Result<Vec<PathBuf>, Error> {
        let relative = Path::new(source.trim_start_matches('/'));
        let climbs = |part| !matches!(part, Component::Normal(_) | Component::CurDir);
        if relative.components().any(climbs) {
            let source = pyro_text::line(source);
            return Err(Error::invalid(format!("{source} is not in the context")));
        }
        let path = self.root.join(relative);
        if fs::symlink_metadata(&path).is_ok() || !source.contains(['*', '?', '[']) {
            let there = fs::symlink_metadata(&path).is_ok();
            return Ok(there.then_some(path).into_iter().collect());
        }
        let pattern = relative.to_string_lossy();
        let mut overrides = OverrideBuilder::new(&self.root);
        let added = overrides.add(&format!("/{pattern}"));
        let built = added.and_then(|builder| builder.build());
        let matcher = built
            .map_err(|error| Error::invalid(format!("{}: {error}", pyro_text::line(source))))?;
        let depth = relative.components().count();
        let mut paths = Vec::new();
        let mut left = vec![(self.root.clone(), 1)];
        while let Some((directory, level)) = left.pop() {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let path = entry.path();
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if level == depth {
                    if matcher.matched(&path, false).is_whitelist() {
                        paths.push(path);
                    }
                } else if is_directory {
                    left.push((path, level + 1));
                }
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn is_ignored(&self, relative: &Path, is_directory: bool) -> bool {
        let matched: ignore::Match<&Glob> = self
            .ignored
            .matched_path_or_any_parents(relative, is_directory);
        matched.is_ignore()
    }

    /// Copies what is in a directory and not ignored. `make` makes the directory that it is copied
    /// to, if there is anything: an ignored directory may have something that is not.
    fn copy_contents(
        &self,
        from: &Path,
        to: &Path,
        make: &mut dyn FnMut(&Path) -> io::Result<()>,
    ) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (path, to_path) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type()?;
            let relative = path.strip_prefix(&self.root).unwrap_or(&path);
            let is_ignored = self.is_ignored(relative, kind.is_dir());
            if kind.is_dir() {
                let mut is_there = false;
                let mut make_this = |to_path: &Path| {
                    if !is_there {
                        make(to)?;
                        copy_directory(&path, to_path)?;
                        is_there = true;
                    }
                    Ok(())
                };
                if !is_ignored {
                    make_this(&to_path)?;
                }
                self.copy_contents(&path, &to_path, &mut make_this)?;
            } else if !is_ignored {
                make(to)?;
                copy_file(&path, &to_path)?;
            }
        }
        Ok(())
    }
}

/// What a source named.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) count: usize,
    pub(super) has_directory: bool,
}

/// Makes a directory with the permissions of another; the owner may write in it, as long as it is
/// only laid out here.
fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    match fs::create_dir(to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mode = fs::symlink_metadata(from)?.mode() & 0o7777;
    fs::set_permissions(to, fs::Permissions::from_mode(mode | 0o700))
}

/// Copies a file or a link; of several with one name the last counts. Sockets and devices are left
/// out.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if metadata.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if !metadata.is_file() {
        return Ok(());
    }
    fs::copy(from, to)?;
    let file = File::open(to)?;
    file.set_modified(metadata.modified()?)
}

/// Sets the permissions of all that is laid out, but for links.
pub(super) fn set_modes(tree: &Path, mode: u32) -> io::Result<()> {
    for (path, metadata) in walk(tree)? {
        if !metadata.is_symlink() {
            // The owner has to read it once more, to send it.
            let needed = if metadata.is_dir() { 0o700 } else { 0o400 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode | needed))?;
        }
    }
    Ok(())
}

/// Hashes what is laid out: names, kinds, permissions, contents. Times do not count, as for a
/// container: a fresh clone has the same result.
pub(super) fn hash(tree: &Path) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    for (path, metadata) in walk(tree)? {
        let relative = path.strip_prefix(tree).unwrap_or(&path);
        let (kind, content) = if metadata.is_symlink() {
            (
                b'l',
                Sha256::digest(fs::read_link(&path)?.as_os_str().as_bytes()),
            )
        } else if metadata.is_dir() {
            (b'd', Sha256::digest(b""))
        } else {
            (b'f', hash_file(&path)?.finalize())
        };
        let name = relative.as_os_str().as_bytes();
        hasher.update((name.len() as u64).to_be_bytes());
        hasher.update(name);
        hasher.update([kind]);
        hasher.update((metadata.mode() & 0o7777).to_be_bytes());
        hasher.update(content);
    }
    Ok(hasher.finalize().into())
}

fn hash_file(path: &Path) -> io::Result<Sha256> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// All that is below a directory, sorted.
fn walk(tree: &Path) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
    let mut all = Vec::new();
    let mut left = vec![tree.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            if metadata.is_dir() {
                left.push(path.clone());
            }
            all.push((path, metadata));
        }
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tree: &Path) -> Vec<String> {
        let all = walk(tree).unwrap();
        let name = |path: &Path| path.strip_prefix(tree).unwrap().display().to_string();
        all.iter().map(|(path, _)| name(path)).collect()
    }

    fn made(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    #[test]
    fn directories_give_their_contents_and_files_their_names() {
        let root = made(&["a/b/c", "a/d", "e.txt", "f.txt", "g"]);
        symlink("a/d", root.path().join("link")).unwrap();
        let tree = Tree::context(root.path().canonicalize().unwrap()).unwrap();
        for (source, expected) in [
            ("a", &["b", "b/c", "d"][..]),
            ("a/b/c", &["c"]),
            ("/a/d", &["d"]),
            ("./e.txt", &["e.txt"]),
            ("*.txt", &["e.txt", "f.txt"]),
            ("a/*", &["c", "d"]),
            ("link", &["link"]),
        ] {
            let to = tempfile::tempdir().unwrap();
            tree.lay_out(source, to.path()).unwrap();
            assert_eq!(names(to.path()), expected, "{source}");
        }
        // It is what the link leads to.
        let to = tempfile::tempdir().unwrap();
        tree.lay_out("link", to.path()).unwrap();
        assert_eq!(fs::read(to.path().join("link")).unwrap(), b"a/d");
    }

    #[test]
    fn what_is_not_in_the_context_is_refused() {
        let root = made(&["a"]);
        let tree = Tree::context(root.path().canonicalize().unwrap()).unwrap();
        symlink("/etc/passwd", root.path().join("out")).unwrap();
        symlink("/etc", root.path().join("etc")).unwrap();
        let to = tempfile::tempdir().unwrap();
        for source in [
            "../x",
            "a/../../x",
            "out",
            "etc/passwd",
            "etc",
            "none",
            "*.none",
        ] {
            assert!(tree.lay_out(source, to.path()).is_err(), "{source}");
        }
        assert_eq!(names(to.path()), Vec::<String>::new());
    }

    #[test]
    fn ignored_files_are_left_out_and_exceptions_are_not() {
        let root = made(&[
            "a.o",
            "sub/a.o",
            "build/x",
            "build/keep",
            "deep/in/a.log",
            "src/m",
        ]);
        let ignored = "# comment\n*.o\nbuild\n!build/keep\n**/*.log\n";
        fs::write(root.path().join(IGNORE_FILE), ignored).unwrap();
        let tree = Tree::context(root.path().canonicalize().unwrap()).unwrap();
        let to = tempfile::tempdir().unwrap();
        tree.lay_out(".", to.path()).unwrap();
        assert_eq!(
            names(to.path()),
            [
                ".dockerignore",
                "build",
                "build/keep",
                "deep",
                "deep/in",
                "src",
                "src/m",
                "sub",
                "sub/a.o"
            ]
        );
        assert!(tree.lay_out("a.o", to.path()).is_err());
    }

    #[test]
    fn the_hash_is_of_names_permissions_and_contents_not_of_times() {
        let tree = || made(&["a", "b/c"]);
        let (one, other) = (tree(), tree());
        let of = |tree: &tempfile::TempDir| hash(tree.path()).unwrap();
        let file = File::open(other.path().join("a")).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        assert_eq!(of(&one), of(&other));
        set_modes(other.path(), 0o640).unwrap();
        assert_ne!(of(&one), of(&other));
        let other = tree();
        fs::write(other.path().join("a"), "x").unwrap();
        assert_ne!(of(&one), of(&other));
    }
}
