//! The *initramfs*: the guest agent as `/init` and, appended as a second archive, the modules of
//! the kernel. One file for each pair of agent and modules, made when first needed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::cpio::Archive;
use crate::digest;
use crate::layout::Layout;
use crate::manifest::{self, FileRecord, Stamp};

/// The guest agent, built or chosen by the build script, and its digest.
const AGENT: &[u8] = include_bytes!(env!("PYRO_GUEST_AGENT"));
const AGENT_SHA256: &str = env!("PYRO_GUEST_AGENT_SHA256");
/// What the agent loads into shells, and its digest. It is empty if the agent was built elsewhere.
const PRESTART: &[u8] = include_bytes!(env!("PYRO_GUEST_PRESTART"));
const PRESTART_SHA256: &str = env!("PYRO_GUEST_PRESTART_SHA256");

/// What an initramfs is filled up to with zeros, which the kernel skips: whole pages.
///
/// QEMU loads it so that it ends in the last page of the memory, and does not know that QEMU 10's
/// firmware has the ACPI tables at the end of that page: some 800 bytes. An initramfs whose last page
/// was almost full overwrote them, and the kernel did not boot. Whole pages end before that page.
const PAGE: usize = 4096;
/// Raised when the file is made in another way.
const FORMAT: &str = "2";

/// Returns the file name, without extension, of the initramfs with these modules.
pub(crate) fn key(modules: &FileRecord) -> String {
    digest::of_bytes(
        format!("{}{AGENT_SHA256}{PRESTART_SHA256}{FORMAT}", modules.sha256).as_bytes(),
    )
}

/// Returns the path of the initramfs, which is made if it is not there. The modules have been
/// verified. A few calls of `stat` if nothing changed since the last time.
pub(crate) fn ready(
    layout: &Layout,
    modules: &FileRecord,
    archive: &Path,
) -> Result<PathBuf, Error> {
    let directory = layout.initramfs();
    let key = key(modules);
    let path = directory.join(&key).with_extension("cpio");
    let stamp_path = directory.join(&key).with_extension("json");
    let stamp = fs::symlink_metadata(&path)
        .ok()
        .filter(fs::Metadata::is_file);
    let stamp = stamp.map(|metadata| Stamp::of(&metadata));
    if stamp.is_some() && manifest::read(&stamp_path).ok().flatten() == stamp {
        return Ok(path);
    }

    let modules = fs::read(archive).map_err(Error::cache("read", archive))?;
    let mut contents = [agent_archive(), modules].concat();
    contents.resize(contents.len().next_multiple_of(PAGE), 0);
    if fs::read(&path).is_ok_and(|found| found == contents) {
        // Whoever cannot write the stamp, to a cache of somebody else, compares again next time.
        drop(write_stamp(&path, &stamp_path));
        return Ok(path);
    }
    fs::create_dir_all(&directory).map_err(Error::cache("create", &directory))?;
    manifest::replace(&path, |file: &mut File| file.write_all(&contents))
        .and_then(|()| write_stamp(&path, &stamp_path))
        .map_err(Error::cache("write", &path))?;
    Ok(path)
}

fn write_stamp(path: &Path, stamp_path: &Path) -> io::Result<()> {
    manifest::write(stamp_path, &Stamp::of(&fs::symlink_metadata(path)?))
}

/// The first archive: the agent and what it needs before it can mount anything. The console node
/// is what the kernel gives to `/init` as its standard streams.
fn agent_archive() -> Vec<u8> {
    let mut archive = Archive::default();
    for directory in ["dev", "proc", "sys"] {
        archive.directory(directory);
    }
    archive.character_device("dev/console", 0o600, 5, 1);
    archive.file("init", 0o755, AGENT);
    if !PRESTART.is_empty() {
        archive.file("prestart.so", 0o755, PRESTART);
    }
    archive.finish()
}

/// Returns the second archive: `/modules/NN-name.ko`, numbered in the order to load them.
pub(crate) fn modules_archive(modules: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.directory("modules");
    for (index, (name, contents)) in modules.iter().enumerate() {
        archive.file(&format!("modules/{index:02}-{name}.ko"), 0o644, contents);
    }
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_repaired_when_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path().to_owned());
        let modules = directory.path().join("modules.cpio");
        fs::write(
            &modules,
            modules_archive(&[("virtio".into(), b"elf".to_vec())]),
        )
        .unwrap();
        let record = FileRecord::of(&modules).unwrap();

        let path = ready(&layout, &record, &modules).unwrap();
        let first = fs::metadata(&path).unwrap();
        let contents = fs::read(&path).unwrap();
        assert!(contents.len() > AGENT.len());
        assert_eq!(contents.len() % PAGE, 0);
        assert!(
            contents
                .windows(20)
                .any(|window| window == b"modules/00-virtio.ko")
        );
        ready(&layout, &record, &modules).unwrap();
        assert_eq!(Stamp::of(&fs::metadata(&path).unwrap()), Stamp::of(&first));

        fs::write(&path, "damaged").unwrap();
        ready(&layout, &record, &modules).unwrap();
        assert_eq!(fs::read(&path).unwrap(), contents);
    }

    #[test]
    fn the_agent_is_the_one_the_digest_names() {
        assert_eq!(digest::of_bytes(AGENT), AGENT_SHA256);
        assert_eq!(digest::of_bytes(PRESTART), PRESTART_SHA256);
    }
}
