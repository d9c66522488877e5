//! The *store* is what pyro keeps on disk: directories that belong to one user, records written
//! whole or not at all, and one directory per virtual machine whose locks say whether it lives.
//!
//! Liveness is a held lock, never a process id: a lock is gone the moment its last holder is,
//! and cannot be mistaken for somebody else's.

mod fault;
mod history;
mod id;
mod lock;
mod machine_directory;
mod objects;
mod record;
mod slots;

use std::path::{Path, PathBuf};

pub use history::{Entry, Exit, History, Log};
pub use id::{VmId, random_hex};
pub use machine_directory::{MachineDirectory, Swept, sweep};
pub use objects::{NewObject, Object, Objects, Ownership, Record, RecordError};
pub use record::{read_record, write_atomically, write_record};
pub use slots::{Slot, Slots};

/// A file operation of the store failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct Error {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl Error {
    fn new(action: &'static str, path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source: source.into(),
        }
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

/// Creates a directory and its parents; the directory itself is made accessible to its owner
/// alone. One that exists is left as it is.
///
/// # Errors
/// When it cannot be created.
pub fn create_private_directory(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| Error::new("create the directory", path, source))
}
