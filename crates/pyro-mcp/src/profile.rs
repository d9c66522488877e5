//! A *profile* is a choice of tools: fewer tools take less of a model's attention.

use std::fmt;
use std::str::FromStr;

use pyro_engine::operation::Entry;
use pyro_engine::operations::{OPERATIONS, find};

/// Which tools a client is shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Profile {
    /// One command in a fresh microVM, nothing else.
    VmRun,
    /// Work in workspaces, without what few need.
    WorkspaceCore,
    /// Everything.
    #[default]
    WorkspaceFull,
}

/// Every tool that has a place of its own, in the order in which clients show them. Operations
/// that are not named here follow in the order of their table.
const ORDER: &[&str] = &[
    "vm_run",
    "vm_list_environments",
    "vm_create",
    "vm_start",
    "vm_exec",
    "vm_stop",
    "vm_delete",
    "vm_status",
    "vm_network_info",
    "vm_reap_expired",
    "workspace_create",
    "workspace_list",
    "workspace_update",
    "workspace_exec",
    "workspace_sync_push",
    "workspace_status",
    "workspace_stop",
    "workspace_start",
    "workspace_logs",
    "workspace_export",
    "workspace_diff",
    "workspace_file_list",
    "workspace_file_read",
    "workspace_file_write",
    "workspace_patch_apply",
    "workspace_disk_export",
    "workspace_disk_list",
    "workspace_disk_read",
    "snapshot_create",
    "snapshot_list",
    "snapshot_delete",
    "workspace_reset",
    "shell_open",
    "shell_read",
    "shell_write",
    "shell_signal",
    "shell_close",
    "service_start",
    "service_list",
    "service_status",
    "service_logs",
    "service_stop",
    "workspace_delete",
];

const CORE: &[&str] = &[
    "vm_run",
    "workspace_create",
    "workspace_list",
    "workspace_update",
    "workspace_exec",
    "workspace_sync_push",
    "workspace_status",
    "workspace_logs",
    "workspace_export",
    "workspace_diff",
    "workspace_file_list",
    "workspace_file_read",
    "workspace_file_write",
    "workspace_patch_apply",
    "workspace_reset",
    "workspace_delete",
];

/// Operations that are a person's business: what they show, find or free is the machine's, not
/// the task's.
const NOT_TOOLS: &[&str] = &["demo", "demo_ollama", "doctor", "env_prune"];

impl Profile {
    /// All of them, the smallest first.
    pub const ALL: &[Self] = &[Self::VmRun, Self::WorkspaceCore, Self::WorkspaceFull];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::VmRun => "vm-run",
            Self::WorkspaceCore => "workspace-core",
            Self::WorkspaceFull => "workspace-full",
        }
    }

    /// The operations that are its tools, as far as the engine has them.
    pub(crate) fn operations(self) -> Vec<&'static Entry> {
        let named = |names: &[&str]| names.iter().filter_map(|name| find(name)).collect();
        match self {
            Self::VmRun => named(&["vm_run"]),
            Self::WorkspaceCore => named(CORE),
            Self::WorkspaceFull => {
                let mut operations: Vec<_> = named(ORDER);
                let known = |name| ORDER.contains(&name) || NOT_TOOLS.contains(&name);
                operations.extend(OPERATIONS.iter().filter(|entry| !known(entry.name)));
                operations
            }
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|profile| profile.name() == text);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|profile| profile.name()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(profile: Profile) -> Vec<&'static str> {
        let operations = profile.operations();
        operations.iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn every_operation_is_a_tool_once_or_deliberately_none() {
        let full = names(Profile::WorkspaceFull);
        for entry in OPERATIONS {
            let times = full.iter().filter(|name| **name == entry.name).count();
            let expected = usize::from(!NOT_TOOLS.contains(&entry.name));
            assert_eq!(times, expected, "{}", entry.name);
        }
        assert_eq!(full[..2], ["vm_run", "vm_list_environments"]);
    }

    #[test]
    fn smaller_profiles_are_parts_of_larger_ones() {
        let full = names(Profile::WorkspaceFull);
        let core = names(Profile::WorkspaceCore);
        assert_eq!(names(Profile::VmRun), ["vm_run"]);
        assert_eq!(core[0], "vm_run");
        assert!(core.iter().all(|name| full.contains(name)));
        assert!(CORE.iter().all(|name| ORDER.contains(name)));
    }

    #[test]
    fn names_are_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(*profile));
        }
        assert!("full".parse::<Profile>().is_err());
    }
}
