//! The *specification* of a machine.

use std::path::PathBuf;

use pyro_protocol::octets;
use serde::{Deserialize, Serialize};

/// The resources and images of a machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MachineSpec {
    /// Virtual processors.
    pub vcpu_count: u32,
    /// Memory, in MiB.
    pub mem_mib: u32,
    /// The kernel, as an uncompressed ELF image.
    #[serde(with = "octets::path")]
    pub kernel: PathBuf,
    /// The initial file system with the agent.
    #[serde(with = "octets::path")]
    pub initramfs: PathBuf,
    /// The environment's immutable image.
    #[serde(with = "octets::path")]
    pub rootfs: PathBuf,
    /// Whether it has a network. Machines with and without one are clones of the same template.
    #[serde(default)]
    pub network: bool,
}
