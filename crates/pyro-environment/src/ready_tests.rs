//! Tests of installed environments, with files that stand in for real ones. Nothing is built.

use super::*;
use crate::catalog;

/// A cache in which `debian:12` is installed.
struct Cache {
    _directory: tempfile::TempDir,
    layout: Layout,
    entry: &'static Entry,
}

impl Cache {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned());
        let entry = catalog::find("debian:12").unwrap();
        install_sample(&layout, entry);
        Self {
            _directory: directory,
            layout,
            entry,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.layout.install(self.entry).join(name)
    }

    async fn reason(&self) -> String {
        match verify(&Place::of(&self.layout, self.entry)).await.unwrap() {
            State::Unusable(reason) => reason,
            state => panic!("it is still usable: {state:?}"),
        }
    }

    async fn installed(&self) -> Manifest {
        match verify(&Place::of(&self.layout, self.entry)).await.unwrap() {
            State::Installed(manifest) => *manifest,
            state => panic!("it is not usable: {state:?}"),
        }
    }
}

/// Installs an environment whose files are a few bytes long.
pub(crate) fn install_sample(layout: &Layout, entry: &Entry) {
    let place = Place::of(layout, entry);
    let install = &place.directory;
    fs::create_dir_all(install).unwrap();
    for name in [VMLINUX, MODULES, ROOTFS] {
        fs::write(install.join(name), format!("contents of {name}")).unwrap();
    }
    let record = |name: &str| FileRecord::of(&install.join(name)).unwrap();
    let kernel = kernel::Record {
        kernel_version: "6.1.0-0-cloud-amd64".into(),
        modules: record(MODULES),
        package: "linux-image".into(),
        package_version: "6.1.1-1".into(),
        vmlinux: record(VMLINUX),
    };
    describe(
        &place,
        install,
        kernel,
        "archive:test bookworm".into(),
        None,
    )
    .unwrap();
}

#[tokio::test]
async fn an_installed_environment_is_ready_at_once() {
    let cache = Cache::new();
    let place = Place::of(&cache.layout, cache.entry);
    let progress = |progress| panic!("{progress:?}");
    let ready = ready(&cache.layout, &place, &progress, async {
        panic!("it is built")
    })
    .await
    .unwrap();
    assert!(!ready.newly_installed);
    assert_eq!(ready.kernel_version, "6.1.0-0-cloud-amd64");
    assert_eq!(
        ready.digest,
        crate::digest::of_bytes(b"contents of rootfs.erofs")
    );
    for path in [
        &ready.kernel,
        &ready.initramfs,
        &ready.rootfs,
        &ready.manifest,
    ] {
        assert!(path.is_absolute() && path.is_file(), "{}", path.display());
    }
}

#[tokio::test]
async fn a_touched_file_is_read_once() {
    let cache = Cache::new();
    let before = cache.installed().await;
    let copy = cache.path("copy");
    fs::copy(cache.path(ROOTFS), &copy).unwrap();
    fs::rename(&copy, cache.path(ROOTFS)).unwrap();
    let after = cache.installed().await;
    assert_eq!(before.files.rootfs.sha256, after.files.rootfs.sha256);
    assert_ne!(before.files.rootfs.stamp, after.files.rootfs.stamp);
    let written: Manifest = manifest::read(&cache.path(MANIFEST)).unwrap().unwrap();
    assert_eq!(written, after, "the new stamp is remembered");
}

#[tokio::test]
async fn stamps_are_not_written_while_somebody_builds() {
    let cache = Cache::new();
    let before = cache.installed().await;
    let _lock = Lock::attempt(&cache.layout.lock(&cache.entry.directory_name())).unwrap();
    fs::write(cache.path(VMLINUX), format!("contents of {VMLINUX}")).unwrap();
    cache.installed().await;
    let written: Manifest = manifest::read(&cache.path(MANIFEST)).unwrap().unwrap();
    assert_eq!(written, before);
}

#[tokio::test]
async fn damage_is_found_and_named() {
    let cache = Cache::new();
    fs::write(cache.path(ROOTFS), "cOntents of rootfs.erofs").unwrap();
    let reason = cache.reason().await;
    assert!(
        reason.starts_with("rootfs.erofs does not match its recorded digest"),
        "{reason}"
    );

    let cache = Cache::new();
    fs::write(cache.path(ROOTFS), "short").unwrap();
    assert_eq!(
        cache.reason().await,
        "rootfs.erofs has 5 bytes instead of 24"
    );

    let cache = Cache::new();
    fs::write(cache.path(VMLINUX), "contents of vmlinuX").unwrap();
    assert!(cache.reason().await.starts_with("vmlinux does not match"));

    let cache = Cache::new();
    fs::remove_file(cache.path(MODULES)).unwrap();
    assert_eq!(cache.reason().await, "modules.cpio is missing");

    let cache = Cache::new();
    fs::remove_file(cache.path(MANIFEST)).unwrap();
    assert_eq!(cache.reason().await, "environment.json is missing");

    for contents in ["", "{", "[]", "not json"] {
        let cache = Cache::new();
        fs::write(cache.path(MANIFEST), contents).unwrap();
        assert!(
            cache.reason().await.starts_with("environment.json "),
            "{contents}"
        );
    }
}

#[tokio::test]
async fn an_environment_of_another_recipe_is_not_used() {
    let cache = Cache::new();
    let mut manifest = cache.installed().await;
    manifest.source_digest = "0".repeat(64);
    manifest::write(&cache.path(MANIFEST), &manifest).unwrap();
    assert_eq!(cache.reason().await, "it was built from another recipe");
}

#[tokio::test]
async fn nothing_is_absent_rather_than_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path().join("not there"));
    let entry = catalog::find("debian:12-base").unwrap();
    assert!(matches!(
        verify(&Place::of(&layout, entry)).await.unwrap(),
        State::Absent
    ));
    assert!(!layout.cache().exists(), "looking creates nothing");
}
