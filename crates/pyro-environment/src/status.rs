//! The *status* of an environment: what the catalog says of it, and whether it is installed.

use std::path::PathBuf;

use crate::Error;
use crate::catalog::Entry;
use crate::layout::{Layout, MANIFEST};
use crate::ready::{self, State};

/// An entry of the catalog and its state in the cache.
#[derive(Clone, Debug)]
pub struct Status {
    /// What the catalog says.
    pub entry: &'static Entry,
    /// Digest of the recipe, SHA-256 in hexadecimal.
    pub source_digest: String,
    /// The root of the cache.
    pub cache_dir: PathBuf,
    /// Where it is, or would be, installed.
    pub install_dir: PathBuf,
    /// What is installed, if it is.
    pub installation: Option<Installation>,
}

impl Status {
    /// Whether it is installed: the files are there with the right sizes. Their contents are
    /// looked at when it is made ready.
    pub fn installed(&self) -> bool {
        self.installation.is_some()
    }
}

/// An installed environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The file that describes it.
    pub manifest: PathBuf,
    /// Where it came from.
    pub source: String,
    /// When, in seconds since 1970.
    pub installed_at: u64,
    /// What `uname -r` says in it.
    pub kernel_version: String,
    /// SHA-256 of the root file system's image, in hexadecimal.
    pub digest: String,
    /// Bytes of kernel, modules and image. The first two may be shared with other environments.
    pub size: u64,
}

pub(crate) fn of(layout: &Layout, entry: &'static Entry) -> Result<Status, Error> {
    let install_dir = layout.install(entry);
    let installation = match ready::look(layout, entry)? {
        State::Absent | State::Unusable(_) => None,
        State::Installed(manifest) => Some(Installation {
            size: [
                &manifest.files.modules,
                &manifest.files.rootfs,
                &manifest.files.vmlinux,
            ]
            .iter()
            .map(|record| record.size)
            .sum(),
            manifest: install_dir.join(MANIFEST),
            source: manifest.source,
            installed_at: manifest.installed_at,
            kernel_version: manifest.kernel_version,
            digest: manifest.files.rootfs.sha256,
        }),
    };
    Ok(Status {
        entry,
        source_digest: entry.recipe.digest(),
        cache_dir: layout.cache().to_owned(),
        install_dir,
        installation,
    })
}
