//! Tests of pruning, with files that stand in for real ones.

use super::*;
use crate::catalog;
use crate::layout::{MANIFEST, ROOTFS};
use crate::manifest;
use crate::ready::tests::install_sample;
use crate::users::User;

struct Cache {
    _directory: tempfile::TempDir,
    layout: Layout,
}

impl Cache {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned());
        fs::create_dir_all(layout.platform()).unwrap();
        Self {
            _directory: directory,
            layout,
        }
    }

    fn install(&self, name: &str) -> std::path::PathBuf {
        let entry = catalog::find(name).unwrap();
        install_sample(&self.layout, entry);
        self.layout.install(entry)
    }

    fn exists(&self, name: &str) -> bool {
        self.layout.platform().join(name).exists()
    }
}

fn pruned(layout: &Layout) -> Vec<String> {
    prune(layout, &Users::default(), None).unwrap().directories
}

#[test]
fn an_empty_or_absent_cache_has_nothing_to_prune() {
    let cache = Cache::new();
    assert!(pruned(&cache.layout).is_empty());
    assert!(pruned(&Layout::new("/nonexistent/cache".into())).is_empty());
}

#[test]
fn only_what_is_not_needed_goes() {
    let cache = Cache::new();
    cache.install("debian:12");
    fs::write(cache.install("debian:12-base").join(ROOTFS), "short").unwrap();
    fs::remove_file(cache.install("debian:12-build").join(MANIFEST)).unwrap();
    for name in [
        "debian_11-1.0.0",
        "debian_12-0.9.0",
        ".partial-debian_12-1.0.0-x",
    ] {
        fs::create_dir_all(cache.layout.platform().join(name).join("deep")).unwrap();
    }
    fs::write(cache.layout.platform().join("a file"), "").unwrap();
    for version in ["6.1.1-1", "6.1.0-9"] {
        fs::create_dir_all(cache.layout.kernel(version)).unwrap();
        fs::write(cache.layout.kernel(version).join(KERNEL_RECORD), "{}").unwrap();
    }
    assert_eq!(
        pruned(&cache.layout),
        [
            ".partial-debian_12-1.0.0-x",
            "debian_11-1.0.0",
            "debian_12-0.9.0",
            "debian_12-base-1.0.0",
            "debian_12-build-1.0.0",
            "kernels/6.1.0-9",
        ]
    );
    for kept in ["debian_12-1.0.0", "a file", "kernels/6.1.1-1"] {
        assert!(cache.exists(kept), "{kept}");
    }
    assert!(pruned(&cache.layout).is_empty());
}

#[test]
fn what_is_being_built_stays() {
    let cache = Cache::new();
    let partial = ".partial-debian_12-1.0.0-x";
    fs::create_dir(cache.layout.platform().join(partial)).unwrap();
    let lock = Lock::attempt(&cache.layout.lock("debian_12-1.0.0")).unwrap();
    assert!(pruned(&cache.layout).is_empty());
    drop(lock);
    assert_eq!(pruned(&cache.layout), [partial]);
}

#[test]
fn only_this_builds_initramfs_stays() {
    let cache = Cache::new();
    let install = cache.install("debian:12");
    let entry = catalog::find("debian:12").unwrap();
    let State::Installed(manifest) = ready::look(&Place::of(&cache.layout, entry)).unwrap() else {
        panic!("it is installed");
    };
    let modules = install.join(crate::layout::MODULES);
    let path = initramfs::ready(&cache.layout, &manifest.files.modules, &modules).unwrap();
    let other = cache.layout.initramfs().join("0123.cpio");
    fs::write(&other, "").unwrap();
    assert!(pruned(&cache.layout).is_empty(), "it is no directory");
    assert!(path.exists() && !other.exists());
}

#[test]
fn what_nobody_has_used_for_long_goes_if_it_is_asked_for() {
    let cache = Cache::new();
    let names = ["debian:12", "debian:12-base", "debian:12-build"];
    for name in names {
        cache.install(name);
    }
    let day = Duration::from_secs(24 * 3600);
    let unused = |users: &Users, time| prune(&cache.layout, users, Some(time)).unwrap();
    let mut users = Users::default();
    assert!(unused(&users, day).directories.is_empty());
    // A use counts, and so does a workspace.
    let used = cache.layout.install(catalog::find(names[0]).unwrap());
    last_use::note(&used);
    users.known.push(User {
        id: "workspace 1".into(),
        environment: names[1].into(),
    });
    for name in names {
        let directory = cache.layout.install(catalog::find(name).unwrap());
        age(&directory.join(MANIFEST));
    }
    let removed = unused(&users, day);
    assert_eq!(removed.directories, ["debian_12-build-1.0.0"]);
    assert!(removed.bytes > 0);
    users.may_be_more = true;
    assert!(unused(&users, Duration::ZERO).directories.is_empty());
    assert_eq!(
        unused(&Users::default(), Duration::ZERO).directories,
        ["debian_12-1.0.0", "debian_12-base-1.0.0"]
    );
}

/// Makes an environment seem to have been installed long ago.
fn age(manifest: &Path) {
    let mut record: Manifest = manifest::read(manifest).unwrap().unwrap();
    record.installed_at = 1;
    manifest::write(manifest, &record).unwrap();
}
