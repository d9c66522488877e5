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
mod confined;
mod cpio;
mod debian;
mod digest;
mod error;
mod initramfs;
mod kernel;
mod layout;
mod lock;
mod manifest;
mod modules;
mod partial;
mod preflight;
mod progress;
mod prune;
mod ready;
mod recipe;
mod requirement;
mod status;
mod tools;

use std::path::{Path, PathBuf};

pub use catalog::{CATALOG_VERSION, Entry, PLATFORM};
pub use error::Error;
pub use kernel::Kernel;
pub use preflight::check_user;
pub use progress::Progress;
pub use ready::Ready;
pub use recipe::Recipe;
pub use requirement::Requirement;
pub use status::{Installation, Status};

use layout::Layout;

/// The environments of the catalog, and a cache for them.
#[derive(Clone, Debug)]
pub struct Environments {
    layout: Layout,
}

impl Environments {
    /// Uses the directory as the cache. It need not exist, and is not touched yet.
    pub fn new(cache_dir: PathBuf) -> Self {
        let cache_dir = std::path::absolute(&cache_dir).unwrap_or(cache_dir);
        Self {
            layout: Layout::new(cache_dir),
        }
    }

    /// Returns the root of the cache.
    pub fn cache_dir(&self) -> &Path {
        self.layout.cache()
    }

    /// Returns all environments, by name.
    pub fn statuses(&self) -> Result<Vec<Status>, Error> {
        catalog::CATALOG
            .iter()
            .map(|entry| status::of(&self.layout, entry))
            .collect()
    }

    /// Returns one environment.
    pub fn status(&self, name: &str) -> Result<Status, Error> {
        status::of(&self.layout, catalog::find(name)?)
    }

    /// Makes an environment ready to boot: at once if it is installed and untouched, after
    /// reading its files if they were touched, and after building it (half a minute or more) if
    /// it is absent or damaged. To drop the future ends all that it has started, and leaves
    /// nothing that counts as installed.
    pub async fn ready(
        &self,
        name: &str,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Ready, Error> {
        ready::ready(&self.layout, catalog::find(name)?, progress).await
    }

    /// Returns the kernels in the cache, sorted.
    pub fn kernels(&self) -> Result<Vec<Kernel>, Error> {
        kernel::list(&self.layout)
    }

    /// Removes what is interrupted, damaged, of another version, or used by nothing that is
    /// installed, and returns the names of the directories removed, sorted. Never removes an
    /// environment that is installed, or what is being built. Blocks.
    pub fn prune(&self) -> Result<Vec<String>, Error> {
        prune::prune(&self.layout)
    }
}

/// Returns what a build by this user needs on the host, and where it was found. Blocks for a few
/// milliseconds.
pub fn requirements() -> Vec<Requirement> {
    requirement::look()
}
