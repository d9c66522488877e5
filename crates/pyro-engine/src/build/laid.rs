//! What an instruction copies, *laid out* in a directory of its own.

use tempfile::TempDir;

/// Files that are laid out to be copied.
pub(super) struct Laid {
    pub(super) directory: TempDir,
    pub(super) destination: String,
    /// Whether they go into the destination, or the only one becomes it.
    pub(super) into: bool,
    pub(super) owner: String,
}
