//! The *kind* of a template.

/// The state in which the machine was saved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TemplateKind {
    /// Its root file system is assembled, on a new private disk: for new machines.
    Assembled,
    /// Only its agent runs, and has not used its disks: for machines with existing disks.
    Bare,
}
