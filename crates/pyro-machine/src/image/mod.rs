//! The *images* of a machine's disks.

mod disk;
mod files;
mod seed;

pub(crate) use disk::create;
pub use disk::{PRIVATE_DISK_MIB, copy_disk, make_image};
pub use files::{CopiedFiles, KeptFiles};
pub(crate) use files::{DiskPaths, Files};
pub use seed::SEED_DISK_BYTES;
pub(crate) use seed::no_seed;
