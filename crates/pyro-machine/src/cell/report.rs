//! The *report* says, piece by piece, what of the cell is in force on this host.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::files;
use super::namespaces::Reached;
use super::{Progress, weakened};
use crate::process::{OwnedProcess, find_program};
use crate::qemu::{Disks, Memory};
use crate::spec::MachineSpec;

/// A piece of what is between the VMM and the host.
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

/// Whether a piece is in force, and what there is to say about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PieceReport {
    /// The piece.
    pub piece: Piece,
    /// Whether it is in force.
    pub in_force: bool,
    /// Its extent, or why it is not.
    pub detail: String,
}

/// What of the cell is in force for a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Isolation {
    landlock: bool,
    namespaces: Reached,
}

impl Isolation {
    pub(super) fn new(landlock: bool, namespaces: Reached) -> Self {
        Self {
            landlock,
            namespaces,
        }
    }

    /// What is known once the process runs.
    pub(crate) fn reached(self, progress: &Progress) -> Self {
        Self {
            namespaces: progress.namespaces(),
            ..self
        }
    }

    /// Says it piece by piece.
    pub fn pieces(self) -> Vec<PieceReport> {
        let report = |piece| {
            let (in_force, detail) = self.detail(piece);
            PieceReport {
                piece,
                in_force,
                detail,
            }
        };
        Piece::ALL.map(report).into()
    }

    fn detail(self, piece: Piece) -> (bool, String) {
        if weakened::none() {
            return (false, "this program was told to do without a cell".into());
        }
        match piece {
            Piece::Landlock => match files::status() {
                Ok(version) if self.landlock => (true, landlock_extent(version)),
                Ok(_) => (false, "the kernel refused the rules".into()),
                Err(reason) => (false, reason.into()),
            },
            // Without these there is no process.
            Piece::Seccomp => (
                true,
                "a list of the system calls that are let through".into(),
            ),
            Piece::Capabilities => (true, "none".into()),
            Piece::Limits => (true, "memory, file size, descriptors, no core dumps".into()),
            Piece::Namespaces => match self.namespaces {
                Reached::Root => (
                    true,
                    "a root, a network and an IPC namespace of its own".into(),
                ),
                Reached::Separate => (false, "mounts cannot be changed here".into()),
                Reached::Nothing => (false, "this user may not make namespaces here".into()),
            },
        }
    }
}

fn landlock_extent(version: i32) -> String {
    let missing: Vec<&str> = [
        (3, "truncation"),
        (4, "TCP ports"),
        (5, "requests to devices"),
        (6, "signals and abstract sockets"),
    ]
    .into_iter()
    .filter(|(since, _)| version < *since)
    .map(|(_, what)| what)
    .collect();
    if missing.is_empty() {
        format!("version {version}")
    } else {
        // The filter of system calls keeps out ports, sockets and signals all the same. Only files
        // that may be written can be truncated, and requests go to /dev/kvm and /dev/null.
        format!(
            "version {version}, which does not know {}",
            missing.join(", ")
        )
    }
}

/// Runs a program that does nothing as the VMM would be run, and says what was in force.
///
/// # Errors
/// When it cannot be run that way: then no machine can be either.
pub fn examine(search_path: &OsStr) -> Result<Isolation, String> {
    let program = find_program(search_path, "true").unwrap_or_else(|| "/bin/true".into());
    let nothing = Path::new("/dev/null");
    let spec = MachineSpec {
        vcpu_count: 1,
        mem_mib: 256,
        kernel: nothing.into(),
        initramfs: nothing.into(),
        rootfs: nothing.into(),
        network: false,
    };
    let disks = Disks {
        private: nothing,
        seed: None,
    };
    let failed = |error: std::io::Error| format!("a process cannot be confined: {error}");
    let cell = super::Cell::vmm(&program, &spec, Memory::Anonymous, disks, None).map_err(failed)?;
    let mut command = Command::new(program);
    command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = OwnedProcess::spawn(command, &[], None, cell).map_err(failed)?;
    let isolation = process.isolation();
    match process.finish().map_err(failed)? {
        status if status.success() => Ok(isolation),
        status => Err(format!(
            "a confined process did not end as it should: {status}"
        )),
    }
}
