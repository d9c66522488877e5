//! What was *removed* from the cache.

/// What was removed from the cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The names of directories, sorted.
    pub directories: Vec<String>,
    /// The bytes that are free again on the disk, about.
    pub bytes: u64,
}

impl Removed {
    pub(crate) fn add(&mut self, other: Self) {
        self.directories.extend(other.directories);
        self.bytes += other.bytes;
    }
}
