//! The *report*: all that was found out about the host.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operations::env::Environment;

/// The report about the host.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Report {
    /// The platform.
    pub platform: String,
    /// Whether a guest can run.
    pub runtime_ok: bool,
    /// Problems and possible improvements.
    pub issues: Vec<String>,
    /// Commands that solve the problems.
    pub remedies: Vec<String>,
    /// The KVM device.
    pub kvm: Kvm,
    /// The accelerator for guests.
    pub accelerator: AcceleratorReport,
    /// The VMM.
    pub qemu: QemuReport,
    /// The isolation between the VMM and the host, by mechanism.
    pub isolation: Vec<IsolationReport>,
    /// The requirements of networking.
    pub networking: Networking,
    /// The parts of the runtime.
    pub runtime: Runtime,
    /// Programs that environments are built with.
    pub build_requirements: Vec<BuildRequirement>,
    /// The number of machines that are parked now.
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
    /// Whether it exists.
    pub exists: bool,
    /// Whether this user can read it.
    pub readable: bool,
    /// Whether this user can write it.
    pub writable: bool,
}

/// The accelerator for guests.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct AcceleratorReport {
    /// `kvm` or `tcg`; null if the requested one is not available.
    pub selected: Option<String>,
    /// Why.
    pub reason: String,
}

/// An isolation mechanism between the VMM and the host.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct IsolationReport {
    /// Its name, as for `--require-isolation`.
    pub piece: String,
    /// Whether it is in force on this host.
    pub in_force: bool,
    /// Details, or why it is not in force.
    pub detail: String,
}

/// The VMM.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct QemuReport {
    /// Its path.
    pub path: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The oldest version that is supported.
    pub minimum_version: String,
    /// The versions that pyro was tested with; other versions from the minimum on may work as well.
    pub tried_versions: Vec<String>,
}

/// The requirements of networking.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Networking {
    /// Whether guests have a network by default.
    pub enabled_by_default: bool,
    /// The path of `passt`, which guests with a network need; also null if the host has no default
    /// route.
    pub passt_binary: Option<String>,
    /// Whether there is a TUN device.
    pub tun_available: bool,
    /// The path of `ip`.
    pub ip_binary: Option<String>,
    /// The path of `nft`.
    pub nft_binary: Option<String>,
    /// The path of `iptables`.
    pub iptables_binary: Option<String>,
    /// Whether this host forwards IPv4.
    pub ip_forward_enabled: bool,
}

/// The parts of the runtime.
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
    /// Versions of its components.
    pub component_versions: BTreeMap<String, String>,
    /// The capabilities of guests.
    pub capabilities: Capabilities,
    /// Version of the catalog.
    pub catalog_version: String,
    /// The environment cache.
    pub cache_dir: String,
    /// The environments.
    pub environments: Vec<Environment>,
}

/// The capabilities of guests.
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
    /// Its path.
    pub path: Option<String>,
    /// The Debian package that contains it.
    pub package: String,
    /// Its purpose.
    pub purpose: String,
}

/// A directory and its free space.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct DiskReport {
    /// Its purpose: `environments` or `machines`.
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
    /// Whether its agent answered.
    pub ok: bool,
    /// Its environment.
    pub environment: String,
    /// The version of its kernel, if it answered.
    pub kernel: Option<String>,
    /// From the start of the operation to the answer, in milliseconds.
    pub total_ms: u64,
    /// Why it did not answer.
    pub error: Option<String>,
}
