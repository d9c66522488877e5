//! Unpackings in a directory that serves as the machine's root, interrupted and obstructed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{
    FileExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink,
};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::*;

mod arrivals;

/// A root with a destination, `workspace`.
struct Root(TempDir);

impl Root {
    fn new() -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        fs::create_dir(root.path("workspace")).unwrap();
        root
    }

    /// A root with the files that [`next`] replaces, and others.
    fn used() -> Self {
        let root = Self::new();
        fs::create_dir(root.path("workspace/sub")).unwrap();
        for name in ["a", "kept", "sub/b", "sub/kept"] {
            fs::write(root.path("workspace").join(name), "old").unwrap();
        }
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn unpack(&self, archive: &[u8]) -> Result<Totals, Error> {
        self.unpack_to("/workspace", archive)
    }

    fn unpack_to(&self, destination: &str, archive: &[u8]) -> Result<Totals, Error> {
        let unpacked = run(self.0.path(), destination, None, archive, &mut |_| {})?;
        let totals = unpacked.totals;
        unpacked.clean_up();
        Ok(totals)
    }

    fn refusal(&self, archive: &[u8]) -> String {
        let before = self.tree();
        let message = self.unpack(archive).unwrap_err().to_string();
        assert_eq!(self.tree(), before, "{message}");
        message
    }

    fn recover(&self) -> Result<(), Error> {
        recover(self.0.path())
    }

    /// All files below the root but the staging directories.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut directories = vec![self.0.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let metadata = path.symlink_metadata().unwrap();
                let what = if metadata.is_dir() {
                    directories.push(path.clone());
                    "directory".to_owned()
                } else if metadata.is_symlink() {
                    format!("-> {}", fs::read_link(&path).unwrap().display())
                } else {
                    fs::read_to_string(&path).unwrap()
                };
                found.insert(path.strip_prefix(self.0.path()).unwrap().to_owned(), what);
            }
        }
        found.retain(|path, _| !path.starts_with(".pyro"));
        found
    }

    /// Whether no unpacking has left files.
    fn is_clean(&self) -> bool {
        fs::read_dir(self.path(".pyro")).unwrap().next().is_none()
    }
}

/// A builder for an archive.
struct Tar {
    builder: Builder<Vec<u8>>,
    totals: Totals,
}

impl Tar {
    fn new() -> Self {
        Self {
            builder: Builder::new(Vec::new()),
            totals: Totals::default(),
        }
    }

    fn add(mut self, path: &str, kind: EntryType, mode: u32, link: &str, contents: &str) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000_000);
        header.set_size(contents.len() as u64);
        let name = &mut header.as_old_mut().name;
        if path.len() <= name.len() {
            // The name is copied unchecked: the builder refuses hostile names.
            name[..path.len()].copy_from_slice(path.as_bytes());
        }
        if !link.is_empty() {
            header.set_link_name(link).unwrap();
        }
        header.set_cksum();
        if path.len() <= 100 {
            self.builder.append(&header, contents.as_bytes()).unwrap();
        } else {
            self.builder
                .append_data(&mut header, path, contents.as_bytes())
                .unwrap();
        }
        self.totals.entries += 1;
        self.totals.bytes += contents.len() as u64;
        self
    }

    fn file(self, path: &str, contents: &str) -> Self {
        self.add(path, EntryType::Regular, 0o644, "", contents)
    }

    fn directory(self, path: &str) -> Self {
        self.add(path, EntryType::Directory, 0o755, "", "")
    }

    fn symlink(self, path: &str, target: &str) -> Self {
        self.add(path, EntryType::Symlink, 0o777, target, "")
    }

    fn link(self, path: &str, other: &str) -> Self {
        self.add(path, EntryType::Link, 0o644, other, "")
    }

    fn pax(mut self, extensions: &[(&str, &str)]) -> Self {
        let extensions = extensions
            .iter()
            .map(|(key, value)| (*key, value.as_bytes()));
        self.builder.append_pax_extensions(extensions).unwrap();
        self
    }

    fn extended(mut self, key: &str, value: &str) -> Self {
        let extension = [(key, value.as_bytes())];
        self.builder.append_pax_extensions(extension).unwrap();
        self
    }

    fn end(self) -> Vec<u8> {
        let Totals { entries, bytes } = self.totals;
        self.end_with(&format!("{{\"entries\":{entries},\"bytes\":{bytes}}}"))
    }

    fn end_with(self, text: &str) -> Vec<u8> {
        self.file(".pyro-end", text).without_end()
    }

    fn without_end(self) -> Vec<u8> {
        self.builder.into_inner().unwrap()
    }
}

/// The archive that is unpacked over [`Root::used`].
fn next() -> Tar {
    Tar::new()
        .directory("new/")
        .file("new/c", "new")
        .directory("sub")
        .file("sub/b", "new")
        .link("sub/b2", "sub/b")
        .file("a", "new")
        .symlink("link", "/etc/passwd")
}

#[test]
fn what_is_not_whole_changes_nothing() {
    let root = Root::used();
    assert_eq!(
        root.refusal(&next().without_end()),
        "cannot read the archive: its end is missing"
    );
    for wrong in [
        r#"{"entries":6,"bytes":9}"#,
        r#"{"entries":7,"bytes":8}"#,
        r#"{"entries":7}"#,
        "{}",
        "[]",
        "",
    ] {
        root.refusal(&next().end_with(wrong));
    }
    let whole = next().end();
    assert!(root.unpack(&whole).is_ok());
    let root = Root::used();
    // The stream ends with two empty blocks that are not needed.
    for length in (0..whole.len() - 1024 - 511).step_by(100) {
        root.refusal(&whole[..length]);
    }
    let cut = Tar::new().file("half", "contents").without_end();
    assert_eq!(
        root.refusal(&cut[..512 + 3]),
        "cannot unpack half: the stream ended in it"
    );
    let more = next().file(".pyro-end", r#"{"entries":7,"bytes":9}"#);
    assert!(
        root.refusal(&more.file("z", "").without_end())
            .contains("after its end")
    );
    assert!(root.is_clean());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let root = Root::used();
    let long = "x".repeat(256);
    for name in ["../x", "/x", "x//y", "x/../y", "..", "x/.", long.as_str()] {
        let message = root.refusal(&Tar::new().directory("x").file(name, "").end());
        assert!(message.ends_with("its path is not one"), "{message}");
    }
    for (archive, reason) in [
        (
            Tar::new().file("x/y", ""),
            "its directory was not before it",
        ),
        (
            Tar::new().file("x", "").file("x/y", ""),
            "its directory was not before it",
        ),
        (
            Tar::new().symlink("x", "/").file("x/y", ""),
            "its directory was not before it",
        ),
        (Tar::new().file("x", "").directory("x"), "it is there twice"),
        (Tar::new().directory("x").file("x", ""), "it is there twice"),
        (
            Tar::new().file("x", "").link("x", "x"),
            "it is a link to no file before it",
        ),
        (
            Tar::new().link("x", "a"),
            "it is a link to no file before it",
        ),
        (
            Tar::new().directory("d").link("x", "d"),
            "it is a link to no file before it",
        ),
        (
            Tar::new().link("x", "../a"),
            "it is a link to no file before it",
        ),
        (
            Tar::new().add("x", EntryType::Char, 0o600, "", ""),
            "it is neither file, directory, link nor FIFO",
        ),
        // The crate splits extensions into lines, and would fall back to another name.
        (
            Tar::new().extended("path", "x\ny").file("z", ""),
            "malformed pax extension",
        ),
    ] {
        let message = root.refusal(&archive.end());
        assert!(message.ends_with(reason), "{message}");
    }
    for destination in ["", "workspace", "/workspace/../x", "//workspace"] {
        assert!(
            root.unpack_to(destination, &next().end()).is_err(),
            "{destination}"
        );
    }
}

#[test]
fn what_is_in_the_way_is_named() {
    let root = Root::used();
    for (archive, message) in [
        (
            next().directory("kept"),
            "cannot unpack kept: something else is where a directory must be",
        ),
        (
            Tar::new().directory("kept").file("kept/deeper", ""),
            "cannot unpack kept: something else is where a directory must be",
        ),
        (
            Tar::new().file("a", "new").file("sub", ""),
            "cannot unpack sub: a directory is in its place",
        ),
        (
            Tar::new().symlink("sub", "a"),
            "cannot unpack sub: a directory is in its place",
        ),
    ] {
        assert_eq!(root.refusal(&archive.end()), message);
    }
    let error = root
        .unpack_to("/workspace/kept", &next().end())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot unpack to /workspace/kept: it is no directory"
    );
    assert!(root.is_clean());
}

#[test]
fn planted_links_are_not_followed() {
    let root = Root::used();
    let outside = root.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("b"), "untouched").unwrap();

    // In place of a file, the link is replaced.
    fs::remove_file(root.path("workspace/a")).unwrap();
    symlink(outside.join("b"), root.path("workspace/a")).unwrap();
    root.unpack(&next().end()).unwrap();
    assert_eq!(root.tree()[Path::new("workspace/a")], "new");
    assert_eq!(root.tree()[Path::new("outside/b")], "untouched");

    // In place of a directory, the link is a conflict.
    fs::remove_dir_all(root.path("workspace/sub")).unwrap();
    for target in [outside.to_str().unwrap(), "../outside", "new"] {
        symlink(target, root.path("workspace/sub")).unwrap();
        let message = root.refusal(&next().end());
        assert_eq!(
            message,
            "cannot unpack sub: something else is where a directory must be"
        );
        fs::remove_file(root.path("workspace/sub")).unwrap();
    }

    // On the way to the destination, the link is a conflict too.
    symlink(&outside, root.path("workspace/sub")).unwrap();
    for destination in ["/workspace/sub", "/workspace/sub/deeper"] {
        let error = root.unpack_to(destination, &next().end()).unwrap_err();
        assert!(
            error.to_string().ends_with("a symbolic link is on the way"),
            "{error}"
        );
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_planted_staging_ground_is_refused() {
    let root = Root::used();
    symlink("workspace", root.path(".pyro")).unwrap();
    let before = root.tree();
    assert!(root.unpack(&next().end()).is_err());
    assert!(root.recover().is_err());
    assert_eq!(root.tree(), before);
}

#[test]
fn what_changes_after_the_commit_costs_only_itself() {
    let root = Root::used();
    let obstruct = |step| {
        if step == Step::Committed {
            fs::remove_file(root.path("workspace/a")).unwrap();
            fs::create_dir(root.path("workspace/a")).unwrap();
            fs::remove_dir_all(root.path("workspace/sub")).unwrap();
            symlink("/", root.path("workspace/sub")).unwrap();
        }
    };
    let archive = next().end();
    let error = run(root.0.path(), "/workspace", None, &*archive, &mut {
        obstruct
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot unpack sub/b: something else is where a directory must be"
    );
    assert_eq!(root.tree()[Path::new("workspace/new/c")], "new");
    assert_eq!(root.tree()[Path::new("workspace/link")], "-> /etc/passwd");
    assert!(root.is_clean());
}

/// Stops an unpacking at its `last` step, as if the process were killed there: nothing happens
/// afterwards. Returns whether it was committed, or `None` if it has no such step.
fn killed_at(root: &Root, archive: &[u8], last: usize) -> Option<bool> {
    let mut steps = Vec::new();
    let mut die = |step| {
        steps.push(step);
        if steps.len() > last {
            std::panic::resume_unwind(Box::new("killed"));
        }
    };
    let unpacking = AssertUnwindSafe(|| run(root.0.path(), "/workspace", None, archive, &mut die));
    let ended = std::panic::catch_unwind(unpacking);
    ended.is_err().then(|| steps.contains(&Step::Committed))
}

#[test]
fn whenever_it_is_killed_it_is_undone_or_finished() {
    let archive = next().end();
    let finished = Root::used();
    let old = finished.tree();
    finished.unpack(&archive).unwrap();
    let new = finished.tree();

    let mut committed_ones = 0;
    for last in 0.. {
        let root = Root::used();
        let Some(committed) = killed_at(&root, &archive, last) else {
            assert_eq!(last, 7 + 1 + 1 + 7 + 1 + 1, "every step was tried");
            break;
        };
        committed_ones += usize::from(committed);
        assert!(!root.is_clean());
        if !committed {
            assert_eq!(root.tree(), old, "killed at step {last}");
        }
        if last % 2 == 0 {
            root.recover().unwrap();
        } else {
            // The next unpacking also recovers, even if it fails itself.
            root.unpack(&Tar::new().without_end()).unwrap_err();
        }
        assert_eq!(root.tree() == new, committed, "killed at step {last}");
        assert!(root.is_clean(), "killed at step {last}");
        let modified = |path: &str| root.path(path).metadata().unwrap().mtime();
        assert_eq!(modified("workspace/sub") == 1_000_000_000, committed);
        // And the same archive can be unpacked again.
        root.unpack(&archive).unwrap();
        assert_eq!(root.tree(), new);
    }
    assert_eq!(committed_ones, 1 + 7 + 1 + 1);
}

#[test]
fn what_is_finished_later_keeps_what_came_meanwhile() {
    let archive = next().end();
    let root = Root::used();
    // Everything is in place, and the commit still there.
    assert_eq!(killed_at(&root, &archive, 16), Some(true));
    fs::write(root.path("workspace/a"), "newer").unwrap();
    root.recover().unwrap();
    assert_eq!(root.tree()[Path::new("workspace/a")], "newer");
}

#[test]
fn a_living_one_is_not_taken_for_abandoned() {
    let root = Root::used();
    let mut steps = 0;
    let mut meanwhile = |_| {
        steps += 1;
        if steps == 2 {
            root.recover().unwrap();
            root.unpack(&Tar::new().file("other", "x").end()).unwrap();
        }
    };
    let archive = next().end();
    let unpacked = run(root.0.path(), "/workspace", None, &*archive, &mut meanwhile).unwrap();
    // A finished unpacking is not abandoned either.
    root.recover().unwrap();
    unpacked.clean_up();
    assert_eq!(root.tree()[Path::new("workspace/a")], "new");
    assert_eq!(root.tree()[Path::new("workspace/other")], "x");
    assert!(root.is_clean());
}

#[test]
fn of_several_at_once_each_is_whole() {
    let root = Root::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let root = &root;
            scope.spawn(move || {
                for round in 0..5 {
                    let text = format!("{writer}.{round}");
                    let tar = (0..20).fold(Tar::new().directory("d"), |tar, name| {
                        tar.file(&format!("d/{name}"), &text)
                    });
                    root.unpack(&tar.end()).unwrap();
                }
            });
        }
    });
    let tree = root.tree();
    let first = &tree[Path::new("workspace/d/0")];
    assert!((0..20).all(|name| tree[&PathBuf::from(format!("workspace/d/{name}"))] == *first));
    assert!(root.is_clean());
}

#[test]
fn a_commit_that_is_not_ours_is_thrown_away() {
    for planted in [
        &b"workspace\0- ../outside\0"[..],
        b"..\0- x\0",
        b"workspace\0- 0\0garbage",
        b"workspace\x00493 0 x\0",
        b"",
    ] {
        let root = Root::used();
        let staging = root.path(".pyro/staging-x");
        fs::create_dir_all(&staging).unwrap();
        fs::write(staging.join("0"), "planted").unwrap();
        fs::write(staging.join("commit"), planted).unwrap();
        let before = root.tree();
        root.recover().unwrap();
        assert_eq!(root.tree(), before);
        assert!(root.is_clean());
    }
}

/// A directory's mode, time and owner.
type Made = (u32, i64, i64, Option<(u32, u32)>);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_bytes_do_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let root = Root::used();
        root.refusal(&bytes);
        prop_assert!(root.is_clean());
    }

    #[test]
    fn an_altered_archive_does_all_or_nothing(
        position in 0usize..10_000,
        value in any::<u8>(),
    ) {
        let mut archive = next().end();
        let position = position % archive.len();
        archive[position] = value;
        let root = Root::used();
        let before = root.tree();
        if root.unpack(&archive).is_err() {
            prop_assert_eq!(root.tree(), before);
        }
        prop_assert!(root.is_clean());
    }

    #[test]
    fn a_plan_is_read_as_it_was_written(
        entries in proptest::collection::vec(
            ("[a-z \n-]{1,9}(/[a-z .]{1,5}x){0,2}", any::<Option<Made>>()),
            0..10,
        ),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let entry = |(path, directory): (String, Option<Made>)| {
            let kind = directory.map_or(plan::EntryKind::Staged, |(mode, tv_sec, tv_nsec, owner)| {
                let modified = rustix::fs::Timespec { tv_sec, tv_nsec };
                plan::EntryKind::Directory { mode, modified, owner }
            });
            plan::Entry { path: path.into_bytes(), kind }
        };
        let plan = Plan {
            destination: b"workspace".to_vec(),
            entries: entries.into_iter().map(entry).collect(),
        };
        prop_assert_eq!(Plan::parse(&plan.encode()), Some(plan));
        drop(Plan::parse(&noise));
    }
}
