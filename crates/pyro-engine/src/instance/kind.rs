//! The two kinds of instances.

use serde::{Deserialize, Serialize};

use crate::request::WORKSPACE;

/// The kind of an instance.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InstanceKind {
    /// A VM of `vm_create`.
    Vm,
    /// A workspace.
    Workspace,
}

impl InstanceKind {
    /// Its name in messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Vm => "vm",
            Self::Workspace => "workspace",
        }
    }

    /// The working directory of commands; `None` is the home directory.
    pub(crate) fn working_directory(self) -> Option<&'static str> {
        match self {
            Self::Vm => None,
            Self::Workspace => Some(WORKSPACE),
        }
    }

    pub(super) fn directory(self) -> &'static str {
        match self {
            Self::Vm => "virtual-machines",
            Self::Workspace => "workspaces",
        }
    }
}
