//! The *engine*: the environment cache and the machines that operations work on.

use pyro_environment::Environments;
use pyro_machine::Machines;

use crate::disk_limit::{DiskLimit, Exceeded};
use crate::off_thread::off_thread;
use crate::{Config, Error};

/// The version that every frontend reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The environment cache and the machines that operations work on.
#[derive(Debug)]
pub struct Engine {
    pub(crate) environments: Environments,
    pub(crate) machines: Machines,
    pub(crate) config: Config,
}

impl Engine {
    /// Fails if all machines exceed the disk limit; called before space is taken.
    pub(crate) async fn check_disk_limit(&self) -> Result<(), Error> {
        let limit = DiskLimit::of(&self.config);
        let checked = if limit.counts_files() {
            off_thread(move || limit.check()).await
        } else {
            limit.check()
        };
        checked.map_err(Exceeded::refused)
    }

    /// Fails if a copy of a disk, of this many bytes, would exceed the disk limit.
    pub(crate) async fn check_room(&self, bytes: u64) -> Result<(), Error> {
        let limit = DiskLimit::of(&self.config);
        off_thread(move || limit.check_room(bytes))
            .await
            .map_err(|exceeded| exceeded.no_room(bytes))
    }
}
