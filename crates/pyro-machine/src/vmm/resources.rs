//! The *resources* of a VMM: the memory and the disks of one machine.

use std::path::Path;

/// The location of the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory<'a> {
    /// Anonymous memory of the VMM.
    Anonymous,
    /// A file, which keeps the memory: a template is being made.
    Kept(&'a Path),
    /// A private mapping of a template's memory, copied page by page as the guest writes. The
    /// device state follows.
    Copied(&'a Path),
}

/// The disks of one machine, besides its environment's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disks<'a> {
    /// The private one.
    pub(crate) private: &'a Path,
    /// The seed's disk, or an empty one, if the machine has such a disk.
    pub(crate) seed: Option<&'a Path>,
    /// One more, blank, to be written.
    pub(crate) output: Option<&'a Path>,
    /// A second private disk, of a snapshot, if it is compared with one.
    pub(crate) snapshot: Option<&'a Path>,
}
