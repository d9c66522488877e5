//! A *profile* is a choice of tools: fewer tools take less of a model's attention.

use std::fmt;
use std::str::FromStr;

use pyro_engine::operation::{Entry, ToolSet};
use pyro_engine::operations::OPERATIONS;

/// The set of tools that a client is shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Profile {
    /// One command in a fresh microVM, nothing else.
    VmRun,
    /// Work in workspaces, without rarely needed tools.
    WorkspaceCore,
    /// Everything.
    #[default]
    WorkspaceFull,
}

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

    /// The operations that are its tools, in the order in which clients show them.
    pub(crate) fn operations(self) -> Vec<&'static Entry> {
        let is_offered = |entry: &&Entry| entry.tool_set <= self.tool_set();
        OPERATIONS.iter().filter(is_offered).collect()
    }

    /// The properties of an operation that its tool does not have.
    pub fn left_out(self, entry: &Entry) -> &'static [&'static str] {
        if self.tool_set() < ToolSet::Full {
            entry.full_only
        } else {
            &[]
        }
    }

    fn tool_set(self) -> ToolSet {
        match self {
            Self::VmRun => ToolSet::Run,
            Self::WorkspaceCore => ToolSet::Core,
            Self::WorkspaceFull => ToolSet::Full,
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

    /// The contract's order of the existing tools, and the operations that are no tools.
    #[test]
    fn profiles_are_what_was_promised() {
        let full = names(Profile::WorkspaceFull);
        assert_eq!(names(Profile::VmRun), ["vm_run"]);
        assert_eq!(
            names(Profile::WorkspaceCore),
            [
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
            ]
        );
        assert!(
            names(Profile::WorkspaceCore)
                .iter()
                .all(|name| full.contains(name))
        );
        assert_eq!(full[..2], ["vm_run", "vm_list_environments"]);
        for entry in OPERATIONS {
            let is_no_tool = [
                "demo",
                "demo_ollama",
                "doctor",
                "env_export",
                "env_prune",
                "env_remove",
                "env_build",
                "env_save",
                "shell_attach",
            ]
            .contains(&entry.name);
            assert_eq!(full.contains(&entry.name), !is_no_tool, "{}", entry.name);
        }
    }

    /// In the words of the contract; a reset takes the secrets that `workspace_create` gave.
    #[test]
    fn smaller_profiles_leave_properties_out() {
        let left_out = |profile: Profile| -> Vec<(&str, &[&str])> {
            let operations = profile.operations().into_iter();
            let each = operations.map(|entry| (entry.name, profile.left_out(entry)));
            each.filter(|(_, names)| !names.is_empty()).collect()
        };
        let core: [(&str, &[&str]); 4] = [
            ("vm_run", &["pull"]),
            ("workspace_create", &["network_policy", "secrets", "pull"]),
            ("workspace_exec", &["secret_env"]),
            ("workspace_reset", &["secrets"]),
        ];
        assert_eq!(left_out(Profile::WorkspaceCore), core);
        assert_eq!(left_out(Profile::VmRun), core[..1]);
        assert_eq!(left_out(Profile::WorkspaceFull), []);
        for entry in OPERATIONS {
            let schema = (entry.input_schema)().to_value();
            for name in entry.full_only {
                assert!(schema["properties"].get(name).is_some(), "{name}");
                let required = schema["required"].as_array().into_iter().flatten();
                assert!(!required.into_iter().any(|one| one == name), "{name}");
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(*profile));
        }
        assert!("full".parse::<Profile>().is_err());
    }
}
