//! Tests of pruning, with files that stand in for real ones.

use super::*;
use crate::catalog;
use crate::layout::{MANIFEST, ROOTFS};
use crate::ready::tests::install_sample;

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

#[test]
fn an_empty_or_absent_cache_has_nothing_to_prune() {
    let cache = Cache::new();
    assert!(prune(&cache.layout).unwrap().is_empty());
    assert!(
        prune(&Layout::new("/nonexistent/cache".into()))
            .unwrap()
            .is_empty()
    );
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
        prune(&cache.layout).unwrap(),
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
    assert!(prune(&cache.layout).unwrap().is_empty());
}

#[test]
fn what_is_being_built_stays() {
    let cache = Cache::new();
    let partial = ".partial-debian_12-1.0.0-x";
    fs::create_dir(cache.layout.platform().join(partial)).unwrap();
    let lock = Lock::attempt(&cache.layout.lock("debian_12-1.0.0")).unwrap();
    assert!(prune(&cache.layout).unwrap().is_empty());
    drop(lock);
    assert_eq!(prune(&cache.layout).unwrap(), [partial]);
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
    assert!(
        prune(&cache.layout).unwrap().is_empty(),
        "it is no directory"
    );
    assert!(path.exists() && !other.exists());
}
