//! Environments: the systems that can be booted.

mod build;
mod export;
mod inspect;
mod list;
mod prune;
mod pull;
mod remove;
mod save;
mod users;

pub use build::{Build, BuildResult};
pub use export::{Export, ImageExport};
pub use inspect::Inspect;
pub use list::{EnvironmentList, List};
pub use prune::{Prune, Pruned};
pub use pull::{Pull, Pulled};
pub use remove::{Remove, Removed};
pub use save::{Save, Saved};

use pyro_environment::{CATALOG_VERSION, PLATFORM, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::request::path_text;

/// The description of an environment.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its purpose.
    pub description: String,
    /// The packages that it is guaranteed to contain.
    pub default_packages: Vec<String>,
    /// The distribution.
    pub distribution: String,
    /// The distribution's version.
    pub distribution_version: String,
    /// The platform it runs on.
    pub platform: String,
    /// The registry of its image; null if it is built from the distribution's archive, or its image is
    /// of this host.
    pub oci_registry: Option<String>,
    /// The repository of its image.
    pub oci_repository: Option<String>,
    /// The tag or the digest of its image.
    pub oci_reference: Option<String>,
    /// SHA-256 of its recipe, or of its image's manifest, in hexadecimal.
    pub source_digest: String,
    /// Versions of pyro that can use it.
    pub compatibility: String,
    /// Version of the catalog it is in.
    pub catalog_version: String,
    /// Whether it is installed.
    pub installed: bool,
    /// The environment cache.
    pub cache_dir: String,
    /// The directory in which it is or would be installed.
    pub install_dir: String,
    /// How many bytes it takes on the disk, if it is installed; the kernel and the layers of images may
    /// be those of other environments, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The record of its installation, if it is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_manifest: Option<String>,
}

impl From<Status> for Environment {
    fn from(status: Status) -> Self {
        let installed = status.installed();
        let image = status.reference;
        Self {
            name: status.name,
            version: status.version,
            description: status.description,
            default_packages: status.default_packages,
            distribution: status.distribution,
            distribution_version: status.distribution_version,
            platform: PLATFORM.into(),
            oci_registry: image.as_ref().map(|image| image.registry().into()),
            oci_repository: image.as_ref().map(|image| image.repository().into()),
            oci_reference: image.map(|image| image.version().to_string()),
            source_digest: status.source_digest,
            compatibility: status.compatibility.into(),
            catalog_version: CATALOG_VERSION.into(),
            installed,
            cache_dir: path_text(&status.cache_dir),
            install_dir: path_text(&status.install_dir),
            size_bytes: status.installation.as_ref().map(|found| found.size),
            install_manifest: status.installation.map(|found| path_text(&found.manifest)),
        }
    }
}
