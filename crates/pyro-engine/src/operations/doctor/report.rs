//! The *report*: everything that was found out about a machine.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operations::env::Environment;

/// What was found.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Report {
    /// The platform.
    pub platform: String,
    /// Whether a guest can run.
    pub runtime_ok: bool,
    /// What is wrong or could be better.
    pub issues: Vec<String>,
    /// What to do about it, command by command.
    pub remedies: Vec<String>,
    /// The KVM device.
    pub kvm: Kvm,
    /// The accelerator for guests.
    pub accelerator: AcceleratorReport,
    /// The VMM.
    pub qemu: QemuReport,
    /// What is between the VMM and the host, piece by piece.
    pub isolation: Vec<IsolationReport>,
    /// What networking needs, or might need.
    pub networking: Networking,
    /// What guests consist of.
    pub runtime: Runtime,
    /// Programs that environments are built with.
    pub build_requirements: Vec<BuildRequirement>,
    /// Machines that are kept ahead of their use at this moment.
    pub parked_machines: usize,
    /// Kernels in the cache.
    pub kernels: Vec<String>,
    /// Directories and their free space.
    pub disk: Vec<DiskReport>,
    /// The guest that was booted, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
}

/// The KVM device.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Kvm {
    /// It exists.
    pub exists: bool,
    /// This user may read it.
    pub readable: bool,
    /// This user may write it.
    pub writable: bool,
}

/// The accelerator for guests.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct AcceleratorReport {
    /// `kvm` or `tcg`; null if what was asked for cannot be had.
    pub selected: Option<String>,
    /// Why.
    pub reason: String,
}

/// A piece of what is between the VMM and the host.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct IsolationReport {
    /// Its name, as for `--require-isolation`.
    pub piece: String,
    /// Whether it is in force on this host.
    pub in_force: bool,
    /// Its extent, or why it is not in force.
    pub detail: String,
}

/// The VMM.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct QemuReport {
    /// Where it is.
    pub path: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The oldest version that is supported.
    pub minimum_version: String,
    /// The versions that pyro was tested with; others from the oldest on may work as well.
    pub tried_versions: Vec<String>,
}

/// What networking needs, or might need.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Networking {
    /// Whether guests have a network without being given one.
    pub enabled_by_default: bool,
    /// Where `passt` is, which guests with a network need; null also if the host has no way out.
    pub passt_binary: Option<String>,
    /// Whether there is a TUN device.
    pub tun_available: bool,
    /// Where `ip` is.
    pub ip_binary: Option<String>,
    /// Where `nft` is.
    pub nft_binary: Option<String>,
    /// Where `iptables` is.
    pub iptables_binary: Option<String>,
    /// Whether this host forwards IPv4.
    pub ip_forward_enabled: bool,
}

/// What guests consist of.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Runtime {
    /// Directory of a runtime bundle; null: the guest agent is part of the program.
    pub bundle_root: Option<String>,
    /// Manifest of a runtime bundle.
    pub manifest_path: Option<String>,
    /// Firecracker, which is not used.
    pub firecracker_bin: Option<String>,
    /// Firecracker's jailer, which is not used.
    pub jailer_bin: Option<String>,
    /// The guest agent's file; null: it is part of the program.
    pub guest_agent_path: Option<String>,
    /// Directory of the environments.
    pub artifacts_dir: String,
    /// Whether that directory exists.
    pub artifacts_present: bool,
    /// Notices of a runtime bundle.
    pub notice_path: Option<String>,
    /// Version of the runtime.
    pub bundle_version: String,
    /// Versions of its parts.
    pub component_versions: BTreeMap<String, String>,
    /// What guests can do.
    pub capabilities: Capabilities,
    /// Version of the catalog.
    pub catalog_version: String,
    /// The environment cache.
    pub cache_dir: String,
    /// The environments.
    pub environments: Vec<Environment>,
}

/// What guests can do.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Capabilities {
    /// Boot.
    pub supports_vm_boot: bool,
    /// Run commands.
    pub supports_guest_exec: bool,
    /// Use the network.
    pub supports_guest_network: bool,
    /// Why not, where one of them is false.
    pub reason: Option<String>,
}

/// A program that environments are built with.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct BuildRequirement {
    /// Its name.
    pub tool: String,
    /// Where it is.
    pub path: Option<String>,
    /// The Debian package it is in.
    pub package: String,
    /// What it is for.
    pub purpose: String,
}

/// A directory and its free space.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct DiskReport {
    /// What it is for: `environments` or `machines`.
    pub purpose: String,
    /// The directory.
    pub path: String,
    /// Whether this user may write there.
    pub writable: bool,
    /// Free space, in MiB.
    pub free_mib: Option<u64>,
}

/// A guest that was booted.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Boot {
    /// Whether it answered.
    pub ok: bool,
    /// What it is.
    pub environment: String,
    /// Its kernel, if it answered.
    pub kernel: Option<String>,
    /// From the start of the operation to the answer, in milliseconds.
    pub total_ms: u64,
    /// Why it did not answer.
    pub error: Option<String>,
}
