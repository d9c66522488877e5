//! The *store* is what pyro keeps on disk: directories that belong to one user, records written
//! whole or not at all, and one directory per virtual machine whose locks say whether it lives.
//!
//! Liveness is a held lock, never a process id: a lock is gone the moment its last holder is,
//! and cannot be mistaken for somebody else's.
//!
//! The words are in `docs/glossary.md`.

mod crash_point;
mod history;
mod id;
mod lock;
mod machine_directory;
mod objects;
mod private;
mod record;
mod slots;

use std::path::{Path, PathBuf};

pub use history::{Exit, History, HistoryEntry, Log};
pub use id::{VmId, random_hex};
pub use machine_directory::{MachineDirectory, Swept, sweep, vmm_of};
pub use objects::{NewObject, Object, Objects, Ownership, Record, RecordError};
pub use private::{check_private_directory, create_private_directory, create_private_file};
pub use record::{read_record, sync_directory, write_atomically, write_record};
pub use slots::{Slot, Slots};

/// A file operation of the store failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct Error {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
    not_private: bool,
}

impl Error {
    fn new(action: &'static str, path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source: source.into(),
            not_private: false,
        }
    }

    /// A directory is not its user's alone.
    fn not_private(path: &Path, problem: String) -> Self {
        let source = std::io::Error::new(std::io::ErrorKind::PermissionDenied, problem);
        Self {
            not_private: true,
            ..Self::new("use", path, source)
        }
    }

    /// Whether a directory is not its user's alone.
    pub fn is_not_private(&self) -> bool {
        self.not_private
    }

    /// The path it happened at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file system had no room left.
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.source.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    }
}
