//! An *environment* is what can be booted: a name in a catalog, and in the cache a kernel, the
//! modules and agent for its first moments, and an image of a root file system.
//!
//! [`Environments::ready`] is all that a caller needs: it returns at once if the environment is
//! installed, and otherwise builds it from the distribution's own signed archive, once, however
//! many processes ask for it at the same time. Whatever goes wrong, and whenever that is, the
//! cache never holds anything that looks installed and is not.
//!
//! What the machine has to have for a build is in [`requirements`]; using what is installed needs
//! nothing.
//!
//! The words are in `docs/glossary.md`.

mod bzimage;
mod catalog;
mod compressed;
mod confined;
mod cpio;
mod debian;
mod digest;
mod disk_use;
mod error;
mod initramfs;
mod kernel;
mod last_use;
mod layout;
mod lock;
mod manifest;
mod modules;
mod name;
mod oci;
mod partial;
mod preflight;
mod progress;
mod prune;
mod pull_policy;
mod ready;
mod recipe;
mod remove;
mod removed;
mod requirement;
mod source;
mod status;
mod tools;
mod users;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use catalog::{CATALOG_VERSION, Entry, PLATFORM};
pub use error::Error;
pub use kernel::Kernel;
pub use manifest::Image;
pub use oci::is_within;
pub use preflight::check_user;
pub use progress::Progress;
pub use pull_policy::PullPolicy;
pub use pyro_http::Proxies;
pub use pyro_oci::{Form, Process, Settings};
pub use ready::Ready;
pub use recipe::Recipe;
pub use removed::Removed;
pub use requirement::Requirement;
pub use status::{Installation, Status};
pub use users::{User, Users};

use layout::Layout;
use name::Name;
use ready::Place;
use source::Source;

/// The environments of the catalog, and a cache for them.
#[derive(Clone, Debug)]
pub struct Environments {
    layout: Layout,
    registries: Arc<Settings>,
}

impl Environments {
    /// Uses the directory as the cache. It need not exist, and is not touched yet.
    pub fn new(cache_dir: PathBuf, registries: Settings) -> Self {
        let cache_dir = std::path::absolute(&cache_dir).unwrap_or(cache_dir);
        Self {
            layout: Layout::new(cache_dir),
            registries: Arc::new(registries),
        }
    }

    /// Returns the root of the cache.
    pub fn cache_dir(&self) -> &Path {
        self.layout.cache()
    }

    /// Returns the environments of the catalog, by name, and then the images that were pulled.
    pub fn statuses(&self) -> Result<Vec<Status>, Error> {
        let catalog = catalog::CATALOG.iter();
        let mut all: Vec<_> = catalog
            .map(|entry| status::of(&self.layout, entry))
            .collect::<Result<_, _>>()?;
        for source in oci::names(&self.layout)? {
            all.push(status::of_image(&self.layout, &source)?);
        }
        Ok(all)
    }

    /// Returns one environment. Asks no registry.
    pub fn status(&self, name: &str) -> Result<Status, Error> {
        match Name::parse(name)? {
            Name::Entry(entry) => status::of(&self.layout, entry),
            Name::Image(source) => status::of_image(&self.layout, &source),
        }
    }

    /// Makes an environment ready to boot: at once if it is installed and untouched, after
    /// reading its files if they were touched, and after building it (half a minute or more), or
    /// downloading it, if it is absent or damaged. To drop the future ends all that it has
    /// started, and leaves nothing that counts as installed.
    pub async fn ready(
        &self,
        name: &str,
        policy: PullPolicy,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Ready, Error> {
        match Name::parse(name)? {
            Name::Entry(entry) => {
                let place = Place::of(&self.layout, entry);
                let build = ready::build(&self.layout, entry, progress);
                ready::ready(&self.layout, &place, progress, build).await
            }
            Name::Image(source) => Box::pin(oci::ready(
                &self.layout,
                &self.registries,
                &source,
                policy,
                progress,
            ))
            .await
            .map_err(|error| Name::explain(name, error)),
        }
    }

    /// Saves an image that consists of one layer, an uncompressed tar file, as `local:NAME`; the name
    /// may have the part before the colon or not. If it stood for another image, that stays until it
    /// is pruned. Returns the digest of its manifest, in hexadecimal.
    pub async fn save(
        &self,
        name: &str,
        layer: PathBuf,
        process: Process,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<String, Error> {
        let source = Source::to_save(name)?;
        let digest = oci::save(&self.layout, source, layer, process, progress).await?;
        Ok(digest.hex().to_owned())
    }

    /// Gives an image that is in the cache, by the digest of its manifest in hexadecimal, the name
    /// `local:NAME`. Returns whether it is there.
    pub async fn name_image(
        &self,
        name: &str,
        digest: &str,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<bool, Error> {
        let source = Source::to_save(name)?;
        oci::name_image(&self.layout, &source, digest, progress).await
    }

    /// Writes an image of the cache to a new file, in the form of an OCI layout or in that of `docker
    /// save`.
    ///
    /// # Errors
    /// [`Error::NotAnImage`] for an entry of the catalog.
    pub async fn export(
        &self,
        name: &str,
        form: Form,
        to: &Path,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), Error> {
        match Name::parse(name)? {
            Name::Entry(entry) => Err(Error::NotAnImage { name: entry.name }),
            Name::Image(source) => oci::export(&self.layout, &source, form, to, progress).await,
        }
    }

    /// Checks the name of an image that is to be saved, and returns it as a whole: `local:NAME`.
    pub fn name_to_save(name: &str) -> Result<String, Error> {
        Ok(Source::to_save(name)?.to_string())
    }

    /// Returns the kernels in the cache, of all releases, the newest last.
    pub fn kernels(&self) -> Result<Vec<Kernel>, Error> {
        kernel::list(&self.layout)
    }

    /// Removes what is interrupted, damaged, of another version, or used by nothing that is
    /// installed; with a time, also environments without users that were not used for so long. Never
    /// removes what is being built. Blocks.
    pub fn prune(&self, users: &Users, unused_for: Option<Duration>) -> Result<Removed, Error> {
        prune::prune(&self.layout, users, unused_for)
    }

    /// Removes an environment. Of an image the name goes, and the image with the last one of its
    /// names. Waits for whoever installs one.
    ///
    /// # Errors
    /// [`Error::InUse`] if it has users, [`Error::NotInstalled`] if it is not there.
    pub async fn remove(
        &self,
        name: &str,
        users: &Users,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Removed, Error> {
        remove::remove(&self.layout, name, users, progress).await
    }
}

/// Returns what a build by this user needs on the host, and where it was found. Blocks for a few
/// milliseconds.
pub fn requirements() -> Vec<Requirement> {
    requirement::look()
}
