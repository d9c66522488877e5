//! What operations run on.

use pyro_environment::Environments;
use pyro_machine::Machines;

use crate::disk_limit::{DiskLimit, Exceeded};
use crate::{Config, Error};

/// The version that every face reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What operations run on: an environment cache and a place for machines.
#[derive(Debug)]
pub struct Engine {
    pub(crate) environments: Environments,
    pub(crate) machines: Machines,
    pub(crate) config: Config,
}

impl Engine {
    /// Refuses to begin what takes room when all machines take too much of the host's disk.
    pub(crate) fn check_disk_limit(&self) -> Result<(), Error> {
        DiskLimit::of(&self.config)
            .check()
            .map_err(Exceeded::refused)
    }
}
