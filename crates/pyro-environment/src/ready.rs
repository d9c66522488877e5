//! *Ready*: an environment that is installed, verified and can be booted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::Error;
use crate::Progress;
use crate::catalog::{CATALOG_VERSION, Entry};
use crate::debian::{self, Archive};
use crate::initramfs;
use crate::kernel::{self, blocking};
use crate::layout::{Layout, MANIFEST, MODULES, ROOTFS, VMLINUX};
use crate::lock::Lock;
use crate::manifest::{self, FileRecord, Files, Found, Manifest};
use crate::partial::Partial;
use crate::preflight;
use crate::progress::Listener;

/// An environment that can be booted, and what it consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its name in the catalog.
    pub name: String,
    /// Version of its catalog entry.
    pub version: String,
    /// SHA-256 of the root file system's image, in hexadecimal.
    pub digest: String,
    /// The kernel, an uncompressed ELF file.
    pub kernel: PathBuf,
    /// What `uname -r` says under it.
    pub kernel_version: String,
    /// The guest agent and the modules it loads, an uncompressed cpio archive.
    pub initramfs: PathBuf,
    /// The image of the root file system, EROFS.
    pub rootfs: PathBuf,
    /// The directory of kernel, image and manifest.
    pub install_dir: PathBuf,
    /// The file that describes the installation.
    pub manifest: PathBuf,
    /// Where it came from.
    pub source: String,
    /// Whether this call installed it.
    pub newly_installed: bool,
}

/// The state of an environment in the cache.
#[derive(Debug)]
pub(crate) enum State {
    Absent,
    /// Something is there that cannot be used, for this reason.
    Unusable(String),
    Installed(Box<Manifest>),
}

/// Looks at an environment without reading its files: the manifest must belong to the entry's
/// recipe, and the files must be there with their recorded sizes.
pub(crate) fn look(layout: &Layout, entry: &Entry) -> Result<State, Error> {
    let directory = layout.install(entry);
    match fs::symlink_metadata(&directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Ok(State::Unusable("is not a directory".into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Absent),
        Err(error) => return Err(Error::cache("examine", directory)(error)),
    }
    let path = directory.join(MANIFEST);
    let mut manifest: Manifest = match manifest::read(&path) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Ok(State::Unusable(format!("{MANIFEST} is missing"))),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Ok(State::Unusable(format!("{MANIFEST} cannot be understood")));
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Ok(State::Unusable(format!("{MANIFEST} is truncated")));
        }
        Err(error) => return Err(Error::cache("read", path)(error)),
    };
    if manifest.name != entry.name
        || manifest.version != entry.version
        || manifest.source_digest != entry.recipe.digest()
    {
        return Ok(State::Unusable("it was built from another recipe".into()));
    }
    for (name, record) in manifest.files.each() {
        let path = directory.join(name);
        if let Found::Other(reason) = record.look(&path).map_err(Error::cache("examine", path))? {
            return Ok(State::Unusable(format!("{name} {reason}")));
        }
    }
    Ok(State::Installed(Box::new(manifest)))
}

/// Looks at an environment and, where a file was touched since it was last known to be right,
/// reads that file.
async fn verify(layout: &Layout, entry: &'static Entry) -> Result<State, Error> {
    let State::Installed(manifest) = look(layout, entry)? else {
        return look(layout, entry);
    };
    let directory = layout.install(entry);
    let mut checked = manifest.clone();
    let untouched = checked.files.each().into_iter().all(|(name, record)| {
        record
            .look(&directory.join(name))
            .is_ok_and(|found| found == Found::Same)
    });
    if untouched {
        return Ok(State::Installed(manifest));
    }
    let layout = layout.clone();
    blocking(move || {
        let mut renewed = false;
        for (name, record) in checked.files.each() {
            let path = directory.join(name);
            match record.verify(&path).map_err(Error::cache("read", path))? {
                Ok(changed) => renewed |= changed,
                Err(reason) => return Ok(State::Unusable(format!("{name} {reason}"))),
            }
        }
        if renewed {
            renew(&layout, entry, &manifest, &checked);
        }
        Ok(State::Installed(checked))
    })
    .await
}

/// Writes new stamps, unless somebody is building the environment anew, or did so, or the cache
/// cannot be written: the files are right in any case, and will be read again next time.
fn renew(layout: &Layout, entry: &Entry, old: &Manifest, new: &Manifest) {
    let Some(_lock) = Lock::attempt(&layout.lock(&entry.directory_name())) else {
        return;
    };
    let path = layout.install(entry).join(MANIFEST);
    if manifest::read::<Manifest>(&path).is_ok_and(|found| found.as_ref() == Some(old)) {
        drop(manifest::write(&path, new));
    }
}

/// Makes the environment ready, building it if it is not installed or is damaged.
pub(crate) async fn ready(
    layout: &Layout,
    entry: &'static Entry,
    progress: Listener<'_>,
) -> Result<Ready, Error> {
    if let State::Installed(manifest) = verify(layout, entry).await? {
        return finish(layout, entry, &manifest, false);
    }
    let name = entry.name;
    let _lock = Lock::acquire(&layout.lock(&entry.directory_name()), || {
        progress(Progress::Notice(format!(
            "{name}: waiting for another process to finish building it"
        )));
    })
    .await?;
    // Whoever held the lock has probably built it.
    match verify(layout, entry).await? {
        State::Installed(manifest) => return finish(layout, entry, &manifest, false),
        State::Unusable(reason) => {
            progress(Progress::Notice(format!("{name}: {reason}; rebuilding")));
        }
        State::Absent => {}
    }
    let manifest = build(layout, entry, progress).await?;
    finish(layout, entry, &manifest, true)
}

fn finish(
    layout: &Layout,
    entry: &Entry,
    manifest: &Manifest,
    newly_installed: bool,
) -> Result<Ready, Error> {
    let install_dir = layout.install(entry);
    let modules = install_dir.join(MODULES);
    Ok(Ready {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        digest: manifest.files.rootfs.sha256.clone(),
        kernel: install_dir.join(VMLINUX),
        kernel_version: manifest.kernel_version.clone(),
        initramfs: initramfs::ready(layout, &manifest.files.modules, &modules)?,
        rootfs: install_dir.join(ROOTFS),
        manifest: install_dir.join(MANIFEST),
        install_dir,
        source: manifest.source.clone(),
        newly_installed,
    })
}

/// Builds the environment. The caller holds its lock.
async fn build(
    layout: &Layout,
    entry: &'static Entry,
    progress: Listener<'_>,
) -> Result<Manifest, Error> {
    let (tools, partial) = {
        let layout = layout.clone();
        blocking(move || {
            let tools = preflight::check(&layout, entry.needed_bytes)?;
            Ok((tools, Partial::create(&layout, &entry.directory_name())?))
        })
        .await?
    };
    let archive = Archive::discover(&tools, entry.recipe.release).await?;
    let install = partial.path().join("install");
    fs::create_dir(&install).map_err(Error::cache("create", &install))?;

    let rootfs = debian::build(
        &tools,
        &archive,
        &entry.recipe,
        partial.path(),
        entry.needed_bytes,
        progress,
    );
    let kernel = kernel::install(layout, &tools, &archive, &install, progress);
    let ((), kernel) = tokio::try_join!(rootfs, kernel)?;

    progress(Progress::Phase("verify"));
    let layout = layout.clone();
    blocking(move || {
        let manifest = describe(entry, &install, kernel, archive.source())
            .map_err(Error::cache("write", &install))?;
        let target = layout.install(entry);
        kernel::replace_directory(&install, &target).map_err(Error::cache("create", &target))?;
        drop(partial);
        Ok(manifest)
    })
    .await
}

/// Writes the manifest of a finished installation.
fn describe(
    entry: &Entry,
    install: &Path,
    kernel: kernel::Record,
    source: String,
) -> io::Result<Manifest> {
    let rootfs = install.join(ROOTFS);
    fs::File::open(&rootfs)?.sync_all()?;
    let files = Files {
        modules: FileRecord::of(&install.join(MODULES))?,
        rootfs: FileRecord::of(&rootfs)?,
        vmlinux: FileRecord::of(&install.join(VMLINUX))?,
    };
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let manifest = Manifest {
        catalog_version: CATALOG_VERSION.to_owned(),
        files,
        installed_at: now.as_secs(),
        kernel_package_version: kernel.package_version,
        kernel_version: kernel.kernel_version,
        name: entry.name.to_owned(),
        source,
        source_digest: entry.recipe.digest(),
        version: entry.version.to_owned(),
    };
    manifest::write(&install.join(MANIFEST), &manifest)?;
    Ok(manifest)
}

#[cfg(test)]
#[path = "ready_tests.rs"]
pub(crate) mod tests;
