//! *Debian* as a source of environments: packages from the distribution's own signed archive, by
//! way of the mirrors and download settings that the machine's apt is configured with.

mod apt;
mod failure;
mod output;
mod package;
mod rootfs;
mod sources;
mod version;

pub(crate) use apt::Archive;
pub(crate) use package::KernelPackage;
pub(crate) use rootfs::build;
pub(crate) use version::compare as compare_versions;

/// Debian's keys, the only ones trusted, whatever else the machine's apt trusts.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
