//! The *pieces* of a cell.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A piece of the isolation between the VMM and the host.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// The VMM opens its machine's files and nothing else.
    Landlock,
    /// The VMM makes the system calls that it needs and no others.
    Seccomp,
    /// The VMM has no capabilities, and cannot gain any.
    Capabilities,
    /// The VMM's memory, files and descriptors are limited.
    Limits,
    /// The VMM is in namespaces with a root directory of its own.
    Namespaces,
}

impl Piece {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Landlock,
        Self::Seccomp,
        Self::Capabilities,
        Self::Limits,
        Self::Namespaces,
    ];

    /// Its name for users.
    pub fn name(self) -> &'static str {
        match self {
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Capabilities => "capabilities",
            Self::Limits => "limits",
            Self::Namespaces => "namespaces",
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Piece {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let found = Self::ALL.into_iter().find(|piece| piece.name() == name);
        found.ok_or(())
    }
}
