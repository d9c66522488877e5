//! A *kernel* with the modules a guest needs, shared by the environments that were built while it
//! was the distribution's current one.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::Progress;
use crate::bzimage;
use crate::debian::{self, Archive, KernelPackage};
use crate::initramfs;
use crate::layout::{KERNEL_RECORD, KERNELS, Layout, MODULES, VMLINUX};
use crate::lock::Lock;
use crate::manifest::{self, FileRecord};
use crate::partial::Partial;
use crate::preflight;
use crate::progress::Listener;
use crate::recipe::NEWEST_RELEASE;
use crate::tools::Tools;

/// Bytes that fetching one takes in the cache at its peak, rounded up.
const NEEDED_BYTES: u64 = 300 << 20;

/// A kernel in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// What `uname -r` says under it.
    pub version: String,
    /// Version of the package it came in.
    pub package_version: String,
    /// Its directory.
    pub directory: PathBuf,
}

/// What is written down about a kernel.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    pub(crate) kernel_version: String,
    pub(crate) modules: FileRecord,
    pub(crate) package: String,
    pub(crate) package_version: String,
    pub(crate) vmlinux: FileRecord,
}

/// Makes sure that the cache has the archive's current kernel, and links it into `install`.
pub(crate) async fn install(
    layout: &Layout,
    tools: &Tools,
    archive: &Archive,
    install: &Path,
    progress: Listener<'_>,
) -> Result<Record, Error> {
    let _lock = lock(layout, progress).await?;
    progress(Progress::Phase("kernel"));
    let partial = Arc::new(create_partial(layout).await?);
    let package = KernelPackage::find(tools, archive, partial.path()).await?;
    let directory = layout.kernel(&package.version);

    let present = {
        let directory = directory.clone();
        blocking(move || Ok(verified(&directory))).await?
    };
    let record = if let Some(record) = present {
        record
    } else {
        let unpacked = package.download(tools, &partial).await?;
        let directory = directory.clone();
        blocking(move || {
            let vmlinux =
                bzimage::vmlinux(&unpacked.image).map_err(|problem| package.problem(problem))?;
            let modules = initramfs::modules_archive(&unpacked.modules);
            let from = partial.path().join("kernel");
            let record = write(&from, &vmlinux, &modules, package, unpacked.kernel_version)
                .map_err(Error::cache("write", &from))?;
            replace_directory(&from, &directory).map_err(Error::cache("create", &directory))?;
            Ok(record)
        })
        .await?
    };
    link_into(&directory, install)?;
    Ok(record)
}

/// Links a kernel into `install`, for a root file system that comes without: the newest one of the
/// cache, of whatever release, or the newest release's current one if there is none.
///
/// Kernels keep what programs rely on, so that the newest runs images of old distributions, too;
/// those of new ones may ask for more than an old one has. And what an image gets depends on
/// what the cache has, not on what was fetched last.
pub(crate) async fn any(
    layout: &Layout,
    install: &Path,
    progress: Listener<'_>,
) -> Result<Record, Error> {
    let found = {
        // Somebody may be fetching one, and has it when it is waited for.
        let lock = lock(layout, progress).await?;
        let (layout, install) = (layout.clone(), install.to_owned());
        blocking(move || {
            let _lock = lock;
            link_newest(&layout, &install)
        })
        .await?
    };
    if let Some(record) = found {
        return Ok(record);
    }
    let tools = {
        let layout = layout.clone();
        blocking(move || {
            let platform = layout.platform();
            fs::create_dir_all(&platform).map_err(Error::cache("create", &platform))?;
            preflight::check(&layout, NEEDED_BYTES)
        })
        .await?
    };
    let archive = Archive::discover(&tools, NEWEST_RELEASE).await?;
    self::install(layout, &tools, &archive, install, progress).await
}

async fn lock(layout: &Layout, progress: Listener<'_>) -> Result<Lock, Error> {
    Lock::acquire(&layout.lock(KERNELS), || {
        progress(Progress::Notice(
            "waiting for another process to finish fetching a kernel".into(),
        ));
    })
    .await
}

/// Links the newest kernel that is not damaged. The caller holds the lock.
fn link_newest(layout: &Layout, install: &Path) -> Result<Option<Record>, Error> {
    for kernel in list(layout)?.iter().rev() {
        if let Some(record) = verified(&kernel.directory) {
            link_into(&kernel.directory, install)?;
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn link_into(directory: &Path, install: &Path) -> Result<(), Error> {
    for name in [VMLINUX, MODULES] {
        link(&directory.join(name), &install.join(name))
            .map_err(Error::cache("create", install.join(name)))?;
    }
    Ok(())
}

/// Lists the kernels in the cache, of all releases, the newest last.
pub(crate) fn list(layout: &Layout) -> Result<Vec<Kernel>, Error> {
    let directory = layout.kernels();
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::cache("read", directory)(error)),
    };
    let mut kernels = Vec::new();
    for entry in entries {
        let directory = entry.map_err(Error::cache("read", &directory))?.path();
        if let Ok(Some(record)) = manifest::read::<Record>(&directory.join(KERNEL_RECORD)) {
            kernels.push(Kernel {
                version: record.kernel_version,
                package_version: record.package_version,
                directory,
            });
        }
    }
    kernels.sort_by(|a, b| debian::compare_versions(&a.package_version, &b.package_version));
    Ok(kernels)
}

/// Returns the record of a kernel whose files are what it says, all of which are read.
fn verified(directory: &Path) -> Option<Record> {
    let record: Record = manifest::read(&directory.join(KERNEL_RECORD)).ok()??;
    let holds = |record: &FileRecord, name: &str| {
        FileRecord::of(&directory.join(name)).is_ok_and(|found| found.sha256 == record.sha256)
    };
    (holds(&record.vmlinux, VMLINUX) && holds(&record.modules, MODULES)).then_some(record)
}

fn write(
    directory: &Path,
    vmlinux: &[u8],
    modules: &[u8],
    package: KernelPackage,
    kernel_version: String,
) -> io::Result<Record> {
    fs::create_dir(directory)?;
    for (name, contents) in [(VMLINUX, vmlinux), (MODULES, modules)] {
        let mut file = fs::File::create(directory.join(name))?;
        file.write_all(contents)?;
        file.sync_all()?;
    }
    let record = Record {
        kernel_version,
        modules: FileRecord::of(&directory.join(MODULES))?,
        package: package.name,
        package_version: package.version,
        vmlinux: FileRecord::of(&directory.join(VMLINUX))?,
    };
    manifest::write(&directory.join(KERNEL_RECORD), &record)?;
    Ok(record)
}

/// Puts a finished directory in its place; what was there, if anything, is then where the new one
/// came from.
pub(crate) fn replace_directory(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    let parent = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(parent)?;
    if fs::symlink_metadata(to).is_ok() {
        let swapped = renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE);
        if swapped.is_err() {
            // A file system that cannot exchange: for a moment there is neither.
            fs::rename(to, from.with_extension("replaced"))?;
            fs::rename(from, to)?;
        }
    } else {
        fs::rename(from, to)?;
    }
    fs::File::open(parent)?.sync_all()
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        // Another file system, one without hard links, or a file of somebody else.
        Err(_) => fs::copy(from, to).and_then(|_| fs::File::open(to)?.sync_all()),
    }
}

async fn create_partial(layout: &Layout) -> Result<Partial, Error> {
    let layout = layout.clone();
    blocking(move || Partial::create(&layout.platform(), KERNELS)).await
}

/// Runs what blocks where it blocks nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            Err(Error::Spawn {
                program: "a task of this process".into(),
                source: error.into(),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(directory: &Path, contents: &[u8]) -> Record {
        sample_of("6.1-1", directory, contents)
    }

    fn sample_of(version: &str, directory: &Path, contents: &[u8]) -> Record {
        let package = KernelPackage {
            name: "linux".into(),
            version: version.into(),
        };
        let kernel_version = version.replace('-', ".");
        write(directory, contents, b"modules", package, kernel_version).unwrap()
    }

    /// A cache with these kernels, and a directory to install to.
    fn cache_with(versions: &[&str]) -> (tempfile::TempDir, Layout, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let layout = Layout::new(parent.path().to_owned());
        fs::create_dir_all(layout.kernels()).unwrap();
        for version in versions {
            sample_of(version, &layout.kernel(version), version.as_bytes());
        }
        let install = parent.path().join("install");
        fs::create_dir(&install).unwrap();
        (parent, layout, install)
    }

    #[tokio::test]
    async fn an_image_gets_the_newest_kernel_that_is_whole() {
        let (_parent, layout, install) = cache_with(&["6.12.9-1", "6.1.192-2", "6.12.118-1"]);
        let versions: Vec<_> = list(&layout)
            .unwrap()
            .into_iter()
            .map(|kernel| kernel.package_version)
            .collect();
        assert_eq!(versions, ["6.1.192-2", "6.12.9-1", "6.12.118-1"]);

        let quiet = |progress| panic!("{progress:?}");
        let record = any(&layout, &install, &quiet).await.unwrap();
        assert_eq!(record.package_version, "6.12.118-1");
        assert_eq!(fs::read(install.join(VMLINUX)).unwrap(), b"6.12.118-1");

        for name in [VMLINUX, MODULES] {
            fs::remove_file(install.join(name)).unwrap();
        }
        let newest = layout.kernel("6.12.118-1").join(VMLINUX);
        fs::remove_file(&newest).unwrap();
        fs::write(&newest, "6.12.l18-1").unwrap();
        let record = any(&layout, &install, &quiet).await.unwrap();
        assert_eq!(record.package_version, "6.12.9-1");
    }

    #[tokio::test]
    async fn who_wants_a_kernel_waits_for_whoever_fetches_one() {
        let (_parent, layout, install) = cache_with(&[]);
        let held = Lock::attempt(&layout.lock(KERNELS)).unwrap();
        let held = std::sync::Mutex::new(Some(held));
        let fetched = |progress| {
            let Progress::Notice(notice) = progress else {
                panic!("{progress:?}");
            };
            assert!(notice.contains("fetching a kernel"), "{notice}");
            sample_of("6.1-1", &layout.kernel("6.1-1"), b"kernel");
            drop(held.lock().unwrap().take());
        };
        let record = any(&layout, &install, &fetched).await.unwrap();
        assert_eq!(record.package_version, "6.1-1");
        assert!(held.lock().unwrap().is_none());
    }

    #[test]
    fn a_damaged_kernel_is_not_used_again() {
        let parent = tempfile::tempdir().unwrap();
        let layout = Layout::new(parent.path().to_owned());
        assert!(list(&layout).unwrap().is_empty());
        let directory = layout.kernel("6.1-1");
        fs::create_dir_all(layout.kernels()).unwrap();
        sample(&directory, b"kernel");
        assert!(verified(&directory).is_some());
        assert_eq!(list(&layout).unwrap()[0].version, "6.1.1");
        fs::write(directory.join(VMLINUX), "kErnel").unwrap();
        assert!(verified(&directory).is_none());
    }

    #[test]
    fn a_directory_is_put_in_place_of_another() {
        let parent = tempfile::tempdir().unwrap();
        let (old, new) = (parent.path().join("deep/old"), parent.path().join("new"));
        fs::create_dir(&new).unwrap();
        replace_directory(&new, &old).unwrap();
        assert!(old.exists() && !new.exists());
        sample(&new, b"kernel");
        replace_directory(&new, &old).unwrap();
        assert!(verified(&old).is_some() && verified(&new).is_none());
    }
}
