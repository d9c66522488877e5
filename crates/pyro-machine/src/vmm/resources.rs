//! The *resources* of a VMM: what one machine of its own is given to work on.

use std::path::Path;

/// Where the guest's memory is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory<'a> {
    /// Nowhere but in the VMM.
    Anonymous,
    /// In a file, which keeps it: a template is being made.
    Kept(&'a Path),
    /// A private copy of what a template kept, made page by page as the guest writes. The device
    /// state is to come.
    Copied(&'a Path),
}

/// The disks of one machine, besides its environment's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disks<'a> {
    /// The private one.
    pub(crate) private: &'a Path,
    /// What the machine's files begin with, if it may have such.
    pub(crate) seed: Option<&'a Path>,
}
