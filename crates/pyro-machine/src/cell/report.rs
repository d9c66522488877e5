//! The *report* lists, piece by piece, which parts of the cell are in force on this host.

use super::files;
use super::namespaces::Reached;
use super::piece::Piece;
use super::progress::Progress;
use super::weakened;

/// Whether a piece is in force, and details.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PieceReport {
    /// The piece.
    pub piece: Piece,
    /// Whether it is in force.
    pub in_force: bool,
    /// Its extent, or why it is not.
    pub detail: String,
}

/// Which pieces of the cell are in force for a process.
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

    /// Adds what is known once the process runs.
    pub(crate) fn reached(self, progress: &Progress) -> Self {
        Self {
            namespaces: progress.namespaces(),
            ..self
        }
    }

    /// Returns the report piece by piece.
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
            // The process does not start without these.
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
        // The filter of system calls still denies ports, sockets and signals. Only files that may
        // be written can be truncated, and requests go only to /dev/kvm and /dev/null.
        format!(
            "version {version}, which does not know {}",
            missing.join(", ")
        )
    }
}
