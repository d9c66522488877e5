//! The *order* of a build: what is to be built, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pyro_environment::PullPolicy;

use super::recipe::Recipe;

/// What is to be built.
pub(crate) struct Order {
    /// The text of the Dockerfile, or what stands for it.
    pub(crate) instructions: Instructions,
    /// The directory whose files may be copied, without links in its path.
    pub(crate) context: Option<PathBuf>,
    pub(crate) args: BTreeMap<String, String>,
    /// The stage to end with; none for the last one.
    pub(crate) target: Option<String>,
    pub(crate) network: bool,
    pub(crate) use_cache: bool,
    pub(crate) pull: PullPolicy,
    pub(crate) vcpu_count: u32,
    pub(crate) mem_mib: u32,
    /// The whole name of the environment.
    pub(crate) name: String,
}

/// Where the instructions come from.
pub(crate) enum Instructions {
    Dockerfile(String),
    Recipe(Recipe),
}
