//! Environments that were altered on disk are detected, reported, and never booted.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::context::{TestContext, debian, directory_of};
use crate::environments::{closed_archive, copy_cache};

type Damage = (&'static str, fn(&Path), &'static str);

/// A file, its alteration, and the expected message.
const DAMAGES: &[Damage] = &[
    ("rootfs.erofs", cut, "rootfs.erofs"),
    ("rootfs.erofs", flip, "rootfs.erofs"),
    ("vmlinux", flip, "vmlinux"),
    ("vmlinux", remove, "vmlinux"),
    ("modules.cpio", flip, "modules.cpio"),
    ("environment.json", remove, "environment.json is missing"),
    ("environment.json", cut, "environment.json"),
    ("environment.json", empty, "environment.json is truncated"),
];

fn cut(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// Alters one byte in the middle; the size stays.
fn flip(path: &Path) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[!byte[0]], middle).unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

fn empty(path: &Path) {
    File::create(path).unwrap();
}

#[test]
fn whatever_is_altered_is_noticed_before_anything_boots() {
    let source = TestContext::with(debian());
    let context = TestContext::new().with_own_cache();
    for (name, damage, said) in DAMAGES {
        let _ = fs::remove_dir_all(installed(&context));
        copy_cache(&source, &context, &directory_of(debian()));
        // So that the recorded stamps are those of a used cache.
        context.pyro(&["env", "pull", debian()]).run().expect(0);
        damage(&installed(&context).join(name));
        // Rebuilding is made impossible, so that this test takes seconds.
        let run = context
            .debian(&["--", "true"])
            .env("APT_CONFIG", closed_archive(&context));
        let run = run.run().expect(1).err_has("; rebuilding").err_has(said);
        run.err_has("code: archive_unreachable")
            .err_lacks("phase=start");
    }
}

#[test]
fn an_altered_initramfs_is_made_again() {
    let source = TestContext::with(debian());
    let context = TestContext::new().with_own_cache();
    copy_cache(&source, &context, &directory_of(debian()));
    context.debian(&["--", "true"]).run().expect(0);
    let directory = context.cache().join("linux-x86_64/initramfs");
    let archives = || -> Vec<PathBuf> {
        let entries = fs::read_dir(&directory).unwrap().flatten();
        let paths = entries.map(|entry| entry.path());
        paths
            .filter(|path| path.extension().is_some_and(|kind| kind == "cpio"))
            .collect()
    };
    let [archive] = &archives()[..] else {
        panic!("{:?}", archives())
    };
    let original = fs::read(archive).unwrap();
    for damage in [cut, flip, remove] {
        damage(archive);
        context.debian(&["--", "true"]).run().expect(0);
        assert!(fs::read(archive).unwrap() == original, "it is what it was");
    }
}

fn installed(context: &TestContext) -> PathBuf {
    context
        .cache()
        .join("linux-x86_64")
        .join(directory_of(debian()))
}
