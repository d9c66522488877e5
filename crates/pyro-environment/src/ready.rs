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
use crate::last_use;
use crate::layout::{Layout, MANIFEST, MODULES, ROOTFS, VMLINUX};
use crate::lock::Lock;
use crate::manifest::{self, FileRecord, Files, Found, Image, Manifest};
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
    /// What its image says, if it is one.
    pub image: Option<Image>,
    /// Whether this call installed it.
    pub newly_installed: bool,
}

/// What an environment has to be, and where.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its directory in the cache.
    pub(crate) directory: PathBuf,
    /// The file that whoever installs it locks.
    pub(crate) lock: PathBuf,
    pub(crate) name: String,
    pub(crate) version: String,
    /// What its root file system is made from.
    pub(crate) source_digest: String,
}

impl Place {
    /// Returns the place of an entry of the catalog.
    pub(crate) fn of(layout: &Layout, entry: &Entry) -> Self {
        Self {
            directory: layout.install(entry),
            lock: layout.lock(&entry.directory_name()),
            name: entry.name.to_owned(),
            version: entry.version.to_owned(),
            source_digest: entry.recipe.digest(),
        }
    }
}

/// The state of an environment in the cache.
#[derive(Debug)]
pub(crate) enum State {
    Absent,
    /// Something is there that cannot be used, for this reason.
    Unusable(String),
    Installed(Box<Manifest>),
}

/// Looks at an environment without reading its files: the manifest be that of the
/// place, and the files must be there with their recorded sizes.
pub(crate) fn look(place: &Place) -> Result<State, Error> {
    let directory = &place.directory;
    match fs::symlink_metadata(directory) {
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
    if manifest.name != place.name
        || manifest.version != place.version
        || manifest.source_digest != place.source_digest
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
async fn verify(place: &Place) -> Result<State, Error> {
    let State::Installed(manifest) = look(place)? else {
        return look(place);
    };
    let directory = place.directory.clone();
    let mut checked = manifest.clone();
    let untouched = checked.files.each().into_iter().all(|(name, record)| {
        record
            .look(&directory.join(name))
            .is_ok_and(|found| found == Found::Same)
    });
    if untouched {
        return Ok(State::Installed(manifest));
    }
    let place = place.clone();
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
            renew(&place, &manifest, &checked);
        }
        Ok(State::Installed(checked))
    })
    .await
}

/// Writes new stamps, unless somebody is building the environment anew, or did so, or the cache
/// cannot be written: the files are right in any case, and will be read again next time.
fn renew(place: &Place, old: &Manifest, new: &Manifest) {
    let Some(_lock) = Lock::attempt(&place.lock) else {
        return;
    };
    let path = place.directory.join(MANIFEST);
    if manifest::read::<Manifest>(&path).is_ok_and(|found| found.as_ref() == Some(old)) {
        drop(manifest::write(&path, new));
    }
}

/// Makes an environment ready. `build` is waited for if it is not installed or is damaged; it puts
/// it into its place, while this holds the lock.
pub(crate) async fn ready(
    layout: &Layout,
    place: &Place,
    progress: Listener<'_>,
    build: impl Future<Output = Result<Manifest, Error>>,
) -> Result<Ready, Error> {
    if let State::Installed(manifest) = verify(place).await? {
        return finish(layout, place, &manifest, false);
    }
    let name = &place.name;
    let _lock = Lock::acquire(&place.lock, || {
        progress(Progress::Notice(format!(
            "{name}: waiting for another process to finish building it"
        )));
    })
    .await?;
    // Whoever held the lock has probably built it.
    match verify(place).await? {
        State::Installed(manifest) => return finish(layout, place, &manifest, false),
        State::Unusable(reason) => {
            progress(Progress::Notice(format!("{name}: {reason}; rebuilding")));
        }
        State::Absent => {}
    }
    let manifest = build.await?;
    finish(layout, place, &manifest, true)
}

fn finish(
    layout: &Layout,
    place: &Place,
    manifest: &Manifest,
    newly_installed: bool,
) -> Result<Ready, Error> {
    let install_dir = place.directory.clone();
    last_use::note(&install_dir);
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
        image: manifest.image.clone(),
        newly_installed,
    })
}

/// Builds an entry of the catalog. The caller holds its lock.
pub(crate) async fn build(
    layout: &Layout,
    entry: &'static Entry,
    progress: Listener<'_>,
) -> Result<Manifest, Error> {
    let (tools, partial) = {
        let layout = layout.clone();
        blocking(move || {
            let tools = preflight::check(&layout, entry.needed_bytes)?;
            let key = entry.directory_name();
            Ok((tools, Partial::create(&layout.platform(), &key)?))
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
        let place = Place::of(&layout, entry);
        let manifest = describe(&place, &install, kernel, archive.source(), None)
            .map_err(Error::cache("write", &install))?;
        let target = place.directory;
        kernel::replace_directory(&install, &target).map_err(Error::cache("create", &target))?;
        drop(partial);
        Ok(manifest)
    })
    .await
}

/// Writes the manifest of a finished installation.
pub(crate) fn describe(
    place: &Place,
    install: &Path,
    kernel: kernel::Record,
    source: String,
    image: Option<Image>,
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
        name: place.name.clone(),
        source,
        source_digest: place.source_digest.clone(),
        version: place.version.clone(),
        image,
    };
    manifest::write(&install.join(MANIFEST), &manifest)?;
    Ok(manifest)
}

#[cfg(test)]
#[path = "ready_tests.rs"]
pub(crate) mod tests;
