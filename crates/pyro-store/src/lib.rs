//! The *store* is what pyro keeps on disk: private directories of one user, records written
//! atomically, and one directory per virtual machine whose locks show whether it is alive.
//!
//! A held lock shows that a process is alive, never a process id: the kernel releases a lock when
//! its last holder ends, and does not give it to another process.
//!
//! `docs/glossary.md` defines the words.

mod crash_point;
mod history;
mod id;
mod lock;
mod machine_directory;
mod named;
mod objects;
mod power_loss;
mod private;
mod record;
mod slots;
mod socket;

use std::path::{Path, PathBuf};

pub use history::{Exit, History, HistoryEntry, Log};
pub use id::{VmId, random_hex};
pub use machine_directory::{MachineDirectory, Swept, sweep, vmm_of};
pub use named::{LockedDirectories, NamedDirectories, NewDirectory};
pub use objects::{NewObject, Object, Objects, Ownership, Record, RecordError};
pub use private::{check_private_directory, create_private_directory, create_private_file};
pub use record::{read_record, sync_directory, write_atomically, write_record};
pub use slots::{Slot, Slots};
pub use socket::SocketDirectory;

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

    /// Other users can write a directory.
    fn not_private(path: &Path, problem: String) -> Self {
        let source = std::io::Error::new(std::io::ErrorKind::PermissionDenied, problem);
        Self {
            not_private: true,
            ..Self::new("use", path, source)
        }
    }

    /// Whether the error says that other users can write a directory.
    pub fn is_not_private(&self) -> bool {
        self.not_private
    }

    /// The path at which the operation failed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file system is full.
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.source.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    }
}
