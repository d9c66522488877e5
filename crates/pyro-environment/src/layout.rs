//! The *layout* of the cache: what lies where. Does no I/O.
//!
//! ```text
//! <cache>/linux-x86_64/
//!     debian_12-1.0.0/{vmlinux,modules.cpio,rootfs.erofs,environment.json,last-used}
//!     kernels/6.1.192-2/{vmlinux,modules.cpio,kernel.json}     hard links of the above
//!     initramfs/<key>.cpio                                     modules + this build's agent
//!     .lock-<key>                                              held by the only builder of <key>
//!     .partial-<key>-<random>/                                 a build under way, or its remains
//! <cache>/oci/                                                 what was pulled from registries and imported
//!     .lock                                                    shared by whoever adds images, held by whoever removes some
//!     oci-layout, blobs/sha256/<digest>                        layers as they came, manifests, configurations
//!     downloads/<digest>.part, .lock-<digest>                  a download under way, or its beginning
//!     downloads/.partial-import-<random>/                      an import under way
//!     pins/<digest of a name>.json                             which image a name stands for
//!     images/<digest>/                                         as debian_12-1.0.0 above
//!     images/.lock-<digest>, .partial-<digest>-<random>/
//! ```

use std::path::{Path, PathBuf};

use crate::catalog::{Entry, PLATFORM};

/// The key of the lock and of the partial directories of the kernels.
pub(crate) const KERNELS: &str = "kernels";
pub(crate) const INITRAMFS: &str = "initramfs";
pub(crate) const MANIFEST: &str = "environment.json";
pub(crate) const ROOTFS: &str = "rootfs.erofs";
pub(crate) const VMLINUX: &str = "vmlinux";
pub(crate) const MODULES: &str = "modules.cpio";
pub(crate) const KERNEL_RECORD: &str = "kernel.json";

const PARTIAL: &str = ".partial-";
const LOCK: &str = ".lock-";

#[derive(Clone, Debug)]
pub(crate) struct Layout {
    cache: PathBuf,
}

impl Layout {
    pub(crate) fn new(cache: PathBuf) -> Self {
        Self { cache }
    }

    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    pub(crate) fn platform(&self) -> PathBuf {
        self.cache.join(PLATFORM)
    }

    pub(crate) fn install(&self, entry: &Entry) -> PathBuf {
        self.platform().join(entry.directory_name())
    }

    pub(crate) fn kernels(&self) -> PathBuf {
        self.platform().join(KERNELS)
    }

    pub(crate) fn kernel(&self, package_version: &str) -> PathBuf {
        self.kernels()
            .join(package_version.replace([':', '/'], "_"))
    }

    pub(crate) fn initramfs(&self) -> PathBuf {
        self.platform().join(INITRAMFS)
    }

    pub(crate) fn lock(&self, key: &str) -> PathBuf {
        self.platform().join(format!("{LOCK}{key}"))
    }

    pub(crate) fn oci(&self) -> PathBuf {
        self.cache.join("oci")
    }

    pub(crate) fn oci_lock(&self) -> PathBuf {
        self.oci().join(".lock")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.oci().join("blobs/sha256")
    }

    pub(crate) fn downloads(&self) -> PathBuf {
        self.oci().join("downloads")
    }

    pub(crate) fn pins(&self) -> PathBuf {
        self.oci().join("pins")
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.oci().join("images")
    }

    pub(crate) fn image(&self, digest: &str) -> PathBuf {
        self.images().join(digest)
    }

    pub(crate) fn image_lock(&self, digest: &str) -> PathBuf {
        self.images().join(format!("{LOCK}{digest}"))
    }

    pub(crate) fn partial_prefix(key: &str) -> String {
        format!("{PARTIAL}{key}-")
    }

    /// Returns the key in the name of a partial directory, if it is the name of one.
    pub(crate) fn partial_key(name: &str) -> Option<&str> {
        let rest = name.strip_prefix(PARTIAL)?;
        Some(rest.rsplit_once('-').map_or(rest, |(key, _random)| key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_partial_directory_is_recovered() {
        let prefix = Layout::partial_prefix("debian_12-base-1.0.0");
        assert_eq!(
            Layout::partial_key(&format!("{prefix}aB3x")),
            Some("debian_12-base-1.0.0")
        );
        assert_eq!(Layout::partial_key(".partial-old"), Some("old"));
        assert_eq!(Layout::partial_key("debian_12-1.0.0"), None);
        // No key's partial directories may be taken for another's.
        assert!(!prefix.starts_with(&Layout::partial_prefix("debian_12-1.0.0")));
    }
}
